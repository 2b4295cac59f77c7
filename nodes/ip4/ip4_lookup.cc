// SPDX-License-Identifier: Apache-2.0
// ip4-lookup: finds every packet's route and adjacency.
#include "nodes/ip4/ip4_lookup.hh"

#include "nodes/ip4/trace.hh"

namespace weft::ip4 {

namespace lookup {

verdict decide(node_run& run, const context& ctx, packet& p) noexcept
{
    const forwarding& hops = ctx.ip4.hops();
    const adjacency& to = hops.adjacency_at(p.metadata().adjacency);
    const way& its = ctx.kinds.of(to.kind);
    if (its.refuses) [[unlikely]] {
        run.count(its.reason);
        p.note().error_type = net::icmp4::unreachable;
        p.note().error_code = its.icmp_code;
    }
    if (to.watched) [[unlikely]]
        hops.note_use(p.metadata().adjacency);
    return its.to;
}

} // namespace lookup

namespace {

using lookup::context;

// `table_of` gives the reader of a packet's table.
template <class TableOf>
void look_up(node_run& run, frame& in, const context& ctx, TableOf&& table_of) noexcept
{
    const forwarding& hops = ctx.ip4.hops();
    const uint64_t seed = ctx.seed();
    run.each(in, [&](packet& p) noexcept {
        const auto destination = net::from_wire(p.network<net::ip4_header>().destination);
        const path to = lookup::pick(hops, hops.paths(), table_of(p).lookup(destination), seed,
                                     [&]() noexcept { return flow_of(p); });
        p.metadata().adjacency = to.adjacency();
        return lookup::decide(run, ctx, p);
    });
}

void ip4_lookup(node_run& run, frame& in) noexcept
{
    const auto& ctx = run.context<context>();
    if (ctx.ip4.several_vrfs()) [[unlikely]] {
        look_up(run, in, ctx, [&](const packet& p) noexcept -> const table_reader& {
            return ctx.ip4.view_of(p.metadata().interface).table;
        });
        return;
    }
    const prefix_table::reader only = ctx.ip4.default_table();
    look_up(
        run, in, ctx, [&](const packet&) noexcept -> const auto& { return only; });
}

const node_registration registration{{
    .name = "ip4-lookup",
    .function = ip4_lookup,
    .nexts = {{lookup::to_rewrite, "ip4-rewrite"},
              {lookup::to_local, "ip4-local"},
              {lookup::to_glean, "ip4-glean"},
              {lookup::to_icmp_error, "ip4-icmp-error"}},
    .reasons = {{lookup::no_route, "no_route", "no route to the destination"},
                {lookup::blackhole, "blackhole", "the packet matched a blackhole route"},
                {lookup::multicast, "multicast", "the destination is a multicast address"},
                {lookup::broadcast, "broadcast", "the destination is a broadcast address"},
                {lookup::martian_destination, "martian_destination",
                 "the destination is an address that is never routed"},
                {lookup::host_unreachable, "host_unreachable",
                 "the route marks the destination as unreachable"},
                {lookup::prohibited, "prohibited",
                 "the route prohibits traffic to the destination"},
                {lookup::no_way, "no_way", "no node handles packets of the route's kind"}},
    .context = context_of<context>(),
    .format_trace = trace_lookup,
}};

} // namespace

} // namespace weft::ip4
