// SPDX-License-Identifier: Apache-2.0
// drop: where every dropped packet ends. The dropping node has counted the reason.
#include "graph/engine.hh"
#include "graph/node_run.hh"

namespace weft {

namespace {

struct context {
    explicit context(const node_setup& setup)
        : interfaces{setup.host.interfaces()}, thread{setup.thread}
    {
    }
    interface_table& interfaces;
    const unsigned thread;
};

void drop_packets(node_run& run, frame& in) noexcept
{
    auto& ctx = run.context<context>();
    run.trace(in, consumed);
    for (const packet* p : in.all())
        ctx.interfaces.counters(ctx.thread, p->mark().interface).drops.add(1);
    run.free(in.packets.data(), in.count);
}

const node_registration registration{{
    .name = "drop",
    .function = drop_packets,
    .context = context_of<context>(),
    .role = node_role::dropped,
    .everywhere = true,
}};

} // namespace

} // namespace weft
