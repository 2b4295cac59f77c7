// SPDX-License-Identifier: Apache-2.0
// ip4-glean: takes packets whose next hop's MAC is not known to the main thread, which keeps a bounded number of
// them and asks for it.
#include "graph/engine.hh"
#include "graph/net/headers.hh"
#include "graph/node_run.hh"
#include "nodes/ip4/ip4.hh"
#include "nodes/ip4/trace.hh"

namespace weft::ip4 {

namespace {

enum next : fate { to_icmp_error };
enum reasons : uint16_t { handoff_full, queue_full, table_full, host_unreachable, no_resolver };

struct context {
    explicit context(const node_setup& setup)
        : ip4{setup.host.room<tables>()}, main{setup.host.main()}
    {
    }
    tables& ip4;
    graph_thread& main;
};

// On the main thread, which owns the neighbours.
fate hold(node_run& run, context& ctx, packet& p) noexcept
{
    using enum packet_holder::verdict;
    if (ctx.ip4.holder() == nullptr)
        return drop(no_resolver);
    const adjacency& to = ctx.ip4.hops().adjacency_at(p.mark().adjacency);
    const auto next_hop = to.next_hop.value != 0
                              ? to.next_hop
                              : net::from_wire(p.network<net::ip4_header>().destination);
    switch (ctx.ip4.holder()->hold(&p, next_hop, to.interface)) {
    case held: run.kept(p); return consumed;
    case queue_full: return drop(reasons::queue_full);
    case table_full: return drop(reasons::table_full);
    case unreachable: break;
    }
    run.count(host_unreachable);
    p.note().icmp_type = net::icmp4::unreachable;
    p.note().icmp_code = net::icmp4::host_unreachable;
    return to_icmp_error;
}

void ip4_glean(node_run& run, frame& in) noexcept
{
    auto& ctx = run.context<context>();
    if (run.thread_index() == ctx.main.index()) {
        run.each(in, [&](packet& p) noexcept { return hold(run, ctx, p); });
        return;
    }
    run.each(in, [&](packet& p) noexcept -> fate {
        return run.hand_over(p, ctx.main) ? consumed : drop(handoff_full);
    });
}

const node_registration registration{{
    .name = "ip4-glean",
    .function = ip4_glean,
    .nexts = {"ip4-icmp-error"},
    .reasons = {{"handoff_full", "the main thread is behind", severity::warning},
                {"queue_full", "enough packets wait for this neighbour already", severity::warning},
                {"table_full", "the neighbour table is full", severity::warning},
                {"host_unreachable", "the neighbour does not answer"},
                {"no_resolver", "nothing resolves neighbours"}},
    .context = context_of<context>(),
    .format_trace = trace_lookup,
}};

} // namespace

} // namespace weft::ip4
