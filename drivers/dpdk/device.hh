// SPDX-License-Identifier: Apache-2.0
// A device that the section `interfaces` opens: DPDK's ports, and those of weft's own.
#pragma once

#include "nodes/interface/interface.hh"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weft {
class engine;
class graph_thread;
class node_run;
struct frame;
} // namespace weft

namespace weft::drivers {

inline constexpr size_t max_name = 31; // of interfaces and streams

// The next nodes of what brings packets in, by slot.
enum input_next : next_index { to_ethernet_input, to_worker_handoff };

// Main thread.
class device : public interface_driver {
public:
    // The address that it has of its own or was given.
    [[nodiscard]] virtual net::mac_address mac(interface_index index) const = 0;
    // Opens what is behind: once before join(), and again where it was not there then or has gone
    // away, with nothing of its own left to do for threads that run its nodes. Errors name it;
    // nothing is open then.
    virtual result<void> plug(engine&) { return {}; }
    // Whether what is behind has gone away since.
    [[nodiscard]] virtual bool has_gone() { return false; }
    // It is gone: threads are to take it up no more. state() says so from now on.
    virtual void let_go() {}
    // Closes what is left of it; no thread is about to use it.
    virtual void unplug() {}
    // Adds its nodes to the graph. The interface exists then. Once.
    virtual result<void> join(engine& engine, const std::string& name, interface_index index) = 0;
};

inline constexpr unsigned replug_seconds = 5; // between two attempts to open what is not there

// Puts an interface's tx node, a clone of the template `of` called OF-NAME, behind
// interface-output.
result<void> join_output(engine& engine, std::string_view of, const std::string& name,
                         interface_index index, void* argument);

// Tx nodes: gives a frame to the thread that owns the queue; what that has no room for is dropped
// for `reason`. Any thread.
void hand_to_owner(node_run& run, frame& in, graph_thread& owner, uint16_t reason) noexcept;
// The threads that send through a tx node of that name: the workers first, the main thread last,
// for it sends little. A worker whose plan has no tx node never sends.
[[nodiscard]] std::vector<unsigned> sending_threads(engine& engine, const std::string& tx_node);

inline constexpr uint16_t ethernet_overhead = 18; // header and one VLAN tag
// Whether a packet of that many bytes fits into a buffer with room for `room`.
[[nodiscard]] result<void> check_mtu(uint16_t mtu, uint16_t room);

inline constexpr std::string_view null_device = "null";
// Takes every packet and brings none.
[[nodiscard]] std::unique_ptr<device> make_null_device(std::optional<net::mac_address> mac);

// A module of the engine: where `wanted`, null devices stand in for all others, so that a
// configuration can be tried on a machine that has none of its devices. To be set before the
// configuration is applied.
struct stand_in_devices {
    explicit stand_in_devices(engine&) {}
    bool wanted = false;
    std::map<std::string, net::mac_address> macs; // the devices' own, by interface
};

} // namespace weft::drivers
