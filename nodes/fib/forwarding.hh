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
    uint16_t plain_mtu = 0;   // the MTU where the rewrite is an Ethernet header alone; else 0
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

// Several paths: `mask` is the number of buckets less one. It only grows, and the buckets that it
// goes with are there before it is: so it is read first.
struct load_balance {
    std::atomic<atomic_path*> buckets{nullptr}; // none where there is one path
    std::atomic<uint32_t> mask{0};

    [[nodiscard, gnu::always_inline]] uint32_t bucket_of(uint32_t hash) const noexcept
    {
        return hash & mask.load(std::memory_order_acquire);
    }
    // Of a flow, where there are buckets.
    [[nodiscard, gnu::always_inline]] path of(uint32_t hash) const noexcept
    {
        const uint32_t bucket = bucket_of(hash);
        return buckets.load(std::memory_order_relaxed)[bucket].load(std::memory_order_acquire);
    }
};
static_assert(sizeof(load_balance) == 16);

// A next hop that a load balance leads to, and its share of the flows: any number, of which only
// the ratio to others' counts.
struct path_share {
    next_hop_index hop = 0;
    uint32_t weight = 1;
    auto operator<=>(const path_share&) const = default;
};
// The parts of a whole, by their weights, each divided as its list says: one list in lowest terms,
// in order of next hops, each of which it has once. Not more than `max` of them, the heaviest.
struct weighted_part {
    uint32_t weight = 1;
    std::vector<path_share> of;
};
[[nodiscard]] std::vector<path_share> combine(const std::vector<weighted_part>& parts, size_t max);

// A next hop that routes and neighbours share: an address on an interface, or (without one,
// ip_address::none) whatever is connected to the interface. One that is on no network of the
// router's has no interface and no adjacency of its own: it rests on others, which a route leads to
// it by (recursive), or waits for its network.
struct next_hop {
    interface_index interface = no_interface;
    vrf_index vrf = default_vrf; // whose networks it is on
    net::ip_address address;
    std::string device; // that a route says it is behind, while there is no such interface
    adjacency_index adjacency = 0; // special_count or above; 0 without an interface
    bool interface_up = false;     // administratively, and its link
    bool on_link = true;           // its interface has a network with it, or a route says so
    bool pinned = false;           // a route says so
    bool watched = false;          // whether packets go to it is noted
    uint32_t users = 0;            // load balances, neighbours and next hops that rest on it
    std::optional<net::mac_address> mac;
    std::vector<path_share> rests_on;         // what it comes to, if it has no interface
    std::vector<load_balance_index> named_by; // routes' load balances over it
    std::vector<load_balance_index> balances; // that lead here
};

