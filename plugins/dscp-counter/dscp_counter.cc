// SPDX-License-Identifier: Apache-2.0
// dscp-counter: counts the packets of each DSCP (RFC 2474) as a feature on the arc ip4-unicast.
#include "dscp_counter.hh"

#include "base/net/headers.hh"
#include "graph/feature_arc.hh"
#include "graph/node_run.hh"
#include "graph/plugin.hh"

WEFT_PLUGIN("dscp-counter", "1.0.0", "Counts IPv4 packets by DSCP");

namespace dscp_counter {

namespace {

using namespace weft;

enum next : next_index { to_lookup }; // where features go that nothing was switched on for

// One for each thread, so that no counter has two writers.
struct context {
    explicit context(const node_setup& setup)
        : packets{setup.engine.module<counts>().of(setup.thread)},
          onward{setup.engine.module<feature_arcs>().next_of(setup.id)}
    {}
    counter* packets;
    feature_next onward; // the next feature of the packet's interface, or ip4-lookup
};

void dscp_counter(node_run& run, frame& in) noexcept
{
    const auto& mine = run.context<context>();
    run.each(in, [&](packet& p) noexcept -> verdict {
        mine.packets[p.network<net::ip4_header>().tos >> 2].add(1);
        return mine.onward.of(p);
    });
}

const node_registration registration{{
    .name = "dscp-counter",
    .function = dscp_counter,
    .nexts = {{to_lookup, "ip4-lookup"}},
    .context = context_of<context>(),
    .joined_later = true,
}};

// Switched on for interfaces: show features, set interface feature.
const feature_registration feature{"dscp-counter", "ip4-unicast"};

} // namespace

} // namespace dscp_counter
