// SPDX-License-Identifier: Apache-2.0
// ip4-glean: takes packets whose next hop's MAC is not known to the main thread, which keeps a
// bounded number of them and asks for it.
#include "base/net/headers.hh"
#include "graph/engine.hh"
#include "graph/node_run.hh"
#include "nodes/fib/neighbours.hh"
#include "nodes/interface/interface.hh"
#include "nodes/ip4/glean_admission.hh"
#include "nodes/ip4/ip4.hh"
#include "nodes/ip4/trace.hh"

namespace weft::ip4 {

namespace {

enum next : next_index { to_icmp_error };
using namespace glean;

struct context {
    explicit context(const node_setup& setup)
        : ip4{setup.engine.module<tables>()},
          neighbours{setup.engine.module<fib::neighbour_table>()},
          interfaces{interfaces_of(setup.engine)},
          main{setup.engine.main()},
          admission{setup.engine}
    {}
    const tables& ip4;
    fib::neighbour_table& neighbours;
    const interface_table& interfaces;
    graph_thread& main;
    glean_admission admission;
};

// Says whom to ask for while the adjacency can be read: on its way to another thread the packet
// stands outside of every loop, and the adjacency may be another one by then. False if it is one
// too many; one that was aimed before has been let through then.
bool aim(node_run& run, context& ctx, packet& p) noexcept
{
    if ((p.metadata().flags & packet_metadata::aimed) != 0)
        return true;
    const adjacency& to = ctx.ip4.hops().adjacency_at(p.metadata().adjacency);
    p.note().next_hop =
        next_hop_of(to, net::from_wire(p.network<net::ip4_header>().destination)).value;
    p.note().out_interface = to.interface;
    p.metadata().flags |= packet_metadata::aimed;
    return to.interface ==
               no_interface || // only a replayed packet comes here with such an adjacency
           ctx.admission.admit(p, {p.note().next_hop}, to.interface, run.thread().time());
}

// On the main thread, which owns the neighbours.
verdict hold(node_run& run, context& ctx, packet& p) noexcept
{
    using outcome = fib::neighbour_table::outcome;
    if (!ctx.neighbours.serves(net::family::ip4))
        return drop(no_resolver);
    if (!aim(run, ctx, p))
        return drop(glean::rate_limited);
    p.metadata().flags &= static_cast<uint8_t>(~packet_metadata::aimed); // used up
    if (!ctx.interfaces.knows(p.note().out_interface))                   // as a recording may say
        return drop(no_resolver);
    switch (ctx.neighbours.hold(&p, net::ip4_address{p.note().next_hop}, p.note().out_interface)) {
    case outcome::held:
        run.kept(p);
        return consumed;
    case outcome::queue_full:
        return drop(glean::queue_full);
    case outcome::table_full:
        return drop(glean::table_full);
    case outcome::unreachable:
        break;
    }
    run.count(host_unreachable);
    p.note().error_type = net::icmp4::unreachable;
    p.note().error_code = net::icmp4::host_unreachable;
    return to_icmp_error;
}

void ip4_glean(node_run& run, frame& in) noexcept
{
    auto& ctx = run.context<context>();
    if (run.thread_index() == ctx.main.index()) {
        run.each(in, [&](packet& p) noexcept { return hold(run, ctx, p); });
        return;
    }
    run.each(in, [&](packet& p) noexcept -> verdict {
        // a scan of unused addresses must not crowd out the ARP that answers for used ones
        constexpr size_t leave = graph_thread::inbox_size / 2;
        if (!aim(run, ctx, p))
            return drop(glean::rate_limited);
        return run.hand_over(p, ctx.main, leave) ? consumed : drop(handoff_full);
    });
}

const node_registration registration{{
    .name = "ip4-glean",
    .function = ip4_glean,
    .nexts = {{to_icmp_error, "ip4-icmp-error"}},
    .reasons = {{handoff_full, "handoff_full", "the main thread cannot keep up", severity::warning},
                {queue_full, "queue_full",
                 "too many packets are already waiting for this neighbour", severity::warning},
                {table_full, "table_full", "the neighbour table is full", severity::warning},
                {host_unreachable, "host_unreachable", "the neighbour does not answer"},
                {no_resolver, "no_resolver", "no process resolves neighbours"},
                {forgotten, "forgotten",
                 "the neighbour was removed while the packet was waiting for it"},
                {rate_limited, "rate_limited",
                 "packets to unresolved neighbours above the rate limit", severity::warning}},
    .context = context_of<context>(),
    .format_trace = trace_lookup,
}};

const fib::way_registration way{adjacency_kind::glean, net::family::ip4, {.node = "ip4-glean"}};

} // namespace

} // namespace weft::ip4