// One of a route's several next hops and its share of the flows.
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
    // network is not there yet, or the interface `device` is not.
    [[nodiscard]] result<next_hop_index> acquire(interface_index interface,
                                                 const net::ip_address& address,
                                                 vrf_index vrf = default_vrf,
                                                 std::string_view device = {});
    void release(next_hop_index index);
    [[nodiscard]] const next_hop& at(next_hop_index index) const { return next_hops_.at(index); }
    // What is done to one may release others, which rest on it.
    [[nodiscard]] bool exists(next_hop_index index) const { return next_hops_.contains(index); }
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
    // Its network or device came or went (`no_interface`), or is another interface: every load
    // balance leads there instead, and flows stay in their buckets.
    result<void> move(next_hop_index index, interface_index to, std::string_view device = {});
    // What a next hop without an interface comes to, found anew: all load balances over it follow.
    // Nothing: it waits.
    void rest_on(next_hop_index index, std::vector<path_share> others);
    // The next hops without an interface that wait for no device; whether there are any, of a VRF
    // and from an address to another.
    [[nodiscard]] std::vector<next_hop_index> unlinked() const;
    [[nodiscard]] bool is_unlinked(next_hop_index index) const
    {
        const auto found = next_hops_.find(index);
        return found != next_hops_.end() && is_unlinked(found->second);
    }
    // Those that wait for a device.
    [[nodiscard]] std::vector<next_hop_index> behind(std::string_view device) const;
    [[nodiscard]] bool has_unlinked() const noexcept
    {
        return !by_address_.empty() && std::get<0>(by_address_.rbegin()->first) == no_interface;
    }
    [[nodiscard]] bool has_unlinked(vrf_index vrf, const net::ip_address& from,
                                    const net::ip_address& to) const;
    // An interface's state, link or MTU changed: its adjacencies and all that use them follow. A
    // bucket stays with the path that it has while that can be used; one whose own path cannot
    // borrows another one's, and all get theirs back.
    void interface_changed(interface_index interface);
    [[nodiscard]] std::vector<next_hop_index> next_hops() const;

    // The load balance over these next hops, shared with routes that have the same; each call is
    // balanced by a release. One that is named twice counts once. `instead_of`: the one that a
    // route leaves for it (0: none); a flow whose next hop both have stays with it, unless it is
    // given to one that is new.
    [[nodiscard]] result<load_balance_index> weighted_balance(std::vector<weighted_hop> hops,
                                                              load_balance_index instead_of = 0);
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
    // Whether a next hop has become usable, or is no longer, since the last call.
    [[nodiscard]] bool take_flips() noexcept { return std::exchange(flips_, false); }
    // Whether take_changed() or take_flips() has something to tell.
    [[nodiscard]] bool has_changed() const noexcept { return flips_ || !changed_.empty(); }
    [[nodiscard]] bool any_usable(const std::vector<path_share>& paths) const;
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
    // So many arrangements of the buckets over the same next hops at most; beyond that flows move.
    static constexpr size_t max_arrangements = 8;
    struct bucket_share {
        uint8_t own = nobody;       // whose it is, by place in `paths`
        uint8_t served_by = nobody; // whose path it has just now
    };
    struct balance_entry {
        std::vector<weighted_hop> hops; // as the routes name them
        std::vector<path_share> paths;  // what they come to
        uint32_t users = 0;
        std::unique_ptr<atomic_path[]> buckets;
        std::vector<bucket_share> shares; // of each bucket
    };

    [[nodiscard]] adjacency_index take_adjacency();
    static bool is_unlinked(const next_hop& hop) noexcept
    {
        return hop.interface == no_interface && hop.device.empty();
    }
    void rebuild(next_hop_index index);
    void refill(load_balance_index index);
    [[nodiscard]] std::vector<path_share> paths_of(const balance_entry& entry) const;
    void lay_out(load_balance_index index, const balance_entry& seed);
    void follow_paths(load_balance_index index);
    void publish_buckets(load_balance_index index);
    static void share_out(balance_entry& entry);
    static void inherit(balance_entry& entry, const balance_entry& from, size_t count);
    [[nodiscard]] static next_hop_index owner_of(const balance_entry& entry, size_t bucket);
    [[nodiscard]] static bool keeps_flows(const balance_entry& from, const balance_entry& to);
    [[nodiscard]] load_balance_index share_known(const std::vector<weighted_hop>& hops,
                                                 load_balance_index instead_of);
    [[nodiscard]] load_balance_index take_balance();
    void forget_paths(load_balance_index index);
    void serve(balance_entry& entry) const;
    [[nodiscard]] bool is_outdated(const next_hop& hop) const;
    void index_by_hops(load_balance_index index, const balance_entry& entry);
    void forget_hops(load_balance_index index, const balance_entry& entry);
    [[nodiscard]] path path_to(adjacency_index index) const noexcept
    {
        return {index, adjacencies_[index].kind == adjacency_kind::rewrite &&
                           !adjacencies_[index].watched};
    }
    void write(adjacency& to, const next_hop& hop) const;

    engine& engine_;
    adjacency* adjacencies_; // max_adjacencies, resident as used
    load_balance* balances_; // max_load_balances
    atomic_path* paths_;     // likewise, beside them: most packets need nothing else
    adjacency_index adjacencies_used_ = special_count;
    load_balance_index balances_used_ = special_count;
    std::vector<adjacency_index> free_adjacencies_;
    std::vector<load_balance_index> free_balances_;
    std::unordered_map<next_hop_index, next_hop> next_hops_;
    using hop_key = std::tuple<interface_index, vrf_index, net::ip_address, std::string>;
    // Those without an interface come last.
    [[nodiscard]] static hop_key no_interface_key()
    {
        return {no_interface, default_vrf, net::ip_address::lowest(), {}};
    }
    std::map<hop_key, next_hop_index> by_address_;
    next_hop_index last_next_hop_ = 0;
    std::unordered_map<load_balance_index, balance_entry> entries_;
    std::multimap<std::vector<weighted_hop>, load_balance_index>
        by_hops_;                   // the hops in order of their indices
    std::vector<uint8_t> has_path_; // of each load balance
    std::vector<load_balance_index> changed_;
    bool flips_ = false;
};

} // namespace weft::fib
