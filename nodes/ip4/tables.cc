// SPDX-License-Identifier: Apache-2.0
// The IPv4 tables as the control path changes them: addresses, static routes, neighbours.
#include "nodes/ip4/ip4.hh"

#include "graph/adjacency_names.hh"

#include <algorithm>
#include <cstring>

namespace weft::ip4 {

namespace {

prefix_table make_table(engine& host)
{
    auto made = prefix_table::make(
        [&host](std::function<void()> release) { host.rcu().defer(std::move(release)); });
    if (!made)
        throw std::bad_alloc{};
    return std::move(*made);
}

struct range {
    net::ip4_prefix prefix;
    adjacency_kind kind;
    std::string_view name;
};
constexpr std::array<range, 5> special_ranges{{
    {{{0}, 8}, adjacency_kind::martian, "`this network' (0.0.0.0/8)"},
    {{{0x7f00'0000}, 8}, adjacency_kind::martian, "loopback (127.0.0.0/8)"},
    {{{0xe000'0000}, 4}, adjacency_kind::multicast, "multicast (224.0.0.0/4)"},
    {{{0xf000'0000}, 4}, adjacency_kind::martian, "reserved (240.0.0.0/4)"},
    {{{0xffff'ffff}, 32}, adjacency_kind::broadcast, "broadcast"},
}};

constexpr net::ip4_prefix host_route(net::ip4_address a)
{
    return {a, 32};
}

} // namespace

std::string_view unroutable(const net::ip4_prefix& prefix) noexcept
{
    for (const auto& r : special_ranges)
        if (r.prefix.contains(prefix))
            return r.name;
    return {};
}

own_addresses::own_addresses(std::vector<owned> all) : all_{std::move(all)}
{
    for (const auto& o : all_)
        know(o.address);
    for (const auto& o : all_)
        if (const auto network = net::ip4_interface_address{o.address, o.length}.network(); o.length < 31) {
            know(network.network);
            know(network.last());
        }
}

void own_addresses::know(net::ip4_address a) noexcept
{
    filter_[slot_of(a.value) / 32] |= 1u << slot_of(a.value) % 32;
    if (known_ < few)
        wire_[known_] = a.wire().wire();
    ++known_;
}

bool own_addresses::search_ends(net::ip4_address a) const noexcept
{
    return std::any_of(all_.begin(), all_.end(), [&](const auto& o) {
        const auto network = net::ip4_interface_address{o.address, o.length}.network();
        return o.length < 31 && (a == network.network || a == network.last());
    });
}

bool own_addresses::search(net::ip4_address a) const noexcept
{
    return std::any_of(all_.begin(), all_.end(), [&](const auto& o) { return o.address == a; });
}

bool own_addresses::on_interface(net::ip4_address a, interface_index interface) const noexcept
{
    return may_contain(a) &&
           std::any_of(all_.begin(), all_.end(), [&](const auto& o) {
               return o.address == a && o.interface == interface;
           });
}

net::ip4_address own_addresses::source_for(net::ip4_address peer,
                                           interface_index interface) const noexcept
{
    net::ip4_address first;
    for (const auto& o : all_) {
        if (o.interface != interface)
            continue;
        if (net::ip4_interface_address{o.address, o.length}.network().contains(peer))
            return o.address;
        if (first.value == 0)
            first = o.address;
    }
    return first;
}

tables::tables(engine& host)
    : host_{host}, hops_{host}, routes_{hops_, make_table(host)}, own_{new own_addresses}
{
    for (const auto& r : special_ranges)
        if (!routes_.set(r.prefix, route_source::special, forwarding::special(r.kind)))
            throw std::bad_alloc{};
    host.interfaces().observe([this](const interface& i) { hops_.interface_changed(i.index); });
    auto& names = host.room<adjacency_names>();
    names.describe = [this](uint32_t index) { return hops_.describe(index); };
    names.count = [this] { return hops_.adjacency_count(); };
}

tables::~tables()
{
    delete own_.load();
}

result<void> tables::check_address(interface_index i, const net::ip4_interface_address& a) const
{
    const std::string text = net::to_string(a);
    if (const auto name = unroutable(host_route(a.address)); !name.empty())
        return fail(errc::invalid_argument, "{} lies in {}", text, name);
    const auto network = a.network();
    if (a.length < 31 && (a.address == network.network || a.address == network.last()))
        return fail(errc::invalid_argument, "{} is the {} address of its network", text,
                    a.address == network.network ? "first" : "broadcast");
    for (const auto& o : own().all()) {
        const auto other = net::ip4_interface_address{o.address, o.length}.network();
        const auto& name = host_.interfaces().at(o.interface).name;
        if (o.address == a.address)
            return fail(errc::exists, "{} is interface {}'s address already", text, name);
        const bool same = o.interface == i && other == network;
        if (!same && (other.contains(network) || network.contains(other)))
            return fail(errc::exists, "{} overlaps {} of interface {}", text, net::to_string(other),
                        name);
    }
    return {};
}

void tables::publish_own(std::vector<own_addresses::owned> all)
{
    const auto* old = own_.exchange(new own_addresses{std::move(all)}, std::memory_order_acq_rel);
    host_.rcu().defer([old] { delete old; });
}

// The network's hosts are reached over the interface; its first and last address are nobody's.
result<void> tables::set_connected(interface_index i, const net::ip4_prefix& network)
{
    if (network.length == 32)
        return {};
    auto hop = hops_.acquire(i, {});
    if (!hop)
        return pass(hop);
    auto balance = hops_.balance({*hop});
    hops_.release(*hop);
    if (!balance)
        return pass(balance);
    if (auto done = routes_.set(network, route_source::connected, *balance); !done)
        return done;
    if (network.length >= 31)
        return {};
    for (auto address : {network.network, network.last()})
        if (auto done = routes_.set(host_route(address), route_source::connected,
                                    forwarding::special(adjacency_kind::broadcast));
            !done)
            return done;
    return {};
}

result<void> tables::add_address(interface_index i, const net::ip4_interface_address& a)
{
    if (auto good = check_address(i, a); !good)
        return good;
    auto done = set_connected(i, a.network());
    if (done)
        done = routes_.set(host_route(a.address), route_source::local,
                           forwarding::special(adjacency_kind::local));
    if (!done)
        return done;
    auto all = own().all();
    all.push_back({a.address, a.length, i});
    publish_own(std::move(all));
    relink();
    for (const auto& observer : observers_)
        observer(i, a.address, true);
    return {};
}

result<void> tables::remove_address(interface_index i, const net::ip4_interface_address& a)
{
    auto all = own().all();
    const auto count = std::erase_if(all, [&](const auto& o) {
        return o.interface == i && o.address == a.address && o.length == a.length;
    });
    if (count == 0)
        return fail(errc::not_found, "interface {} has no address {}",
                    host_.interfaces().at(i).name, net::to_string(a));
    const auto network = a.network();
    const bool shared = std::any_of(all.begin(), all.end(), [&](const auto& o) {
        return net::ip4_interface_address{o.address, o.length}.network() == network;
    });
    publish_own(std::move(all));
    auto done = routes_.remove(host_route(a.address), route_source::local);
    if (!shared && network.length < 32) {
        routes_.remove(network, route_source::connected);
        if (network.length < 31)
            for (auto address : {network.network, network.last()})
                routes_.remove(host_route(address), route_source::connected);
    }
    relink();
    for (const auto& observer : observers_)
        observer(i, a.address, false);
    return done;
}

std::vector<net::ip4_interface_address> tables::addresses_of(interface_index i) const
{
    std::vector<net::ip4_interface_address> found;
    for (const auto& o : own().all())
        if (o.interface == i)
            found.push_back({o.address, o.length});
    return found;
}

void tables::observe_addresses(address_observer observer)
{
    observers_.push_back(std::move(observer));
}

std::optional<interface_index> tables::interface_towards(net::ip4_address a) const
{
    if (own().contains(a))
        return {};
    for (const auto& o : own().all()) {
        const auto network = net::ip4_interface_address{o.address, o.length}.network();
        const bool end = o.length < 31 && (a == network.network || a == network.last());
        if (!end && network.contains(a))
            return o.interface;
    }
    return {};
}

// Next hops of static routes stay when their network goes, and are used again when it comes back.
void tables::relink()
{
    for (auto index : hops_.next_hops()) {
        const next_hop& hop = hops_.at(index);
        if (hop.address.value != 0)
            hops_.set_on_link(index, interface_towards(hop.address) == hop.interface);
    }
}

result<load_balance_index> tables::balance_via(const std::vector<net::ip4_address>& via)
{
    std::vector<next_hop_index> hops;
    result<load_balance_index> balance;
    for (auto address : via) {
        const auto interface = interface_towards(address);
        if (!interface) {
            balance = fail(errc::not_found, "next hop {} is on no connected network",
                           net::to_string(address));
            break;
        }
        auto hop = hops_.acquire(*interface, address);
        if (!hop) {
            balance = pass(hop);
            break;
        }
        hops.push_back(*hop);
    }
    if (balance)
        balance = hops_.balance(hops);
    for (auto hop : hops)
        hops_.release(hop);
    return balance;
}

result<void> tables::add_route(const net::ip4_prefix& to, const std::vector<net::ip4_address>& via)
{
    if (const auto name = unroutable(to); !name.empty())
        return fail(errc::invalid_argument, "{} lies in {} and is never routed", net::to_string(to),
                    name);
    const auto balance = balance_via(via);
    if (!balance)
        return pass(balance);
    return routes_.set(to, route_source::fixed, *balance);
}

result<void> tables::add_blackhole(const net::ip4_prefix& to)
{
    return routes_.set(to, route_source::fixed, forwarding::special(adjacency_kind::blackhole));
}

result<void> tables::remove_route(const net::ip4_prefix& to)
{
    return routes_.remove(to, route_source::fixed);
}

// The same address may have been another interface's neighbour before its network moved.
bool tables::has_neighbour_route(net::ip4_address a, next_hop_index hop) const
{
    const auto balance = routes_.find(host_route(a), route_source::neighbour);
    return balance && hops_.hops_of(*balance) == std::vector{hop};
}

result<void> tables::neighbour_up(interface_index i, net::ip4_address a, const net::mac_address& mac)
{
    if (const auto known = neighbours_.find({i, a}); known != neighbours_.end())
        return hops_.set_mac(known->second, mac);
    auto hop = hops_.acquire(i, a);
    if (!hop)
        return pass(hop);
    auto done = hops_.set_mac(*hop, mac);
    if (done) {
        if (auto balance = hops_.balance({*hop}))
            done = routes_.set(host_route(a), route_source::neighbour, *balance);
        else
            done = pass(balance);
    }
    if (done) {
        neighbours_.emplace(std::pair{i, a}, *hop);
    } else {
        hops_.set_mac(*hop, {}); // a static route may share it
        hops_.release(*hop);
    }
    return done;
}

bool tables::forwards_to(interface_index i, net::ip4_address a, const net::mac_address& mac) const noexcept
{
    const path way = hops_.paths()[table().lookup(a)].load(std::memory_order_acquire);
    if (way.is_several())
        return false;
    const adjacency& to = hops_.adjacency_at(way.adjacency());
    return to.kind == adjacency_kind::rewrite && to.interface == i && to.next_hop == a && std::memcmp(to.rewrite.data(), mac.bytes.data(), sizeof mac) == 0;
}

void tables::watch_neighbour(interface_index i, net::ip4_address a, bool on)
{
    if (const auto known = neighbours_.find({i, a}); known != neighbours_.end())
        hops_.watch(known->second, on);
}

bool tables::neighbour_used(interface_index i, net::ip4_address a) const
{
    const auto known = neighbours_.find({i, a});
    return known != neighbours_.end() && hops_.used(known->second);
}

bool tables::is_next_hop(interface_index i, net::ip4_address a) const
{
    const auto hop = hops_.find(i, a);
    if (!hop)
        return false;
    const auto& balances = hops_.at(*hop).balances;
    const uint32_t own = has_neighbour_route(a, *hop) ? 1 : 0; // of the balance with this hop alone
    return std::any_of(balances.begin(), balances.end(), [&](auto balance) {
        return hops_.hops_of(balance).size() > 1 || hops_.users_of(balance) > own;
    });
}

void tables::neighbour_down(interface_index i, net::ip4_address a)
{
    const auto known = neighbours_.find({i, a});
    if (known == neighbours_.end())
        return;
    hops_.set_mac(known->second, {});
    if (has_neighbour_route(a, known->second))
        routes_.remove(host_route(a), route_source::neighbour);
    hops_.release(known->second);
    neighbours_.erase(known);
}

} // namespace weft::ip4
