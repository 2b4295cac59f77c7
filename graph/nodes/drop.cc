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
    const auto count = [&](interface_index of, uint32_t packets) noexcept {
        ctx.interfaces.counters(ctx.thread, of).drops.add(packets);
    };
    uint32_t counted = 0; // once for all in a row that came from one interface
    for (uint32_t i = 1; i < in.count; ++i)
        if (in.packets[i]->mark().interface != in.packets[counted]->mark().interface) {
            count(in.packets[counted]->mark().interface, i - counted);
            counted = i;
        }
    count(in.packets[counted]->mark().interface, in.count - counted);
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
