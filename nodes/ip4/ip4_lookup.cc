// SPDX-License-Identifier: Apache-2.0
// ip4-lookup: finds every packet's route and adjacency.
#include "nodes/ip4/ip4_lookup.hh"

#include "nodes/ip4/trace.hh"

namespace weft::ip4 {

namespace lookup {

namespace {

void tell_unreachable(node_run& run, packet& p) noexcept
{
    run.count(no_route);
    p.note().icmp_type = net::icmp4::unreachable;
    p.note().icmp_code = net::icmp4::net_unreachable;
}

} // namespace

verdict decide(node_run& run, const forwarding& hops, packet& p) noexcept
{
    const adjacency& way = hops.adjacency_at(p.metadata().adjacency);
    if (way.lookup_verdict == to_icmp_error) [[unlikely]]
        tell_unreachable(run, p);
    if (way.watched) [[unlikely]]
        hops.note_use(p.metadata().adjacency);
    return way.lookup_verdict;
}

} // namespace lookup

namespace {

using lookup::context;

void ip4_lookup(node_run& run, frame& in) noexcept
{
    const tables& ip4 = run.context<context>().ip4;
    const uint64_t seed = run.context<context>().seed();
    run.each(in, [&](packet& p) noexcept {
        const auto destination = net::from_wire(p.network<net::ip4_header>().destination);
        const auto route = ip4.table().lookup(destination);
        const path way = lookup::pick(ip4.hops(), ip4.hops().paths(), route, seed,
                                      [&]() noexcept { return flow_of(p); });
        p.metadata().adjacency = way.adjacency();
        return lookup::decide(run, ip4.hops(), p);
    });
}

const node_registration registration{{
    .name = "ip4-lookup",
    .function = ip4_lookup,
    .nexts = {{lookup::to_rewrite, "ip4-rewrite"},
              {lookup::to_local, "ip4-local"},
              {lookup::to_glean, "ip4-glean"},
              {lookup::to_icmp_error, "ip4-icmp-error"}},
    .reasons = {{lookup::no_route, "no_route", "no route leads to the destination"},
                {lookup::blackhole, "blackhole", "the route says to drop"},
                {lookup::multicast, "multicast", "the destination is a multicast group"},
                {lookup::broadcast, "broadcast", "the destination is a broadcast address"},
                {lookup::martian_destination, "martian_destination",
                 "the destination is never routed"}},
    .context = context_of<context>(),
    .format_trace = trace_lookup,
}};

} // namespace

} // namespace weft::ip4
