// SPDX-License-Identifier: Apache-2.0
// worker-handoff: spreads the packets of an interface over workers by their flows, before anything
// else looks at them. It stands behind the inputs of those interfaces that were told so; the others
// do not know of it.
#include "nodes/interface/worker_handoff.hh"

#include "graph/engine.hh"
#include "graph/feature_arc.hh"
#include "graph/thread/hand_over.hh"
#include "graph/thread/input_control.hh"
#include "nodes/interface/flow_hash.hh"
#include "nodes/interface/interface.hh"

#include <algorithm>
#include <new>

namespace weft::drivers {

namespace {

enum next : next_index { to_ethernet_input };
enum reasons : uint16_t { congestion };

constexpr size_t room_for_others =
    128; // in another thread's inbox: ARP, what goes to a transmit queue's owner
constexpr next_index off = 0, on = 1; // slots of the inputs

struct context {
    explicit context(const node_setup& setup)
        : table{setup.engine.module<handoff_table>()},
          engine{setup.engine},
          arc{setup.engine.module<feature_arcs>().find("device-input")},
          ethernet_input{setup.engine.registry().at(setup.id).nexts[to_ethernet_input]}
    {}
    const handoff_table& table;
    weft::engine& engine;
    // Where packets go on there: through the features of their interface if there are any.
    [[nodiscard]] node_id go_on() const noexcept
    {
        return arc == nullptr ? ethernet_input : arc->entry.load(std::memory_order_relaxed);
    }
    const feature_arcs::arc* arc;
    node_id ethernet_input;
};

void worker_handoff(node_run& run, frame& in) noexcept
{
    constexpr verdict undecided = to_ethernet_input + 1;
    auto& ctx = run.context<context>();
    const auto self = static_cast<uint16_t>(run.thread_index());
    std::array<uint16_t, vector_size> threads;
    std::array<verdict, vector_size> verdicts;
    for (uint32_t i = 0; i < in.count; ++i) {
        in.prefetch_header(i);
        const auto* workers = ctx.table.of(in.packets[i]->metadata().interface);
        threads[i] = self; // the hand-off has just been ended
        if (workers != nullptr)
            threads[i] = workers->of(workers->count == 1 ? 0 : frame_hash(*in.packets[i]));
        verdicts[i] = threads[i] == self ? verdict{to_ethernet_input} : undecided;
    }
    for (uint32_t i = 0; i < in.count; ++i)
        if (verdicts[i] == undecided) // and with it all for its thread
            hand_over_chosen(
                run, in, i, [&](uint32_t k) noexcept { return threads[k] == threads[i]; },
                {ctx.engine.thread(threads[i]), ctx.go_on(), room_for_others}, congestion,
                verdicts.data());
    run.enqueue(in, verdicts.data());
}

const node_registration registration{{
    .name = "worker-handoff",
    .function = worker_handoff,
    .nexts = {{to_ethernet_input, "ethernet-input"}},
    .reasons = {{congestion, "congestion",
                 "the worker that handles the packet's flow cannot keep up"}},
    .context = context_of<context>(),
    .joined_later = true,
}};

} // namespace

handoff_table::handoff_table(engine& engine) : engine_{engine}
{
    if (!published_.map(size_t{1} << 16, 0))
        throw std::bad_alloc{};
}

result<void> handoff_table::check(const std::vector<unsigned>& threads) const
{
    for (const unsigned thread : threads)
        if (!engine_.nodes_of(thread).take("ethernet-input"))
            return fail(errc::invalid_argument,
                        "{} cannot be handed packets: its patterns {} leave out `ethernet-input'",
                        engine_.thread(thread).name(), engine_.nodes_of(thread).text());
    return {};
}

result<void> handoff_table::set(const interface& i, std::vector<unsigned> threads, process* self)
{
    if (auto done = check(threads); !done)
        return done;
    return engine_.module<input_control>().change(inputs_of(i.driver->rx_queues()), self,
                                                  [&] { begin(i, threads); });
}

void handoff_table::begin(const interface& i, const std::vector<unsigned>& threads)
{
    std::shared_ptr<handoff_workers> fresh;
    if (!threads.empty()) {
        fresh = std::make_shared<handoff_workers>();
        fresh->count = static_cast<uint32_t>(threads.size());
        std::copy(threads.begin(), threads.end(), fresh->threads.begin());
    }
    published_[i.index].store(fresh.get(), std::memory_order_release);
    interfaces_of(engine_).hot(i.index).input_slot.store(fresh ? on : off);
    engine_.rcu().defer([old = std::exchange(owned_[i.index], fresh)] {});
}

void handoff_table::forget(interface_index of)
{
    published_[of].store(nullptr, std::memory_order_release);
    if (const auto known = owned_.find(of); known != owned_.end()) {
        engine_.rcu().defer([old = known->second] {});
        owned_.erase(known);
    }
}

std::vector<unsigned> handoff_table::workers(interface_index of) const
{
    const auto found = owned_.find(of);
    if (found == owned_.end() || !found->second)
        return {};
    const handoff_workers& all = *found->second;
    return {all.threads.begin(), all.threads.begin() + all.count};
}

} // namespace weft::drivers
