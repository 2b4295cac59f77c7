// SPDX-License-Identifier: Apache-2.0
// IPv4's public header: its tables as one room, and what other modules may ask of it.
#pragma once

#include "graph/engine.hh"
#include "nodes/fib/forwarding.hh"
#include "nodes/fib/neighbour_protocol.hh"
#include "nodes/fib/vrfs.hh"
#include "nodes/ip4/recursive.hh"
#include "nodes/ip4/vrf.hh"

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft::config {
class value;
}

namespace weft::ip4 {

// The address for which a packet is sent out: the next hop's, or the destination where that is
// behind the interface itself.
[[nodiscard]] inline net::ip4_address next_hop_of(const adjacency& to,
                                                  net::ip4_address destination) noexcept
{
    return to.next_hop.is_none() ? destination : to.next_hop.ip4();
}

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

// Where a static route leads. By way of an interface (`dev`) the next hop is there, whatever
// networks that has, and without an address (0.0.0.0) the packet's destination is. `device` names
// an interface that is not there: the path waits for it.
struct route_path {
    route_path(net::ip4_address next_hop, interface_index interface = no_interface,
               uint16_t its_weight = 1) // not explicit: most paths are an address alone
        : via{next_hop}, dev{interface}, weight{its_weight}
    {}
    [[nodiscard]] bool is_by_device() const noexcept
    {
        return dev != no_interface || !device.empty();
    }
    net::ip4_address via;
    interface_index dev;
    uint16_t weight; // 1 to 256: its share of the flows
    std::string device;
};

struct route_vrfs {
    vrf_index in = default_vrf;      // whose packets the route is for
    vrf_index through = default_vrf; // on whose networks its next hops are
};

// The route tables, addresses and neighbours' routes of all VRFs. Main thread, unless a member says
// otherwise.
class tables final : public vrf_user, public fib::neighbour_routes {
public:
    // For how long routes are judged anew before others get their turn, and the process that goes
    // on with it.
    static constexpr std::chrono::microseconds judging_slice{500};
    static constexpr std::string_view judging_process = "ip4-routes";

    explicit tables(engine& engine);
    // Goes on with judging routes anew; true when all VRFs' are done.
    bool judge_some(std::chrono::steady_clock::duration budget);
    // Routes that have a path again, but no memory to forward by it.
    [[nodiscard]] size_t left_out() const noexcept;
    void judge_left_out();
    ~tables() override;

    // Addresses of the router's own, in the interface's VRF. Errors: the address or an overlapping
    // network is on an interface of that VRF already; it is no unicast address, or the network's
    // own or broadcast address.
    result<void> add_address(interface_index interface, const net::ip4_interface_address& address);
    // The same for many at once; `at`: which one an error is about. Then none is there.
    result<void> add_addresses(std::span<const own_addresses::owned> some, size_t& at);
    result<void> remove_address(interface_index interface,
                                const net::ip4_interface_address& address);
    [[nodiscard]] std::vector<net::ip4_interface_address> addresses_of(interface_index i) const;
    // Told of each address that was added or removed.
    using address_observer = std::function<void(interface_index, net::ip4_address, bool added)>;
    void observe_addresses(address_observer observer);
    // The interface on which a neighbour of this address would be, whether it is up or not.
    [[nodiscard]] std::optional<interface_index>
    interface_towards(net::ip4_address a, vrf_index vrf = default_vrf) const;

    [[nodiscard]] bool is_near(interface_index i, const net::ip_address& a) const override;

