// SPDX-License-Identifier: Apache-2.0
// tx-cleanup: gives packets that were sent back to their pool where a driver would keep them until
// it sends more.
#include "drivers/dpdk/tx_cleanup.hh"

#include "graph/engine.hh"
#include "graph/node_run.hh"
#include "nodes/interface/interface.hh"

#include <algorithm>
#include <array>

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
    std::array<uint64_t, tx_cleanup::max_queues>
        sent{}; // by place: what the queue had sent when nothing was left in it
};

// Called before its thread sleeps, and now and then while it does not. A queue is asked until
// nothing is left that could be freed, and then not before it has sent again.
uint32_t clean_queues(node_run& run) noexcept
{
    auto& ctx = run.context<context>();
    const tx_cleanup::list& queues = ctx.cleaner.of(ctx.thread);
    for (size_t i = 0; i < queues.size(); ++i) {
        const cleaned_queue& q = queues[i];
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

tx_cleanup::tx_cleanup(engine& engine) : engine_{engine}, lists_(engine.thread_count())
{
    for (auto& of : lists_)
        of.store(new list);
}

tx_cleanup::~tx_cleanup()
{
    for (auto& of : lists_)
        delete of.load();
}

void tx_cleanup::publish(unsigned thread, std::unique_ptr<const list> fresh)
{
    const list* const old = lists_[thread].exchange(fresh.release(), std::memory_order_acq_rel);
    engine_.rcu().defer([old] { delete old; });
}

void tx_cleanup::add(unsigned thread, const cleaned_queue& queue)
{
    auto fresh = std::make_unique<list>(of(thread));
    const bool known = std::any_of(fresh->begin(), fresh->end(), [&](const cleaned_queue& q) {
        return q.interface == queue.interface;
    });
    if (known || fresh->size() == max_queues)
        return;
    fresh->push_back(queue);
    publish(thread, std::move(fresh));
}

void tx_cleanup::remove(interface_index interface)
{
    for (unsigned thread = 0; thread < lists_.size(); ++thread) {
        auto fresh = std::make_unique<list>(of(thread));
        std::erase_if(*fresh, [&](const cleaned_queue& q) { return q.interface == interface; });
        publish(thread, std::move(fresh));
    }
}

} // namespace weft::drivers
