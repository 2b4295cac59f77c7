// SPDX-License-Identifier: Apache-2.0
// What a route of any address family ends in: next hops, the adjacencies that rewrite packets to
// them, and load balances that spread flows over several. All families share them.
#pragma once

#include "base/net/address.hh"
#include "base/result.hh"
#include "nodes/fib/adjacency_kind.hh"
#include "nodes/fib/vrfs.hh"
#include "nodes/interface/interface.hh"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

namespace weft {
class engine;
}

namespace weft::fib {

using adjacency_index = uint32_t;
using load_balance_index = uint32_t;
using next_hop_index = uint32_t;

// The first adjacencies and load balances stand for the kinds, by their numbers: for those that
// need no next hop.
inline constexpr uint32_t special_count = max_kinds;

// Everything that lookup and rewrite need; but for long rewrites, in one cache line. Never changed
// once a worker can see it: a change is a new adjacency, and the old one is freed after a grace
// period.
struct alignas(64) adjacency {
    static constexpr size_t max_rewrite = 96; // bytes

    adjacency_kind kind = adjacency_kind::unreachable;
    uint8_t rewrite_bytes = 0; // of the link's header, which ends where the network header begins
    bool watched = false;      // lookup notes its use
    uint8_t used = 0;          // set by workers, while it is watched: the one thing that changes
    interface_index interface = no_interface;
    uint16_t mtu = 0;
    uint16_t plain_mtu = 0; // the MTU where the rewrite is an Ethernet header alone; else 0
    next_hop_index owner = 0;
    net::ip_address next_hop; // glean: whom to ask for; none: the packet's destination
    alignas(32) std::array<std::byte, max_rewrite> rewrite{};

    // Takes over a link's header of max_rewrite bytes at most.
    void set_rewrite(std::span<const std::byte> header) noexcept;
};
static_assert(sizeof(adjacency) == 128 && offsetof(adjacency, rewrite) == 32);

// What lookup reads instead of an adjacency: its index and, in the top bit, whether it is anything
// but a rewrite that is not watched, so that a packet on its usual way leaves the adjacency to
// ip4-rewrite.
class path {
public:
    path() = default;
    path(adjacency_index index, bool usual) noexcept : bits_{index | (usual ? 0 : unusual)} {}
    [[nodiscard]] adjacency_index adjacency() const noexcept { return bits_ & index_mask; }
    // The index, once `index_mask` is put on it; without, where the path is not unusual.
    static constexpr uint32_t index_mask = 0x7fff'ffff;
    [[nodiscard]] uint32_t bits() const noexcept { return bits_; }
    [[nodiscard]] bool is_unusual() const noexcept { return (bits_ & unusual) != 0; }
    // Stands for the buckets of a load balance, of which each flow has one.
    [[nodiscard]] static path several() noexcept
    {
        path all;
        all.bits_ = ~uint32_t{0};
        return all;
    }
    [[nodiscard]] bool is_several() const noexcept { return bits_ == ~uint32_t{0}; }

private:
    static constexpr uint32_t unusual = ~index_mask;
    uint32_t bits_ = unusual; // adjacency 0, unreachable
};
using atomic_path = std::atomic<path>;
static_assert(atomic_path::is_always_lock_free);

// Several paths: `mask` is the number of buckets less one.
struct load_balance {
    atomic_path* buckets = nullptr; // none where there is one path
    uint32_t mask = 0;
};
static_assert(sizeof(load_balance) == 16);

// A next hop that routes and neighbours share: an address on an interface, or (without one,
// ip_address::none) whatever is connected to the interface. One whose network is not there yet has
// no interface and no adjacency of its own.
struct next_hop {
    interface_index interface = no_interface;
    vrf_index vrf = default_vrf; // whose networks it is on
    net::ip_address address;
    adjacency_index adjacency = 0; // special_count or above; 0 without an interface
    bool interface_up = false;     // administratively, and its link
    bool on_link = true;           // its interface has a network with it, or a route says so
    bool pinned = false;           // a route says so
    uint32_t users = 0;            // load balances and neighbours
    bool watched = false;          // whether packets go to it is noted
    std::optional<net::mac_address> mac;
    std::vector<load_balance_index> balances; // that lead here
};

// One of several paths and its share of the flows.
struct weighted_hop {
    next_hop_index hop = 0;
    uint16_t weight = 1; // 1 to 256
    auto operator<=>(const weighted_hop&) const = default;
};

// Main thread writes; workers read adjacencies() and pick().
class forwarding {
public:
    static constexpr size_t max_adjacencies = 1u << 17;
    static constexpr size_t max_load_balances = 1u << 17;
    static constexpr size_t max_paths = 64;
    static constexpr uint16_t max_weight = 256;
    static constexpr size_t max_buckets = 4096;

    explicit forwarding(engine& engine);
    ~forwarding();
    forwarding(const forwarding&) = delete;
    forwarding& operator=(const forwarding&) = delete;