    // Static routes. Adding one of the same distance and metric replaces it. Errors: a next hop
    // that nobody can have (why_no_next_hop); a prefix within the martian, loopback or multicast
    // ranges. A route waits while its next hops cannot be used, gives way to the next shorter
    // prefix, and comes back: when their interface and its link do, and wherever their network
    // does.
    result<void> add_route(const net::ip4_prefix& to, const std::vector<route_path>& via,
                           route_vrfs vrf = {}, const route_rank& rank = route_source::fixed);
    // Without a next hop: blackhole, host_unreachable or prohibited.
    result<void> add_special(const net::ip4_prefix& to, adjacency_kind kind,
                             vrf_index vrf = default_vrf,
                             const route_rank& rank = route_source::fixed);
    result<void> add_blackhole(const net::ip4_prefix& to, vrf_index vrf = default_vrf)
    {
        return add_special(to, adjacency_kind::blackhole, vrf);
    }
    // At all distances and metrics, or at one.
    result<void> remove_route(const net::ip4_prefix& to, vrf_index vrf = default_vrf,
                              const std::optional<route_rank>& rank = {});
    // The load balance over these next hops, held once for the caller. Errors as add_route's.
    // `instead_of`: as forwarding::weighted_balance's.
    [[nodiscard]] result<load_balance_index> balance_via(const std::vector<route_path>& via,
                                                         vrf_index through = default_vrf,
                                                         load_balance_index instead_of = 0);
    // Why an address is no next hop's: it is the router's own, or an end of a network; empty if it
    // may be one, now or once it has a network.
    [[nodiscard]] std::string_view why_no_next_hop(net::ip4_address a, vrf_index vrf) const;

    // A neighbour's MAC became known or changed, or is lost. It has a host route while the longest
    // other prefix that covers it is the connected network of its interface; so it waits for a
    // network that is not there.
    result<void> neighbour_up(interface_index i, const net::ip_address& a,
                              const net::mac_address& mac) override;
    void neighbour_down(interface_index i, const net::ip_address& a) override;
    void watch_neighbour(interface_index i, const net::ip_address& a, bool on) override;
    [[nodiscard]] bool neighbour_used(interface_index i, const net::ip_address& a) const override;
    [[nodiscard]] bool is_next_hop(interface_index i, const net::ip_address& a) const override;

    // An interface is being deleted: routes that name it wait for one of its name.
    void release_device(const interface& i);
    // Why a next hop is not used: link down, admin down, no connected network. Empty: it is.
    [[nodiscard]] std::string_view why_unusable(next_hop_index index) const;
    [[nodiscard]] resolver& recursive() noexcept { return recursive_; }
    [[nodiscard]] const resolver& recursive() const noexcept { return recursive_; }

    [[nodiscard]] forwarding& hops() noexcept { return hops_; }
    [[nodiscard]] route_table& routes(vrf_index vrf = default_vrf) noexcept
    {
        return vrfs_[vrf]->routes;
    }
    [[nodiscard]] const lookup_table& table(vrf_index vrf = default_vrf) const noexcept
    {
        return vrfs_[vrf]->routes.table();
    }
    [[nodiscard]] const own_addresses& own(vrf_index vrf = default_vrf) const noexcept
    {
        return vrfs_[vrf]->view.load(std::memory_order_relaxed)->own;
    }
    [[nodiscard]] bool has(vrf_index vrf) const noexcept
    {
        return vrf < vrfs_.size() && vrfs_[vrf] != nullptr;
    }
    [[nodiscard]] vrf_index vrf_of(interface_index i) const noexcept { return names_.of(i); }

    result<void> add_vrf(vrf_index vrf) override;
    [[nodiscard]] result<void> may_remove_vrf(vrf_index vrf) const override;
    [[nodiscard]] result<void> may_bind(interface_index i) const override;
    void remove_vrf(vrf_index vrf) override;
    void bind(interface_index i, vrf_index vrf) override;

