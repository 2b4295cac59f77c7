// SPDX-License-Identifier: Apache-2.0
// IPv4's public header: its tables as one room, and what other modules may ask of it.
#pragma once

#include "graph/engine.hh"
#include "nodes/ip4/forwarding.hh"
#include "nodes/ip4/routes.hh"

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <span>
#include <vector>

namespace weft::ip4 {

// The router's own addresses as the workers read them: immutable, replaced as a whole.
class own_addresses {
public:
    struct owned {
        net::ip4_address address;
        uint8_t length;
        interface_index interface;
    };

    own_addresses() = default;
    explicit own_addresses(std::vector<owned> all);

    // Most foreign addresses are told by one bit, without a search.
    [[nodiscard]] bool contains(net::ip4_address a) const noexcept
    {
        return may_contain(a) && search(a);
    }
    // Whether it is the first or the last address of a network of the router's, which no host has.
    [[nodiscard]] bool is_broadcast(net::ip4_address a) const noexcept
    {
        return may_contain(a) && search_ends(a);
    }
    // The filter by itself, for variants that test many addresses at once: where the bit slot_of(a)
    // is clear, `a` is neither.
    static constexpr size_t filter_bits = 4096; // 512 bytes: stays in the first-level cache
    template <class Word>                       // a word, or a vector of them
    [[nodiscard, gnu::always_inline]] static Word slot_of(Word address) noexcept
    {
        return (address * 0x9e37'79b1u) >> 20;
    }
    [[nodiscard]] const uint32_t* filter() const noexcept { return filter_.data(); }
    // All addresses and ends of networks, in wire order, if they are few enough to be compared one
    // by one; else empty.
    static constexpr size_t few = 12;
    [[nodiscard]] std::span<const uint32_t> few_on_wire() const noexcept
    {
        return {wire_.data(), known_ <= few ? known_ : 0};
    }
    [[nodiscard]] bool on_interface(net::ip4_address a, interface_index interface) const noexcept;
    // The address with which the router speaks to `peer` from an interface: of the peer's network
    // if it has one there, else the interface's first; 0.0.0.0 if it has none.
    [[nodiscard]] net::ip4_address source_for(net::ip4_address peer,
                                              interface_index interface) const noexcept;
    // The one with which it speaks from an interface that has none, as a router that has an
    // identifier would (RFC 1812 section 5.2.5): the first that was configured; 0.0.0.0 if there is
    // none.
    [[nodiscard]] net::ip4_address any_source() const noexcept
    {
        return all_.empty() ? net::ip4_address{} : all_.front().address;
    }
    [[nodiscard]] const std::vector<owned>& all() const noexcept { return all_; }

private:
    [[nodiscard]] bool may_contain(net::ip4_address a) const noexcept
    {
        const uint32_t slot = slot_of(a.value);
        return (filter_[slot / 32] >> slot % 32 & 1) != 0;
    }
    [[nodiscard]] bool search(net::ip4_address a) const noexcept;
    [[nodiscard]] bool search_ends(net::ip4_address a) const noexcept;
    void know(net::ip4_address a) noexcept;

    std::array<uint32_t, filter_bits / 32> filter_{};
    std::array<uint32_t, few> wire_{};
    size_t known_ = 0;       // addresses and ends
    std::vector<owned> all_; // in order of configuration
};

// Whether a route's packets are for no one host in particular, so that they are neither forwarded
// nor answered with errors (RFC 1812 section 4.3.2.7).
[[nodiscard]] inline bool is_no_host(load_balance_index route) noexcept
{
    using kind = adjacency_kind;
    return route == forwarding::special(kind::multicast) ||
           route == forwarding::special(kind::broadcast) ||
           route == forwarding::special(kind::martian);
}

// Why ip4-glean drops.
namespace glean {
enum reasons : uint16_t {
    handoff_full,
    queue_full,
    table_full,
    host_unreachable,
    no_resolver,
    forgotten,
    rate_limited,
};
} // namespace glean

// Who keeps packets while their next hop's MAC is asked for: the room that resolves neighbours.
class packet_holder {
public:
    enum class outcome { held, queue_full, table_full, unreachable };
    virtual ~packet_holder() = default;
    // Main thread. `held`: the holder has the packet, and later injects or frees it; otherwise the
    // caller still has it.
    virtual outcome hold(packet* p, net::ip4_address next_hop, interface_index interface) = 0;
};

// Main thread, unless a member says otherwise.
class tables {
public:
    // For how long routes are judged anew before others get their turn, and the process that goes
    // on with it.
    static constexpr std::chrono::microseconds judging_slice{500};
    static constexpr std::string_view judging_process = "ip4-routes";

    explicit tables(engine& engine);
    ~tables();

