// SPDX-License-Identifier: Apache-2.0
// The interface table: name, state, MTU, MAC, counters and transmit node of every interface.
#pragma once

#include "base/counter.hh"
#include "base/net/address.hh"
#include "base/reserved_array.hh"
#include "base/result.hh"
#include "graph/node.hh"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weft {

struct command_context;
class drop_counts;
class engine;

// From 0. A deleted interface's number is used again once no packet can carry it any more.
using interface_index = uint16_t;
inline constexpr size_t max_interfaces = 16384; // at once
inline constexpr interface_index no_interface = 0xffff;
inline constexpr size_t max_interface_name = 15;  // as Linux has it for a device
inline constexpr size_t max_description = 255;    // bytes
inline constexpr size_t max_secondary_macs = 255; // of one interface: VRRP has as many routers

// A MAC address that one thread writes and any thread reads whole.
class atomic_mac {
public:
    atomic_mac& operator=(const net::mac_address& a) noexcept
    {
        uint64_t bits = 0;
        std::memcpy(&bits, a.bytes.data(), a.bytes.size());
        bits_.store(bits, std::memory_order_relaxed);
        return *this;
    }
    operator net::mac_address() const noexcept
    {
        const uint64_t bits = bits_.load(std::memory_order_relaxed);
        net::mac_address a;
        std::memcpy(a.bytes.data(), &bits, a.bytes.size());
        return a;
    }

private:
    std::atomic<uint64_t> bits_{0};
};

// MAC addresses in order, each once.
using mac_list = std::vector<net::mac_address>;

// What the forwarding path reads of an interface: half a cache line. Written by the main thread,
// each field by itself. All zero where there is no interface: down.
struct alignas(32) interface_hot {
    atomic_mac mac;
    std::atomic<bool> admin_up{false};
    std::atomic<bool> ip4_off{false};       // IPv4 packets that come in by it are dropped
    std::atomic<bool> usual{false};         // up, and nothing is off: one test for input nodes
    std::atomic<uint16_t> mtu{1500};        // bytes of a network-layer packet
    std::atomic<next_index> output_slot{0}; // of interface-output, to this interface's tx node
    std::atomic<next_index> input_slot{0};  // of its input nodes: ethernet-input, or worker-handoff
    std::atomic<interface_index> parent{no_interface}; // of a sub-interface: what it lies on
    std::atomic<uint32_t> tag{
        0}; // of a sub-interface: its frames' (nodes/interface/link_header.hh)
    std::atomic<const mac_list*> secondary_macs{nullptr}; // that are its own beside `mac`, or none

    // Main thread: each of the two is changed by these.
    void set_up(bool up) noexcept
    {
        usual.store(up && !ip4_off.load(std::memory_order_relaxed), std::memory_order_release);
        admin_up.store(up, std::memory_order_release);
    }
    void set_ip4_off(bool off) noexcept
    {
        ip4_off.store(off, std::memory_order_relaxed);
        usual.store(admin_up.load(std::memory_order_relaxed) && !off, std::memory_order_release);
    }
    // Any thread, inside a loop.
    [[nodiscard]] bool has_secondary_mac(const net::mac_address& a) const noexcept
    {
        const mac_list* const all = secondary_macs.load(std::memory_order_acquire);
        return all != nullptr && std::binary_search(all->begin(), all->end(), a);
    }
};
static_assert(sizeof(interface_hot) == 32);

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

// What one kind of interface does: a port, a sub-interface, a loopback. Main thread.
class interface_driver {
public:
    virtual ~interface_driver() = default;

    // The address that it has of its own or was given.
    [[nodiscard]] virtual net::mac_address mac(interface_index) const { return {}; }
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
    // Whether join() changes nothing in the graph.
    [[nodiscard]] virtual bool is_in_graph(engine&) const { return false; }
    // Adds its nodes to the graph, as `interface NAME'. The interface exists then. Once.
    virtual result<void> join(engine&, const std::string& /*name*/, interface_index) { return {}; }
    // The interface is being deleted: ends its processes, and closes what is behind for good. Its
    // inputs rest, and nothing that they brought in is under way.
    virtual void leave(engine&) { unplug(); }

    virtual result<void> set_admin(bool up) = 0;
    virtual result<void> set_mtu(uint16_t mtu) = 0;
    virtual result<void> set_mac(const net::mac_address&) { return {}; }
    // Lets in what is for another address too, or no more.
    virtual result<void> add_mac(const net::mac_address&) { return {}; }
    virtual void remove_mac(const net::mac_address&) {}
    // Whether what is for other stations is to come in as well. A kind that receives whatever its
    // peer sends has nothing to do.
    virtual result<void> set_promiscuous(bool) { return {}; }
    [[nodiscard]] virtual link_status link() const = 0;
    // Whether the link comes and goes by itself, so that it has to be looked at.
    [[nodiscard]] virtual bool has_carrier() const { return true; }
    // What a sub-interface lies on has changed.
    virtual void follow_parent(engine&) {}
    // Whether stations can send to its MAC address: not so for one that receives nothing, or by
    // another interface's.
    [[nodiscard]] virtual bool has_own_mac() const { return true; }
    [[nodiscard]] virtual hardware_status hardware() const = 0;
    [[nodiscard]] virtual device_state state() const { return device_state::present; }
    [[nodiscard]] virtual device_losses losses() const { return {}; }
    // By queue; none before the interface is joined to the graph, or where nothing is received.
    [[nodiscard]] virtual std::vector<rx_queue_input> rx_queues() const { return {}; }
};