    // The next hop, made if it is new; each call is balanced by a release. `no_interface`: its
    // network is not there yet.
    [[nodiscard]] result<next_hop_index>
    acquire(interface_index interface, const net::ip_address& address, vrf_index vrf = default_vrf);
    void release(next_hop_index index);
    [[nodiscard]] const next_hop& at(next_hop_index index) const { return next_hops_.at(index); }
    // The neighbour's MAC became known, changed or was lost.
    result<void> set_mac(next_hop_index index, std::optional<net::mac_address> mac);
    // From then on it is noted whether packets go to it, or no longer: that costs them a few
    // instructions.
    void watch(next_hop_index index, bool on);
    // Whether packets went to it since it is watched; true if it is not, or could not be.
    [[nodiscard]] bool used(next_hop_index index) const;
    [[nodiscard]] std::optional<next_hop_index> find(interface_index interface,
                                                     const net::ip_address& address,
                                                     vrf_index vrf = default_vrf) const;
    // Its network came or went. Without effect on one that is pinned.
    void set_on_link(next_hop_index index, bool on_link);
    // A route says that it is there, whatever networks its interface has.
    void pin(next_hop_index index);
    // Its network moved to another interface: every load balance leads there instead.
    result<void> move(next_hop_index index, interface_index to);
    // An interface's state, link or MTU changed: its adjacencies and all that use them follow. A
    // bucket stays with the path that it has while that can be used; one whose own path cannot
    // borrows another one's, and all get theirs back.
    void interface_changed(interface_index interface);
    [[nodiscard]] std::vector<next_hop_index> next_hops() const;

    // The load balance over these next hops, shared with all routes that have the same; each call
    // is balanced by a release. One that is named twice counts once.
    [[nodiscard]] result<load_balance_index> weighted_balance(std::vector<weighted_hop> hops);
    [[nodiscard]] result<load_balance_index> balance(const std::vector<next_hop_index>& hops);
    void hold_balance(load_balance_index index); // once more
    void release_balance(load_balance_index index);
    [[nodiscard]] static load_balance_index special(adjacency_kind kind) noexcept
    {
        return static_cast<load_balance_index>(kind);
    }
    [[nodiscard]] const std::vector<weighted_hop>& hops_of(load_balance_index index) const;
    [[nodiscard]] uint32_t users_of(load_balance_index index) const; // routes and other holders
    // What each bucket leads to just now.
    [[nodiscard]] std::vector<adjacency_index> buckets_of(load_balance_index index) const;
    [[nodiscard]] adjacency_index adjacency_count() const noexcept { return adjacencies_used_; }
    [[nodiscard]] std::string describe(adjacency_index index) const;
    // Whether a load balance has a path that can be used. Those without a next hop (a blackhole)
    // always have.
    [[nodiscard]] bool has_path(load_balance_index index) const noexcept
    {
        return has_path_[index] != 0;
    }
    [[nodiscard]] bool usable(const next_hop& hop) const noexcept
    {
        return hop.interface_up && hop.on_link;
    }
    // The load balances that lost their last usable path, or got the first one, since the last
    // call.
    [[nodiscard]] std::vector<load_balance_index> take_changed()
    {
        return std::exchange(changed_, {});
    }

    // Any thread.
    [[nodiscard]] const adjacency& adjacency_at(adjacency_index index) const noexcept
    {
        return adjacencies_[index];
    }
    [[nodiscard]] const load_balance& balance_at(load_balance_index index) const noexcept
    {
        return balances_[index];
    }
    void note_use(adjacency_index index) const noexcept
    {
        const std::atomic_ref used{adjacencies_[index].used};
        if (used.load(std::memory_order_relaxed) == 0)
            used.store(1, std::memory_order_relaxed);
    }
    // All of them, for loops: these do not change. The path of each load balance, or
    // path::several().
    [[nodiscard]] const atomic_path* paths() const noexcept { return paths_; }
    [[nodiscard]] const adjacency* adjacencies() const noexcept { return adjacencies_; }

private:
    static constexpr uint8_t nobody = 0xff;
    static_assert(max_paths < nobody);
    struct balance_entry {
        std::vector<weighted_hop> hops;
        uint32_t users = 0;
        std::unique_ptr<atomic_path[]> buckets;
        struct bucket {
            uint8_t own = 0;            // whose it is, by place in `hops`
            uint8_t served_by = nobody; // whose path it has just now
        };
        std::vector<bucket> shares;
    };

    [[nodiscard]] adjacency_index take_adjacency();
    void rebuild(next_hop_index index);
    void refill(load_balance_index index);
    static void share_out(balance_entry& entry);
    void serve(balance_entry& entry) const;
    [[nodiscard]] bool any_usable(const balance_entry& entry) const;
    [[nodiscard]] bool is_outdated(const next_hop& hop, next_hop_index index) const;
    void index_by_hops(load_balance_index index, const balance_entry& entry);
    void forget_hops(load_balance_index index, const balance_entry& entry);
    [[nodiscard]] path path_to(adjacency_index index) const noexcept
    {
        return {index, adjacencies_[index].kind == adjacency_kind::rewrite &&
                           !adjacencies_[index].watched};
    }
    void write(adjacency& to, const next_hop& hop, next_hop_index index) const;

    engine& engine_;
    adjacency* adjacencies_; // max_adjacencies, resident as used
    load_balance* balances_; // max_load_balances
    atomic_path* paths_;     // likewise, beside them: most packets need nothing else
    adjacency_index adjacencies_used_ = special_count;
    load_balance_index balances_used_ = special_count;
    std::vector<adjacency_index> free_adjacencies_;
    std::vector<load_balance_index> free_balances_;
    std::unordered_map<next_hop_index, next_hop> next_hops_;
    std::map<std::tuple<interface_index, vrf_index, net::ip_address>, next_hop_index> by_address_;
    next_hop_index last_next_hop_ = 0;
    std::unordered_map<load_balance_index, balance_entry> entries_;
    std::map<std::vector<weighted_hop>, load_balance_index>
        by_hops_;                   // the hops in order of their indices
    std::vector<uint8_t> has_path_; // of each load balance
    std::vector<load_balance_index> changed_;
};

} // namespace weft::fib