    // Any thread, inside a loop.
    // The VRF of what came in by an interface.
    [[nodiscard]] const vrf_view& view_of(interface_index rx) const noexcept
    {
        return *views_[rx < max_interfaces ? rx : 0].load(std::memory_order_acquire);
    }
    // Whether there may be packets of another VRF than the default one. If not, their table is
    // default_table().
    [[nodiscard]] bool several_vrfs() const noexcept
    {
        return several_vrfs_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] const prefix_table::reader& default_table() const noexcept
    {
        return default_table_;
    }
    // Those of all VRFs: what is not among them is no VRF's.
    [[nodiscard]] const own_addresses& own_anywhere() const noexcept
    {
        return *own_.load(std::memory_order_acquire);
    }
    [[nodiscard]] const forwarding& hops() const noexcept { return hops_; }
    // Whether packets for a neighbour leave by this interface to this MAC address.
    [[nodiscard]] bool forwards_to(interface_index i, net::ip4_address a,
                                   const net::mac_address& mac) const noexcept;

private:
    using new_addresses = std::map<vrf_index, std::vector<own_addresses::owned>>;
    // All that there will be, by VRF.
    [[nodiscard]] result<new_addresses> with_addresses(std::span<const own_addresses::owned> some,
                                                       size_t& at) const;
    result<void> begin_address(const own_addresses::owned& o);
    [[nodiscard]] result<std::unique_ptr<vrf>> make_vrf(vrf_index index, lookup_table table);
    void publish(vrf& of, own_addresses own);
    void publish_own(vrf_index vrf, std::vector<own_addresses::owned> all);
    void publish_anywhere(); // after publish_own()
    result<void> set_connected(interface_index i, const net::ip4_prefix& network);
    result<void> install(const own_addresses::owned& address);
    void withdraw(const own_addresses::owned& address, std::span<const own_addresses::owned> rest);
    void interface_changed(interface_index i);
    void relink(const net::ip4_prefix& network, vrf_index vrf);
    void settle();
    void follow_changes();
    void take_up_device(interface_index i);
    void wake_judging();
    struct neighbour_hop {
        next_hop_index hop;
        bool routed; // its host route is in the table
    };
    [[nodiscard]] result<next_hop_index> hop_of(const route_path& way, vrf_index through);
    [[nodiscard]] bool is_on_connected(interface_index i, net::ip4_address a) const;
    result<void> judge_neighbour(net::ip4_address a, interface_index i, neighbour_hop& n);
    void judge_neighbours(const net::ip4_prefix& within, vrf_index vrf);

    engine& engine_;
    vrf_table& names_;
    forwarding hops_;
    resolver recursive_{*this};
    std::shared_ptr<trie_blocks> blocks_;                              // made with the first VRF
    std::vector<std::unique_ptr<vrf>> vrfs_;                           // by number
    std::array<std::atomic<const vrf_view*>, max_interfaces> views_{}; // never null
    std::atomic<bool> several_vrfs_{false};
    prefix_table::reader default_table_;
    std::atomic<const own_addresses*> own_;
    std::array<bool, max_interfaces> was_up_{};
    std::map<std::pair<net::ip4_address, interface_index>, neighbour_hop> neighbours_;
    std::vector<address_observer> observers_;
    std::set<interface_index> leaving_; // being deleted: no route is to name them again
};

// Whether a prefix lies in a range that is never routed (RFC 1812 section 5.3.7, RFC 1122
// section 3.2.1.3); the range's name, empty if not.
[[nodiscard]] std::string_view unroutable(const net::ip4_prefix& prefix) noexcept;

// Why an interface cannot have this address: it lies in such a range, or is an end of its network;
// empty if it can.
[[nodiscard]] std::string why_no_address(const net::ip4_interface_address& a);

// Why an address is no next hop's of a router with these addresses, or no neighbour's: it lies in
// such a range, is the router's own or an end of a network; empty if it may be one, now or once it
// has a network.
[[nodiscard]] std::string_view why_no_next_hop(net::ip4_address a, const own_addresses& own);

// By VRF, the router's addresses as the configuration has them. Their interfaces are numbered as
// they stand there; each VRF that an interface names is there.
[[nodiscard]] std::map<std::string, own_addresses> configured_addresses(const config::value& root);

// What a static route of type `blackhole', `unreachable' or `prohibit' does; none for other words.
[[nodiscard]] std::optional<adjacency_kind> special_route_kind(std::string_view type) noexcept;

} // namespace weft::ip4
