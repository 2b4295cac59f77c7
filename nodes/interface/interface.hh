// SPDX-License-Identifier: Apache-2.0
// The interface table: name, state, MTU, MAC, counters and transmit node of every interface.
#pragma once

#include "base/counter.hh"
#include "base/net/address.hh"
#include "base/result.hh"
#include "graph/node.hh"

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weft {

struct command_context;
class drop_counts;
class engine;

using interface_index = uint16_t; // from 0, never reused while the daemon runs
inline constexpr size_t max_interfaces = 256;
inline constexpr interface_index no_interface = 0xffff;

// What the forwarding path reads of an interface: half a cache line. Written by the main thread,
// each field by itself; a MAC address changes before the interface is brought up only.
struct alignas(32) interface_hot {
    std::atomic<bool> admin_up{false};
    net::mac_address mac;
    std::atomic<uint16_t> mtu{1500};        // bytes of a network-layer packet
    std::atomic<next_index> output_slot{0}; // of interface-output, to this interface's tx node
    std::atomic<next_index> input_slot{0};  // of its input nodes: ethernet-input, or worker-handoff
};

// One thread's counts for one interface: written by that thread only.
struct alignas(64) interface_counters {
    counter rx_packets, rx_bytes, tx_packets, tx_bytes, tx_full;
};
static_assert(sizeof(interface_counters) == cache_line);

struct link_status {
    bool up = false;
    uint32_t speed_mbps = 0; // 0: unknown
    bool full_duplex = true;
};

// What the driver's own statistics say of a port; names as the driver gives them.
struct driver_counter {
    std::string name;
    uint64_t value = 0;
};

// Whether what is behind an interface is there. `missing`: it was not at start, and the interface
// is optional; `gone`: it was. Either way it is opened again every few seconds, and the link is
// down until then.
enum class device_state : uint8_t { present, missing, gone };
[[nodiscard]] std::string_view to_string(device_state) noexcept;

// Packets that a device lost by itself, on their way to the graph or from it, since the daemon
// began.
struct device_losses {
    uint64_t rx_missed = 0;    // its queue was full
    uint64_t rx_errors = 0;    // damaged, or longer than a packet buffer
    uint64_t rx_no_buffer = 0; // no packet buffer was free
    uint64_t tx_errors = 0;
};

// What `show hardware` prints.
struct queue_placement {
    uint16_t queue;
    unsigned thread;
    std::string mode; // of a receive queue: its node's state; of a transmit queue: own, handed over
};
struct hardware_status {
    std::string device;
    std::string driver;
    int socket = -1;
    link_status link;
    uint16_t rx_descriptors = 0;
    uint16_t tx_descriptors = 0;
    std::vector<queue_placement> rx_queues;
    std::vector<queue_placement> tx_queues;
    std::vector<driver_counter> counters;
};

// A receive queue: the input node that polls it, and whether its device can wake a thread that
// sleeps.
struct rx_queue_input {
    uint16_t queue;
    node_id input;
    bool has_interrupt;
};
[[nodiscard]] std::vector<node_id> inputs_of(const std::vector<rx_queue_input>& queues);

// A port as its driver's room offers it. Main thread.
class interface_driver {
public:
    virtual ~interface_driver() = default;
    virtual result<void> set_admin(bool up) = 0;
    virtual result<void> set_mtu(uint16_t mtu) = 0;
    [[nodiscard]] virtual link_status link() const = 0;
    [[nodiscard]] virtual hardware_status hardware() const = 0;
    [[nodiscard]] virtual device_state state() const { return device_state::present; }
    [[nodiscard]] virtual device_losses losses() const { return {}; }
    // By queue; none before the interface is joined to the graph, or where nothing is received.
    [[nodiscard]] virtual std::vector<rx_queue_input> rx_queues() const { return {}; }
};

struct interface {
    interface_index index = no_interface;
    std::string name;
    std::unique_ptr<interface_driver> driver;
    link_status link; // as last seen
};

// A module of the engine. Main thread, but for hot() and counters().
class interface_table {
public:
    explicit interface_table(engine& engine);
    interface_table(unsigned thread_count, const drop_counts& dropped);
    ~interface_table(); // close()
    interface_table(const interface_table&) = delete;
    interface_table& operator=(const interface_table&) = delete;

    // Adds an interface, down. errc::exists, errc::exhausted.
    result<interface*> add(std::string name, std::unique_ptr<interface_driver> driver);
    [[nodiscard]] interface* find(std::string_view name) noexcept;
    [[nodiscard]] const interface* find(std::string_view name) const noexcept;
    [[nodiscard]] interface& at(interface_index index) noexcept { return *all_[index]; }
    [[nodiscard]] const interface& at(interface_index index) const noexcept { return *all_[index]; }
    [[nodiscard]] const std::vector<std::unique_ptr<interface>>& all() const noexcept
    {
        return all_;
    }

    // Through the driver to the device; observers are told.
    result<void> set_admin(interface& i, bool up);
    result<void> set_mtu(interface& i, uint16_t mtu);
    // Told of every change of state, MTU or link of an interface.
    void observe(std::function<void(const interface&)> observer);
    void notify(const interface& i) const;

    // Sum over threads since the last clear.
    struct totals {
        uint64_t rx_packets = 0, rx_bytes = 0, tx_packets = 0, tx_bytes = 0, drops = 0, tx_full = 0;
    };
    [[nodiscard]] totals count(interface_index index) const noexcept;
    // The device's own, since the last clear.
    [[nodiscard]] device_losses losses(interface_index index) const;
    void clear_counters();
    // Closes all devices; the workers have stopped.
    void close();

    // Any thread.
    [[nodiscard]] const interface_hot& hot(interface_index index) const noexcept
    {
        return hot_[index];
    }
    [[nodiscard]] interface_hot& hot(interface_index index) noexcept { return hot_[index]; }
    [[nodiscard]] interface_counters& counters(unsigned thread, interface_index index) noexcept
    {
        return counters_[thread * max_interfaces + index];
    }

private:
    [[nodiscard]] totals raw(interface_index index) const noexcept;

    std::vector<std::unique_ptr<interface>> all_;
    std::array<interface_hot, max_interfaces> hot_;
    std::unique_ptr<interface_counters[]> counters_; // by thread, then interface
    const unsigned thread_count_;
    const drop_counts& dropped_;
    std::array<totals, max_interfaces> cleared_{};
    std::array<device_losses, max_interfaces> cleared_losses_{};
    std::vector<std::function<void(const interface&)>> observers_;
};

// What a command's parameter `interface` names. Main thread. errc::not_found: "no interface
// `eth9'".
[[nodiscard]] result<interface*> interface_of(const command_context& context);

// The engine's own.
[[nodiscard]] interface_table& interfaces_of(engine& engine);

} // namespace weft
