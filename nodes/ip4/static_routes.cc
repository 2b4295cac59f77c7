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
        const next_hop& hop = hops_.at(index);
        if (hop.vrf != vrf || !hop.address.is_ip4() || hop.address.is_none() ||
            !network.contains(hop.address.ip4()))
            continue;
        const auto where = interface_towards(hop.address.ip4(), vrf);
        if (where && where != hop.interface && !hop.balances.empty() && hops_.move(index, *where))
            continue;
        hops_.set_on_link(index, where == hop.interface);
    }
}

std::string_view tables::why_no_next_hop(net::ip4_address a, vrf_index vrf) const
{
    return ip4::why_no_next_hop(a, own(vrf));
}

result<next_hop_index> tables::hop_of(const route_path& way, vrf_index through)
{
    if (way.dev != no_interface && way.via.value == 0)
        return hops_.acquire(way.dev, way.via, vrf_of(way.dev));
    if (way.dev != no_interface)
        through = vrf_of(way.dev);
    if (const auto why = why_no_next_hop(way.via, through); !why.empty())
        return fail(errc::invalid_argument, "next hop {} {}", net::to_string(way.via), why);
    if (way.dev == no_interface)
        return hops_.acquire(interface_towards(way.via, through).value_or(no_interface), way.via,
                             through);
    auto hop = hops_.acquire(way.dev, way.via, through);
    if (hop)
        hops_.pin(*hop);
    return hop;
}

result<load_balance_index> tables::balance_via(const std::vector<route_path>& via,
                                               vrf_index through)
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
        balance = hops_.weighted_balance(hops);
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
        if (way.dev != no_interface && way.via.value == 0) {
            by_device = true;
            if (vrf_of(way.dev) != vrf.in)
                return fail(errc::invalid_argument,
                            "interface {} is in VRF {}; use `via' with a next hop there",
                            interfaces_of(engine_).at(way.dev).name,
                            names_.name_of(vrf_of(way.dev)));
        }
    const auto balance = balance_via(via, vrf.through);
    if (!balance)
        return pass(balance);
    if (by_device && vrfs_[vrf.in]->by_device.insert(to).second)
        routes(vrf.in).watch(to);
    return routes(vrf.in).set(to, rank, *balance);
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
    return routes(vrf).set(to, rank, forwarding::special(kind));
}

result<void> tables::remove_route(const net::ip4_prefix& to, vrf_index vrf,
                                  const std::optional<route_rank>& rank)
{
    return rank ? routes(vrf).remove(to, *rank) : routes(vrf).remove_all(to, route_source::fixed);
}

// The static routes whose paths came or went: most tables are done at once, a large one by the
// process `ip4-routes`.
void tables::settle()
{
    const auto changed = hops_.take_changed();
    for (const auto& v : vrfs_)
        if (v)
            v->routes.judge_routes_over(changed);
    if (!judge_some(judging_slice))
        engine_.loop().signal(engine_.loop().find(judging_process), {});
}

bool tables::judge_some(std::chrono::steady_clock::duration budget)
{
    using clock = std::chrono::steady_clock;
    const auto until = clock::now() + budget;
    bool done = true;
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

std::string_view tables::why_unusable(const next_hop& hop) const
{
    if (!hop.address.is_none() && !hop.pinned &&
        interface_towards(hop.address.ip4(), hop.vrf) != hop.interface)
        return own(hop.vrf).contains(hop.address.ip4()) ? "the router's own address"
                                                        : "no connected network";
    if (hop.interface == no_interface)
        return "no connected network";
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