    // Addresses of the router's own. Errors: the address or an overlapping network is on an
    // interface already; it is no unicast address, or the network's own or broadcast address.
    result<void> add_address(interface_index interface, const net::ip4_interface_address& address);
    result<void> remove_address(interface_index interface,
                                const net::ip4_interface_address& address);
    [[nodiscard]] std::vector<net::ip4_interface_address> addresses_of(interface_index i) const;
    // Told of each address that was added or removed.
    using address_observer = std::function<void(interface_index, net::ip4_address, bool added)>;
    void observe_addresses(address_observer observer);
    // The interface on which a neighbour of this address would be, whether it is up or not.
    [[nodiscard]] std::optional<interface_index> interface_towards(net::ip4_address a) const;

    // Static routes. Adding one that exists replaces it. Errors: a next hop that is on no
    // interface's network or is the router itself; a prefix within the martian, loopback or
    // multicast ranges. A route stays when its next hops cannot be used, gives way to the next
    // shorter prefix, and comes back: when their interface and its link do, and wherever their
    // network does.
    result<void> add_route(const net::ip4_prefix& to, const std::vector<net::ip4_address>& via);
    result<void> add_blackhole(const net::ip4_prefix& to);
    result<void> remove_route(const net::ip4_prefix& to);
    // The load balance over these next hops, held once for the caller. Errors as add_route's.
    [[nodiscard]] result<load_balance_index> balance_via(const std::vector<net::ip4_address>& via);

    // A neighbour's MAC became known or changed, or is lost. It has a host route while the longest
    // other prefix that covers it is the connected network of its interface; so it waits for a
    // network that is not there.
    result<void> neighbour_up(interface_index i, net::ip4_address a, const net::mac_address& mac);
    void neighbour_down(interface_index i, net::ip4_address a);
    // From then on it is noted whether packets are forwarded to a neighbour whose MAC is known, or
    // no longer.
    void watch_neighbour(interface_index i, net::ip4_address a, bool on);
    // Whether they were since it is watched; true if it is not, false if its MAC is not known.
    [[nodiscard]] bool neighbour_used(interface_index i, net::ip4_address a) const;
    // Whether a route other than its own leads to a neighbour.
    [[nodiscard]] bool is_next_hop(interface_index i, net::ip4_address a) const;
    // Whom ip4-glean gives packets to on the main thread; null until that room exists.
    void set_holder(packet_holder* holder) noexcept { holder_ = holder; }
    [[nodiscard]] packet_holder* holder() const noexcept { return holder_; }

    // Why a next hop is not used: link down, admin down, no connected network. Empty: it is.
    [[nodiscard]] std::string_view why_unusable(const next_hop& hop) const;

    [[nodiscard]] forwarding& hops() noexcept { return hops_; }
    [[nodiscard]] route_table& routes() noexcept { return routes_; }

    // Any thread, inside a loop.
    [[nodiscard]] const own_addresses& own() const noexcept
    {
        return *own_.load(std::memory_order_acquire);
    }
    [[nodiscard]] const prefix_table& table() const noexcept { return routes_.table(); }
    [[nodiscard]] const forwarding& hops() const noexcept { return hops_; }
    // Whether packets for a neighbour leave by this interface to this MAC address.
    [[nodiscard]] bool forwards_to(interface_index i, net::ip4_address a,
                                   const net::mac_address& mac) const noexcept;

private:
    [[nodiscard]] result<void> check_address(interface_index i,
                                             const net::ip4_interface_address& a) const;
    void publish_own(std::vector<own_addresses::owned> all);
    result<void> set_connected(interface_index i, const net::ip4_prefix& network);
    result<void> install(const own_addresses::owned& address);
    void withdraw(const own_addresses::owned& address, std::span<const own_addresses::owned> rest);
    void interface_changed(interface_index i);
    void relink(const net::ip4_prefix& network);
    void settle();
    struct neighbour_hop {
        next_hop_index hop;
        bool routed; // its host route is in the table
    };
    [[nodiscard]] bool is_on_connected(interface_index i, net::ip4_address a) const;
    result<void> judge_neighbour(net::ip4_address a, interface_index i, neighbour_hop& n);
    void judge_neighbours(const net::ip4_prefix& within);

    engine& engine_;
    forwarding hops_;
    route_table routes_;
    std::atomic<const own_addresses*> own_;
    packet_holder* holder_ = nullptr;
    std::array<bool, max_interfaces> was_up_{};
    std::map<std::pair<net::ip4_address, interface_index>, neighbour_hop> neighbours_;
    std::vector<address_observer> observers_;
};

// Whether a prefix lies in a range that is never routed (RFC 1812 section 5.3.7, RFC 1122
// section 3.2.1.3); the range's name, empty if not.
[[nodiscard]] std::string_view unroutable(const net::ip4_prefix& prefix) noexcept;

} // namespace weft::ip4
