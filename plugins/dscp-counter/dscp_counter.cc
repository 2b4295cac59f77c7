// SPDX-License-Identifier: Apache-2.0
// dscp-counter: counts the packets of each DSCP (RFC 2474) between ip4-input and ip4-lookup.
#include "dscp_counter.hh"

#include "base/net/headers.hh"
#include "graph/node_run.hh"
#include "graph/plugin.hh"

WEFT_PLUGIN("dscp-counter", "1.0.0", "Counts IPv4 packets by DSCP");

namespace dscp_counter {

namespace {

using namespace weft;

enum next : next_index { to_lookup };

// One for each thread, so that no counter has two writers.
struct context {
    explicit context(const node_setup& setup)
        : packets{setup.engine.module<counts>().of(setup.thread)},
          counted{setup.engine.module<counts>().counted()}
    {}
    counter* packets;
    const std::array<bool, max_interfaces>& counted;
};

void dscp_counter(node_run& run, frame& in) noexcept
{
    const auto& mine = run.context<context>();
    run.each(in, [&](packet& p) noexcept -> verdict {
        if (mine.counted[p.metadata().interface])
            mine.packets[p.network<net::ip4_header>().tos >> 2].add(1);
        return to_lookup;
    });
}

const node_registration registration{{
    .name = "dscp-counter",
    .function = dscp_counter,
    .nexts = {{to_lookup, "ip4-lookup"}},
    .context = context_of<context>(),
    .joined_later = true,
}};

} // namespace

} // namespace dscp_counter
