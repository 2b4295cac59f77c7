// SPDX-License-Identifier: Apache-2.0
// tx-cleanup: gives packets that were sent back to their pool where a driver would keep them until
// it sends more.
#include "drivers/dpdk/tx_cleanup.hh"

#include "graph/engine.hh"
#include "graph/node_run.hh"
#include "nodes/interface/interface.hh"

#include <algorithm>

namespace weft::drivers {

namespace {

struct context {
    explicit context(const node_setup& setup)
        : cleaner{setup.engine.module<tx_cleanup>()},
          interfaces{interfaces_of(setup.engine)},
          thread{setup.thread}
    {}
    const tx_cleanup& cleaner;
    interface_table& interfaces;
    unsigned thread;
    std::array<uint64_t, max_interfaces>
        sent{}; // by queue: what it had sent when nothing was left in it
};

// Called before its thread sleeps, and now and then while it does not. A queue is asked until
// nothing is left that could be freed, and then not before it has sent again.
uint32_t clean_queues(node_run& run) noexcept
{
    auto& ctx = run.context<context>();
    const uint32_t count = ctx.cleaner.count(ctx.thread);
    for (uint32_t i = 0; i < count; ++i) {
        const cleaned_queue& q = ctx.cleaner.at(ctx.thread, i);
        const uint16_t port = q.port->load(std::memory_order_acquire);
        if (port == 0xffff)
            continue;
        const uint64_t sent = ctx.interfaces.counters(ctx.thread, q.interface).tx_packets.get();
        if (sent == ctx.sent[i])
            continue;
        if (q.clean(port, q.queue, 0) == 0) // none is left that could be freed
            ctx.sent[i] = sent;
    }
    return 0;
}

const node_registration registration{{
    .name = "tx-cleanup",
    .type = node_type::pre_input,
    .poll = clean_queues,
    .every = 1024,
    .context = context_of<context>(),
}};

} // namespace

tx_cleanup::tx_cleanup(engine& engine)
{
    for (unsigned thread = 0; thread < engine.thread_count(); ++thread)
        lists_.push_back(std::make_unique<list>());
}

void tx_cleanup::add(unsigned thread, const cleaned_queue& queue)
{
    list& of = *lists_[thread];
    const uint32_t count = of.count.load();
    const bool known =
        std::any_of(of.queues.begin(), of.queues.begin() + count,
                    [&](const cleaned_queue& q) { return q.interface == queue.interface; });
    if (known || count == of.queues.size())
        return;
    of.queues[count] = queue;
    of.count.store(count + 1, std::memory_order_release);
}

} // namespace weft::drivers