struct interface {
    interface_index index = no_interface;
    std::string name;
    std::string kind;                         // "dpdk", "vlan", ...
    std::string description;                  // the operator's words
    interface_index parent = no_interface;    // of a sub-interface: what it lies on
    std::unique_ptr<interface_driver> driver; // none: it is deleted, or being closed
    link_status link;                         // as last seen
    bool promiscuous = false;
};

// A module of the engine. Main thread, but for what says otherwise.
class interface_table {
public:
    explicit interface_table(engine& engine);
    // In tests of the table alone there is no engine.
    interface_table(unsigned thread_count, const drop_counts& dropped, engine* engine = nullptr);
    ~interface_table(); // close()
    interface_table(const interface_table&) = delete;
    interface_table& operator=(const interface_table&) = delete;

    // Adds an interface, down. errc::exists, errc::exhausted.
    result<interface*> add(std::string name, std::unique_ptr<interface_driver> driver);
    [[nodiscard]] interface* find(std::string_view name) noexcept;
    [[nodiscard]] const interface* find(std::string_view name) const noexcept;
    // One that exists, or did: what is deleted keeps its name here until its number is used again.
    [[nodiscard]] interface& at(interface_index index) noexcept { return *slots_[index]; }
    [[nodiscard]] const interface& at(interface_index index) const noexcept
    {
        return *slots_[index];
    }
    // Whether at() may be asked.
    [[nodiscard]] bool knows(interface_index index) const noexcept { return index < slots_.size(); }
    // Those that exist, in order of their numbers.
    [[nodiscard]] const std::vector<interface*>& all() const noexcept { return all_; }

    // Through the driver to the device; observers are told.
    result<void> set_admin(interface& i, bool up);
    result<void> set_mtu(interface& i, uint16_t mtu);
    // Observers are told by who calls it.
    void set_mac(interface& i, const net::mac_address& mac);
    // A second unicast address of the interface's own, and no more. errc::exists, errc::exhausted,
    // errc::not_found, or what the driver says.
    result<void> add_secondary_mac(interface& i, const net::mac_address& mac);
    result<void> remove_secondary_mac(interface& i, const net::mac_address& mac);
    [[nodiscard]] mac_list secondary_macs(const interface& i) const;
    result<void> set_promiscuous(interface& i, bool on);
    // Told of every change of state, MTU, MAC address or link of an interface.
    void observe(std::function<void(const interface&)> observer);
    void notify(const interface& i) const;

    // --- deletion, which nodes/interface/lifecycle.hh carries out ---

    // Asked before an interface is deleted: an error says what needs it.
    void guard(std::function<result<void>(const interface&)> guard);
    [[nodiscard]] result<void> may_remove(const interface& i) const;
    // Told when one is being deleted, which is down then: what refers to it is to go.
    void observe_removal(std::function<void(const interface&)> observer);
    void notify_removal(const interface& i) const;
    // Takes it out of the table and returns what it was driven by. Its name is free; its number is
    // not before give_back().
    std::unique_ptr<interface_driver> remove(interface& i);
    // Told of a number that is about to be used again.
    void observe_release(std::function<void(interface_index)> observer);
    void give_back(interface_index index);

    // Sum over threads since the interface began, or the last clear.
    struct totals {
        uint64_t rx_packets = 0, rx_bytes = 0, tx_packets = 0, tx_bytes = 0, drops = 0, tx_full = 0;
    };
    [[nodiscard]] totals count(interface_index index) const noexcept;
    // The same since the daemon began: these only grow.
    [[nodiscard]] totals grown(interface_index index) const noexcept { return raw(index); }
    // The device's own, since the last clear.
    [[nodiscard]] device_losses losses(interface_index index) const;
    void clear_counters();
    // Closes all devices; the workers have stopped.
    void close();

    // Any thread, for any number.
    [[nodiscard]] const interface_hot& hot(interface_index index) const noexcept
    {
        return hot_[index];
    }
    [[nodiscard]] interface_hot& hot(interface_index index) noexcept { return hot_[index]; }
    // Any thread, for the number of an interface.
    [[nodiscard]] interface_counters& counters(unsigned thread, interface_index index) noexcept
    {
        return counters_[thread * max_interfaces + index];
    }
    // Any thread, inside a loop: the addresses by which stations reach this router.
    [[nodiscard]] const mac_list& macs() const noexcept
    {
        return *macs_.load(std::memory_order_acquire);
    }

private:
    [[nodiscard]] totals raw(interface_index index) const noexcept;
    [[nodiscard]] interface_index take_number();
    void publish_macs();
    void set_secondary_macs(interface& i, mac_list macs);
    void free_later(const mac_list* old);

    engine* const engine_;
    std::vector<std::unique_ptr<interface>> slots_; // by number
    std::vector<interface*> all_;
    std::map<std::string, interface*, std::less<>> by_name_;
    std::deque<interface_index> free_;            // longest unused first
    reserved_array<interface_hot> hot_;           // resident as used, like the counters
    reserved_array<interface_counters> counters_; // by thread, then interface
    std::atomic<const mac_list*> macs_;
    const unsigned thread_count_;
    const drop_counts& dropped_;
    std::vector<totals> cleared_; // by number, like the next
    std::vector<device_losses> cleared_losses_;
    std::vector<std::function<void(const interface&)>> observers_, removal_observers_;
    std::vector<std::function<result<void>(const interface&)>> guards_;
    std::vector<std::function<void(interface_index)>> release_observers_;
};

// What a command's parameter `interface` names. Main thread. errc::not_found: "no interface
// `eth9'".
[[nodiscard]] result<interface*> interface_of(const command_context& context);

// The engine's own.
[[nodiscard]] interface_table& interfaces_of(engine& engine);

} // namespace weft
