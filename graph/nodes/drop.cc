// SPDX-License-Identifier: Apache-2.0
// drop: where every dropped packet ends. The dropping node has counted the reason.
#include "graph/nodes/drop.hh"

#include "graph/engine.hh"
#include "graph/node_run.hh"

#include <new>

namespace weft {

drop_counts::drop_counts(engine& engine) : drop_counts{engine.thread_count()} {}

drop_counts::drop_counts(unsigned thread_count) : threads_(thread_count)
{
    for (auto& counts : threads_)
        if (!counts.map(size_t{1} << 16, 0))
            throw std::bad_alloc{};
}

uint64_t drop_counts::total(uint16_t rx_interface) const noexcept
{
    uint64_t sum = 0;
    for (const auto& counts : threads_)
        sum += counts[rx_interface].get();
    return sum;
}

namespace {

struct context {
    explicit context(const node_setup& setup)
        : counts{setup.engine.module<drop_counts>()}, thread{setup.thread}
    {}
    const drop_counts& counts;
    const unsigned thread;
};

void drop_packets(node_run& run, frame& in) noexcept
{
    auto& ctx = run.context<context>();
    run.trace(in, consumed);
    const auto count = [&](uint16_t of, uint32_t packets) noexcept {
        ctx.counts.at(ctx.thread, of).add(packets);
    };
    uint32_t counted = 0; // once for all in a row that came from one interface
    for (uint32_t i = 1; i < in.count; ++i)
        if (in.packets[i]->metadata().interface != in.packets[counted]->metadata().interface) {
            count(in.packets[counted]->metadata().interface, i - counted);
            counted = i;
        }
    count(in.packets[counted]->metadata().interface, in.count - counted);
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
