// SPDX-License-Identifier: Apache-2.0
// The IPv4 tables as the control path changes them: addresses, static routes, neighbours.
#include "nodes/ip4/ip4.hh"

#include "graph/init.hh"
#include "graph/process/process.hh"
#include "nodes/interface/interface.hh"
#include "nodes/interface/link.hh"
#include "nodes/ip4/address_claims.hh"

#include <algorithm>
#include <cstring>
#include <spdlog/spdlog.h>

namespace weft::ip4 {

namespace {

constexpr net::ip4_prefix host_route(net::ip4_address a)
{
    return {a, 32};
}

} // namespace

result<tables::new_addresses> tables::with_addresses(std::span<const own_addresses::owned> some,
                                                     size_t& at) const
{
    new_addresses all;
    std::map<vrf_index, address_claims<interface_index>> claims;
    for (at = 0; at < some.size(); ++at) {
        const auto& o = some[at];
        const net::ip4_interface_address a{o.address, o.length};
        const std::string text = net::to_string(a);
        if (const auto why = why_no_address(a); !why.empty())
            return fail(errc::invalid_argument, "{} {}", text, why);
        const vrf_index vrf = vrf_of(o.interface);
        const auto [there, fresh] = all.try_emplace(vrf);
        auto& those = there->second;
        auto& taken = claims[vrf];
        if (fresh)
            those = own(vrf).all();
        for (size_t n = 0; fresh && n < those.size(); ++n)
            taken.add({those[n].address, those[n].length}, those[n].interface, n);
        if (const auto clash = taken.add(a, o.interface, those.size())) {
            const auto& other = those[clash->with];
            const auto& name = interfaces_of(engine_).at(other.interface).name;
            if (clash->same_address)
                return fail(errc::exists, "{} is already an address of interface {}", text, name);
            return fail(errc::exists, "{} overlaps {} of interface {}", text,
                        net::to_string(other.network()), name);
        }
        those.push_back(o);
    }
    return all;
}

// The network's hosts are reached over the interface; its first and last address are nobody's.
result<void> tables::set_connected(interface_index i, const net::ip4_prefix& network)
{
    if (network.length == 32)
        return {};
    auto hop = hops_.acquire(i, {}, vrf_of(i));
    if (!hop)
        return pass(hop);
    auto balance = hops_.balance({*hop});
    hops_.release(*hop);
    if (!balance)
        return pass(balance);
    auto& routes = this->routes(vrf_of(i));
    if (auto done = routes.set(network, route_source::connected, *balance); !done)
        return done;
    if (!network.has_ends())
        return {};
    for (auto address : {network.network, network.last()})
        if (auto done = routes.set(host_route(address), route_source::connected,
                                   forwarding::special(adjacency_kind::broadcast));
            !done)
            return done;
    return {};
}

// The routes that an address stands for.
result<void> tables::install(const own_addresses::owned& o)
{
    auto done = set_connected(o.interface, o.network());
    if (done)
        done = routes(vrf_of(o.interface))
                   .set(host_route(o.address), route_source::local,
                        forwarding::special(adjacency_kind::local));
    return done;
}

// `rest`: the addresses that stay, which may share the network.
void tables::withdraw(const own_addresses::owned& o, std::span<const own_addresses::owned> rest)
{
    const auto network = o.network();
    auto& routes = this->routes(vrf_of(o.interface));
    routes.remove(host_route(o.address), route_source::local);
    const bool shared = std::any_of(rest.begin(), rest.end(),
                                    [&](const auto& other) { return other.network() == network; });
    if (shared || network.length == 32)
        return;
    routes.remove(network, route_source::connected);
    if (network.has_ends())
        for (auto address : {network.network, network.last()})
            routes.remove(host_route(address), route_source::connected);
}

result<void> tables::add_address(interface_index i, const net::ip4_interface_address& a)
{
    size_t at = 0;
    const own_addresses::owned one{a.address, a.length, i};
    return add_addresses({&one, 1}, at);
}

result<void> tables::add_addresses(std::span<const own_addresses::owned> some, size_t& at)
{
    auto all = with_addresses(some, at);
    if (!all)
        return pass(all);
    for (auto& [vrf, those] : *all)
        publish_own(vrf, std::move(those));
    publish_anywhere();
    for (at = 0; at < some.size(); ++at)
        if (auto done = begin_address(some[at]); !done) {
            for (const auto& o : some)
                static_cast<void>(remove_address(o.interface, {o.address, o.length}));
            return done;
        }
    return {};
}

// One that the workers know already.
result<void> tables::begin_address(const own_addresses::owned& o)
{
    const vrf_index vrf = vrf_of(o.interface);
    const auto network = o.network();
    relink(network, vrf);
    if (is_up(interfaces_of(engine_), o.interface))
        if (auto done = install(o); !done)
            return done;
    judge_neighbours(network, vrf);
    settle();
    for (const auto& observer : observers_)
        observer(o.interface, o.address, true);
    return {};
}

result<void> tables::remove_address(interface_index i, const net::ip4_interface_address& a)
{
    const vrf_index vrf = vrf_of(i);
    auto all = own(vrf).all();
    const auto count = std::erase_if(all, [&](const auto& o) {
        return o.interface == i && o.address == a.address && o.length == a.length;
    });
    if (count == 0)
        return fail(errc::not_found, "interface {} has no address {}",
                    interfaces_of(engine_).at(i).name, net::to_string(a));
    withdraw({a.address, a.length, i}, all);
    publish_own(vrf, std::move(all));
    publish_anywhere();
    relink(a.network(), vrf);
    judge_neighbours(a.network(), vrf);
    settle();
    for (const auto& observer : observers_)
        observer(i, a.address, false);
    return {};
}

// The routes of its addresses come and go with it; the addresses stay the router's.
void tables::interface_changed(interface_index i)
{
    const bool up = is_up(interfaces_of(engine_), i);
    take_up_device(i);
    hops_.interface_changed(i);
    if (std::exchange(was_up_[i], up) != up) {
        for (const auto& o : own(vrf_of(i)).of(i)) {
            if (!up)
                withdraw(o, {});
            else if (auto done = install(o); !done)
                spdlog::error("interface {}: no route to its address {}: {}",
                              interfaces_of(engine_).at(i).name, net::to_string(o.address),
                              done.error().message);
        }
    }
    settle();
}

std::vector<net::ip4_interface_address> tables::addresses_of(interface_index i) const
{
    std::vector<net::ip4_interface_address> found;
    for (const auto& o : own(vrf_of(i)).of(i))
        found.push_back({o.address, o.length});
    return found;
}

void tables::observe_addresses(address_observer observer)
{
    observers_.push_back(std::move(observer));
}

std::optional<interface_index> tables::interface_towards(net::ip4_address a, vrf_index vrf) const
{
    return own(vrf).interface_towards(a);
}

// RFC 1812 section 5.2.4.3: the longest match decides. What a station says of itself is no route:
// it completes the network that it is on (or what a `dev' route says is there), and overrides
// nothing that is more specific than that.
bool tables::is_on_connected(interface_index i, net::ip4_address a) const
{
    const auto cover = table(vrf_of(i)).prefixes().covering(host_route(a));
    if (!cover)
        return false;
    const auto& hops = hops_.hops_of(cover->second);
    if (hops.size() != 1)
        return false;
    const next_hop& hop = hops_.at(hops.front().hop);
    return hop.interface == i && hop.address.is_none();
}

// In the VRF that its interface was in when it became known.
result<void> tables::judge_neighbour(net::ip4_address a, interface_index i, neighbour_hop& n)
{
    const next_hop& hop = hops_.at(n.hop);
    const bool routed = hops_.usable(hop) && is_on_connected(i, a);
    if (routed == n.routed)
        return {};
    if (!routed) {
        n.routed = false;
        return routes(hop.vrf).remove(host_route(a), route_source::neighbour);
    }
    const auto balance = hops_.balance({n.hop});
    if (!balance)
        return pass(balance);
    auto done = routes(hop.vrf).set(host_route(a), route_source::neighbour, *balance);
    n.routed = done.has_value();
    return done;
}

// Those that lose their route first: an address may be one interface's neighbour and then
// another's.
void tables::judge_neighbours(const net::ip4_prefix& within, vrf_index vrf)
{
    for (const bool routed : {true, false})
        for (auto at = neighbours_.lower_bound({within.network, 0});
             at != neighbours_.end() && at->first.first <= within.last(); ++at)
            if (at->second.routed == routed && vrf_of(at->first.second) == vrf)
                if (auto done = judge_neighbour(at->first.first, at->first.second, at->second);
                    !done)
                    spdlog::error("neighbour {}: {}", net::to_string(at->first.first),
                                  done.error().message);
}

result<void> tables::neighbour_up(interface_index i, const net::ip_address& of,
                                  const net::mac_address& mac)
{
    const net::ip4_address a = of.ip4();
    if (const auto known = neighbours_.find({a, i}); known != neighbours_.end())
        return hops_.set_mac(known->second.hop, mac);
    auto hop = hops_.acquire(i, a, vrf_of(i));
    if (!hop)
        return pass(hop);
    neighbour_hop made{*hop, false};
    auto done = hops_.set_mac(*hop, mac);
    if (done)
        done = judge_neighbour(a, i, made);
    if (done) {
        neighbours_.emplace(std::pair{a, i}, made);
    } else {
        hops_.set_mac(*hop, {}); // a static route may share it
        hops_.release(*hop);
    }
    return done;
}

bool tables::forwards_to(interface_index i, net::ip4_address a,
                         const net::mac_address& mac) const noexcept
{
    const path way = hops_.paths()[view_of(i).table.lookup(a)].load(std::memory_order_acquire);
    if (way.is_several())
        return false;
    const adjacency& to = hops_.adjacency_at(way.adjacency());
    return to.kind == adjacency_kind::rewrite && to.interface == i && to.next_hop == a &&
           std::memcmp(to.rewrite.data(), mac.bytes.data(), sizeof mac) == 0;
}

void tables::watch_neighbour(interface_index i, const net::ip_address& a, bool on)
{
    if (const auto known = neighbours_.find({a.ip4(), i}); known != neighbours_.end())
        hops_.watch(known->second.hop, on);
}

bool tables::neighbour_used(interface_index i, const net::ip_address& a) const
{
    const auto known = neighbours_.find({a.ip4(), i});
    return known != neighbours_.end() && hops_.used(known->second.hop);
}

bool tables::is_next_hop(interface_index i, const net::ip_address& a) const
{
    const auto hop = hops_.find(i, a, vrf_of(i));
    if (!hop)
        return false;
    const auto& balances = hops_.at(*hop).balances;
    const auto known = neighbours_.find({a.ip4(), i});
    const uint32_t own = known != neighbours_.end() && known->second.routed
                             ? 1
                             : 0; // of the balance with this hop alone
    return std::any_of(balances.begin(), balances.end(), [&](auto balance) {
        const auto& hops = hops_.hops_of(balance);
        return hops.size() > 1 || hops.front().hop != *hop || hops_.users_of(balance) > own;
    });
}

void tables::neighbour_down(interface_index i, const net::ip_address& of)
{
    const net::ip4_address a = of.ip4();
    const auto known = neighbours_.find({a, i});
    if (known == neighbours_.end())
        return;
    hops_.set_mac(known->second.hop, {});
    if (known->second.routed)
        routes(hops_.at(known->second.hop).vrf).remove(host_route(a), route_source::neighbour);
    hops_.release(known->second.hop);
    neighbours_.erase(known);
}

} // namespace weft::ip4
