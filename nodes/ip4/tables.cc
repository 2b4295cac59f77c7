// SPDX-License-Identifier: Apache-2.0
// The IPv4 tables as the control path changes them: addresses, static routes, neighbours.
#include "nodes/ip4/ip4.hh"

#include "graph/adjacency_names.hh"
#include "graph/init.hh"
#include "graph/process/process.hh"
#include "nodes/interface/interface.hh"
#include "nodes/interface/link.hh"

#include <algorithm>
#include <cstring>
#include <spdlog/spdlog.h>

namespace weft::ip4 {

namespace {

prefix_table make_table(engine& engine)
{
    auto made = prefix_table::make(
        [&engine](std::function<void()> release) { engine.rcu().defer(std::move(release)); });
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

tables::tables(engine& engine)
    : engine_{engine}, hops_{engine}, routes_{hops_, make_table(engine)}, own_{new own_addresses}
{
    for (const auto& r : special_ranges)
        if (!routes_.set(r.prefix, route_source::special, forwarding::special(r.kind)))
            throw std::bad_alloc{};
    routes_.observe([this](const net::ip4_prefix& changed) { judge_neighbours(changed); });
    interfaces_of(engine).observe([this](const interface& i) { interface_changed(i.index); });
    auto& names = engine.module<adjacency_names>();
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
        const auto& name = interfaces_of(engine_).at(o.interface).name;
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
    routes_.watch_nothing();
    for (const auto& o : all)
        routes_.watch(net::ip4_interface_address{o.address, o.length}.network());
    const auto* old = own_.exchange(new own_addresses{std::move(all)}, std::memory_order_acq_rel);
    engine_.rcu().defer([old] { delete old; });
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

// The routes that an address stands for.
result<void> tables::install(const own_addresses::owned& o)
{
    auto done =
        set_connected(o.interface, net::ip4_interface_address{o.address, o.length}.network());
    if (done)
        done = routes_.set(host_route(o.address), route_source::local,
                           forwarding::special(adjacency_kind::local));
    return done;
}

// `rest`: the addresses that stay, which may share the network.
void tables::withdraw(const own_addresses::owned& o, std::span<const own_addresses::owned> rest)
{
    const auto network = net::ip4_interface_address{o.address, o.length}.network();
    routes_.remove(host_route(o.address), route_source::local);
    const bool shared = std::any_of(rest.begin(), rest.end(), [&](const auto& other) {
        return net::ip4_interface_address{other.address, other.length}.network() == network;
    });
    if (shared || network.length == 32)
        return;
    routes_.remove(network, route_source::connected);
    if (network.length < 31)
        for (auto address : {network.network, network.last()})
            routes_.remove(host_route(address), route_source::connected);
}

result<void> tables::add_address(interface_index i, const net::ip4_interface_address& a)
{
    if (auto good = check_address(i, a); !good)
        return good;
    const auto before = own().all();
    auto all = before;
    all.push_back({a.address, a.length, i});
    publish_own(all);
    relink(a.network());
    if (is_up(interfaces_of(engine_), i))
        if (auto done = install(all.back()); !done) {
            publish_own(before);
            withdraw(all.back(), before);
            relink(a.network());
            settle();
            return done;
        }
    judge_neighbours(a.network());
    settle();
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
                    interfaces_of(engine_).at(i).name, net::to_string(a));
    withdraw({a.address, a.length, i}, all);
    publish_own(std::move(all));
    relink(a.network());
    judge_neighbours(a.network());
    settle();
    for (const auto& observer : observers_)
        observer(i, a.address, false);
    return {};
}

// The routes of its addresses come and go with it; the addresses stay the router's.
void tables::interface_changed(interface_index i)
{
    const bool up = is_up(interfaces_of(engine_), i);
    hops_.interface_changed(i);
    if (std::exchange(was_up_[i], up) != up) {
        for (const auto& o : own().all()) {
            if (o.interface != i)
                continue;
            if (!up)
                withdraw(o, {});
            else if (auto done = install(o); !done)
                spdlog::error("interface {}: its address {} has no route: {}",
                              interfaces_of(engine_).at(i).name, net::to_string(o.address),
                              done.error().message);
        }
    }
    settle();
}

// The static routes whose paths came or went: most tables are done at once, a large one by the
// process `ip4-routes`.
void tables::settle()
{
    const auto changed = hops_.take_changed();
    routes_.judge_routes_over(changed);
    if (!routes_.judge_some(judging_slice))
        engine_.loop().signal(engine_.loop().find(judging_process), {});
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

// Next hops of static routes stay when their network goes, and are used again when it comes back,
// wherever that is.
void tables::relink(const net::ip4_prefix& network)
{
    for (auto index : hops_.next_hops()) {
        const next_hop& hop = hops_.at(index);
        if (hop.address.value == 0 || !network.contains(hop.address))
            continue;
        const auto where = interface_towards(hop.address);
        if (where && where != hop.interface && !hop.balances.empty() && hops_.move(index, *where))
            continue;
        hops_.set_on_link(index, where == hop.interface);
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

// RFC 1812 section 5.2.4.3: the longest match decides. What a station says of itself is no route:
// it completes the network that it is on, and overrides nothing that is more specific than that.
bool tables::is_on_connected(interface_index i, net::ip4_address a) const
{
    const auto cover = table().prefixes().covering(host_route(a));
    if (!cover)
        return false;
    const auto connected = routes_.find(cover->first, route_source::connected);
    if (connected != cover->second)
        return false;
    const auto& hops = hops_.hops_of(*connected);
    return hops.size() == 1 && hops_.at(hops.front()).interface == i;
}

result<void> tables::judge_neighbour(net::ip4_address a, interface_index i, neighbour_hop& n)
{
    const bool routed = hops_.usable(hops_.at(n.hop)) && is_on_connected(i, a);
    if (routed == n.routed)
        return {};
    if (!routed) {
        n.routed = false;
        return routes_.remove(host_route(a), route_source::neighbour);
    }
    const auto balance = hops_.balance({n.hop});
    if (!balance)
        return pass(balance);
    auto done = routes_.set(host_route(a), route_source::neighbour, *balance);
    n.routed = done.has_value();
    return done;
}

// Those that lose their route first: an address may be one interface's neighbour and then
// another's.
void tables::judge_neighbours(const net::ip4_prefix& within)
{
    for (const bool routed : {true, false})
        for (auto at = neighbours_.lower_bound({within.network, 0});
             at != neighbours_.end() && at->first.first <= within.last(); ++at)
            if (at->second.routed == routed)
                if (auto done = judge_neighbour(at->first.first, at->first.second, at->second);
                    !done)
                    spdlog::error("neighbour {}: {}", net::to_string(at->first.first),
                                  done.error().message);
}

result<void> tables::neighbour_up(interface_index i, net::ip4_address a,
                                  const net::mac_address& mac)
{
    if (const auto known = neighbours_.find({a, i}); known != neighbours_.end())
        return hops_.set_mac(known->second.hop, mac);
    auto hop = hops_.acquire(i, a);
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
    const path way = hops_.paths()[table().lookup(a)].load(std::memory_order_acquire);
    if (way.is_several())
        return false;
    const adjacency& to = hops_.adjacency_at(way.adjacency());
    return to.kind == adjacency_kind::rewrite && to.interface == i && to.next_hop == a &&
           std::memcmp(to.rewrite.data(), mac.bytes.data(), sizeof mac) == 0;
}

void tables::watch_neighbour(interface_index i, net::ip4_address a, bool on)
{
    if (const auto known = neighbours_.find({a, i}); known != neighbours_.end())
        hops_.watch(known->second.hop, on);
}

bool tables::neighbour_used(interface_index i, net::ip4_address a) const
{
    const auto known = neighbours_.find({a, i});
    return known != neighbours_.end() && hops_.used(known->second.hop);
}

bool tables::is_next_hop(interface_index i, net::ip4_address a) const
{
    const auto hop = hops_.find(i, a);
    if (!hop)
        return false;
    const auto& balances = hops_.at(*hop).balances;
    const auto known = neighbours_.find({a, i});
    const uint32_t own = known != neighbours_.end() && known->second.routed
                             ? 1
                             : 0; // of the balance with this hop alone
    return std::any_of(balances.begin(), balances.end(), [&](auto balance) {
        return hops_.hops_of(balance).size() > 1 || hops_.users_of(balance) > own;
    });
}

void tables::neighbour_down(interface_index i, net::ip4_address a)
{
    const auto known = neighbours_.find({a, i});
    if (known == neighbours_.end())
        return;
    hops_.set_mac(known->second.hop, {});
    if (known->second.routed)
        routes_.remove(host_route(a), route_source::neighbour);
    hops_.release(known->second.hop);
    neighbours_.erase(known);
}

std::string_view tables::why_unusable(const next_hop& hop) const
{
    if (hop.address.value != 0 && interface_towards(hop.address) != hop.interface)
        return own().contains(hop.address) ? "the router's own address" : "no connected network";
    if (!interfaces_of(engine_).hot(hop.interface).admin_up.load())
        return "admin down";
    return interfaces_of(engine_).at(hop.interface).link.up ? std::string_view{} : "link down";
}

namespace {

void judge_routes(process& self)
{
    auto& routes = self.engine().module<tables>().routes();
    size_t told = 0;
    while (true) {
        while (!routes.judge_some(tables::judging_slice))
            self.yield();
        if (routes.left_out() != told && routes.left_out() > 0)
            spdlog::error("{} static routes have a path again, but no memory to forward by it",
                          routes.left_out());
        told = routes.left_out();
        [[maybe_unused]] const auto woken =
            self.wait_event_or_clock(told > 0 ? 1s : duration::max());
        routes.judge_left_out();
    }
}

const process_registration judging{tables::judging_process, judge_routes, 64 * 1024,
                                   process_control::restart};

// What the interfaces' coming up left to do: the router is whole before it says so.
result<void> finish_judging(engine& engine)
{
    while (!engine.module<tables>().routes().judge_some(tables::judging_slice)) {
    }
    return {};
}

const init_registration finish{"ip4-routes", init_phase::start, finish_judging, {"interfaces-up"}};

} // namespace

} // namespace weft::ip4
