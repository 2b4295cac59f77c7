// SPDX-License-Identifier: Apache-2.0
// Static routes of all VRFs: their next hops, which follow their networks, and what became of their
// paths.
#include "graph/init.hh"
#include "graph/process/process.hh"
#include "nodes/interface/link.hh"
#include "nodes/ip4/ip4.hh"

#include <algorithm>
#include <spdlog/spdlog.h>

namespace weft::ip4 {

std::optional<adjacency_kind> special_route_kind(std::string_view type) noexcept
{
    if (type == "blackhole")
        return adjacency_kind::blackhole;
    if (type == "unreachable")
        return adjacency_kind::host_unreachable;
    if (type == "prohibit")
        return adjacency_kind::prohibited;
    return {};
}

// Next hops of static routes stay when their network goes, and are used again when it comes back,
// wherever that is.
void tables::relink(const net::ip4_prefix& network, vrf_index vrf)
{
    for (auto index : hops_.next_hops()) {
        if (!hops_.exists(index))
            continue;
        const next_hop& hop = hops_.at(index);
        if (hop.vrf != vrf || !hop.device.empty() || !hop.address.is_ip4() ||
            hop.address.is_none() || !network.contains(hop.address.ip4()))
            continue;
        const auto where = interface_towards(hop.address.ip4(), vrf);
        const bool moves = !hop.pinned && where.value_or(no_interface) != hop.interface;
        if (moves && hop.interface != no_interface) { // its neighbour's own route does not go along
            hops_.set_on_link(index, false);
            const auto n = neighbours_.find({hop.address.ip4(), hop.interface});
            if (n != neighbours_.end())
                (void)judge_neighbour(n->first.first, n->first.second, n->second);
            if (!hops_.exists(index))
                continue;
        }
        if (moves && !hop.named_by.empty() && hops_.move(index, where.value_or(no_interface)))
            continue;
        if (hops_.is_unlinked(index)) {
            recursive_.note_use();
            continue;
        }
        hops_.set_on_link(index, where == hop.interface);
    }
}

std::string_view tables::why_no_next_hop(net::ip4_address a, vrf_index vrf) const
{
    return ip4::why_no_next_hop(a, own(vrf));
}

result<next_hop_index> tables::hop_of(const route_path& way, vrf_index through)
{
    if (way.dev != no_interface)
        through = vrf_of(way.dev);
    if (way.is_by_device() && way.via.value == 0)
        return hops_.acquire(way.dev, way.via, through, way.device);
    if (const auto why = why_no_next_hop(way.via, through); !why.empty())
        return fail(errc::invalid_argument, "next hop {} {}", net::to_string(way.via), why);
    if (!way.is_by_device()) {
        auto hop = hops_.acquire(interface_towards(way.via, through).value_or(no_interface),
                                 way.via, through);
        if (hop && hops_.is_unlinked(*hop) && !recursive_.knows(*hop))
            recursive_.resolve(*hop);
        return hop;
    }
    auto hop = hops_.acquire(way.dev, way.via, through, way.device);
    if (hop && way.dev != no_interface)
        hops_.pin(*hop);
    return hop;
}

result<load_balance_index> tables::balance_via(const std::vector<route_path>& via,
                                               vrf_index through, load_balance_index instead_of)
{
    std::vector<weighted_hop> hops;
    result<load_balance_index> balance;
    for (const auto& way : via) {
        const auto hop = hop_of(way, through);
        if (!hop) {
            balance = pass(hop);
            break;
        }
        hops.push_back({*hop, way.weight});
    }
    if (balance)
        balance = hops_.weighted_balance(hops, instead_of);
    for (const auto& h : hops)
        hops_.release(h.hop);
    return balance;
}

result<void> tables::add_route(const net::ip4_prefix& to, const std::vector<route_path>& via,
                               route_vrfs vrf, const route_rank& rank)
{
    if (const auto name = unroutable(to); !name.empty())
        return fail(errc::invalid_argument, "{} is in {}, which is never routed",
                    net::to_string(to), name);
    bool by_device = false;
    for (const auto& way : via)
        if (way.is_by_device() && way.via.value == 0) {
            by_device = true;
            if (way.dev != no_interface && vrf_of(way.dev) != vrf.in)
                return fail(errc::invalid_argument,
                            "interface {} is in VRF {}; use `via' with a next hop there",
                            interfaces_of(engine_).at(way.dev).name,
                            names_.name_of(vrf_of(way.dev)));
        }
    const auto balance = balance_via(via, vrf.through, routes(vrf.in).find(to, rank).value_or(0));
    if (!balance)
        return pass(balance);
    if (by_device && vrfs_[vrf.in]->by_device.insert(to).second)
        routes(vrf.in).watch(to);
    auto done = routes(vrf.in).set(to, rank, *balance);
    follow_changes();
    return done;
}

// Of its VRF's routes alone: others wait until it is in theirs.
void tables::take_up_device(interface_index i)
{
    if (leaving_.contains(i))
        return;
    for (auto index : hops_.behind(interfaces_of(engine_).at(i).name)) {
        if (!hops_.exists(index) || hops_.at(index).vrf != vrf_of(i) ||
            hops_.at(index).named_by.empty())
            continue;
        const net::ip_address address = hops_.at(index).address;
        if (!hops_.move(index, i))
            continue;
        if (const auto hop = hops_.find(i, address, vrf_of(i)); hop && !address.is_none())
            hops_.pin(*hop);
    }
}

void tables::release_device(const interface& i)
{
    leaving_.insert(i.index);
    for (auto index : hops_.next_hops()) {
        if (!hops_.exists(index))
            continue;
        const next_hop& hop = hops_.at(index);
        if (hop.interface == i.index && !hop.named_by.empty())
            if (auto done = hops_.move(index, no_interface, i.name); !done)
                spdlog::error("interface {}: {}", i.name, done.error().message);
    }
    settle();
}

bool tables::is_near(interface_index i, const net::ip_address& of) const
{
    const net::ip4_address a = of.ip4();
    const vrf_index vrf = vrf_of(i);
    if (const auto towards = interface_towards(a, vrf))
        return *towards == i;
    if (!why_no_next_hop(a, vrf).empty())
        return false;
    const auto hop = hops_.find(i, a, vrf);
    return (hop && hops_.at(*hop).pinned) || is_on_connected(i, a);
}

result<void> tables::add_special(const net::ip4_prefix& to, adjacency_kind kind, vrf_index vrf,
                                 const route_rank& rank)
{
    auto done = routes(vrf).set(to, rank, forwarding::special(kind));
    follow_changes();
    return done;
}

result<void> tables::remove_route(const net::ip4_prefix& to, vrf_index vrf,
                                  const std::optional<route_rank>& rank)
{
    auto done =
        rank ? routes(vrf).remove(to, *rank) : routes(vrf).remove_all(to, route_source::fixed);
    follow_changes();
    return done;
}

// What the change of a route means for next hops, and for the routes over these.
void tables::follow_changes()
{
    if (recursive_.is_pending() || hops_.has_changed())
        settle();
}

// The static routes whose paths came or went: most tables are done at once, a large one by the
// process `ip4-routes`.
void tables::settle()
{
    if (!judge_some(judging_slice))
        wake_judging();
}

void tables::wake_judging()
{
    engine_.loop().signal(engine_.loop().find(judging_process), {});
}

bool tables::judge_some(std::chrono::steady_clock::duration budget)
{
    using clock = std::chrono::steady_clock;
    const auto until = clock::now() + budget;
    if (hops_.take_flips())
        recursive_.note_use();
    bool done = recursive_.resolve_some(budget);
    if (const auto changed = hops_.take_changed(); !changed.empty())
        for (const auto& v : vrfs_)
            if (v)
                v->routes.judge_routes_over(changed);
    for (const auto& v : vrfs_)
        if (v)
            done = v->routes.judge_some(until - clock::now()) && done;
    return done;
}

size_t tables::left_out() const noexcept
{
    size_t sum = 0;
    for (const auto& v : vrfs_)
        sum += v ? v->routes.left_out() : 0;
    return sum;
}

void tables::judge_left_out()
{
    for (const auto& v : vrfs_)
        if (v)
            v->routes.judge_left_out();
}

std::string_view tables::why_unusable(next_hop_index index) const
{
    const next_hop& hop = hops_.at(index);
    if (!hop.device.empty())
        return "no such interface";
    if (hops_.is_unlinked(index)) {
        if (hops_.any_usable(hop.rests_on))
            return {};
        return hop.rests_on.empty() ? recursive_.of(index).why : "no path of its route can be used";
    }
    if (!hop.address.is_none() && !hop.pinned &&
        interface_towards(hop.address.ip4(), hop.vrf) != hop.interface)
        return own(hop.vrf).contains(hop.address.ip4()) ? "the router's own address"
                                                        : "no connected network";
    if (!interfaces_of(engine_).hot(hop.interface).admin_up.load())
        return "admin down";
    return interfaces_of(engine_).at(hop.interface).link.up ? std::string_view{} : "link down";
}

namespace {

void judge_routes(process& self)
{
    auto& routes = self.engine().module<tables>();
    size_t told = 0;
    while (true) {
        while (!routes.judge_some(tables::judging_slice))
            self.yield();
        if (routes.left_out() != told && routes.left_out() > 0)
            spdlog::error(
                "{} static routes have a path again but could not be installed: out of memory",
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
    while (!engine.module<tables>().judge_some(tables::judging_slice)) {
    }
    return {};
}

const init_registration finish{"ip4-routes", init_phase::start, finish_judging, {"interfaces-up"}};

} // namespace

} // namespace weft::ip4
