// SPDX-License-Identifier: Apache-2.0
// Reads the threads' counters twice and divides.
#include "control/show/graph_rates.hh"

#include "graph/engine.hh"

#include <algorithm>

namespace weft {

namespace {

// Counters of a node that was made anew begin at zero again.
uint64_t difference(uint64_t to, uint64_t from) noexcept
{
    return to > from ? to - from : 0;
}

} // namespace

graph_look::graph_look(engine& engine) : at_{engine.loop().now()}
{
    for (const auto& entry : engine.registry().all()) {
        if (nodes_.size() <= entry.id)
            nodes_.resize(entry.id + size_t{1}); // numbers may have gaps
        node& n = nodes_[entry.id];
        n.sent.resize(entry.nexts.size());
        for (unsigned thread = 0; thread < engine.thread_count(); ++thread) {
            const node_store* store = engine.thread(thread).store_of(entry.id);
            if (store == nullptr)
                continue;
            n.clocks += store->counters.clocks.get();
            n.packets += store->counters.vectors.get();
            for (size_t slot = 0; slot < n.sent.size(); ++slot)
                n.sent[slot] += store->sent(slot);
            for (size_t r = 0; r < store->reason_count; ++r)
                n.drops += store->reasons[r].get();
        }
    }
}

graph_rates::graph_rates(const graph_look& from, const graph_look& to)
    : seconds_{std::chrono::duration<double>(to.at_ - from.at_).count()},
      nodes_(std::min(from.nodes_.size(), to.nodes_.size()))
{
    for (size_t id = 0; id < nodes_.size(); ++id) {
        const auto& a = from.nodes_[id];
        const auto& b = to.nodes_[id];
        auto& n = nodes_[id];
        n.clocks = difference(b.clocks, a.clocks);
        n.packets = difference(b.packets, a.packets);
        n.drops = difference(b.drops, a.drops);
        n.sent.resize(std::min(a.sent.size(), b.sent.size()));
        for (size_t slot = 0; slot < n.sent.size(); ++slot)
            n.sent[slot] = difference(b.sent[slot], a.sent[slot]);
        clocks_ += n.clocks;
    }
}

double graph_rates::per_second(uint64_t count) const noexcept
{
    return seconds_ > 0 ? static_cast<double>(count) / seconds_ : 0;
}

graph_rates::node graph_rates::of(node_id id) const noexcept
{
    if (id >= nodes_.size())
        return {};
    const auto& n = nodes_[id];
    const auto clocks = static_cast<double>(n.clocks);
    return {per_second(n.packets), n.packets > 0 ? clocks / static_cast<double>(n.packets) : 0,
            clocks_ > 0 ? clocks / static_cast<double>(clocks_) : 0};
}

double graph_rates::sent(node_id id, size_t slot) const noexcept
{
    return id < nodes_.size() && slot < nodes_[id].sent.size() ? per_second(nodes_[id].sent[slot])
                                                               : 0;
}

double graph_rates::dropped(node_id id) const noexcept
{
    return id < nodes_.size() ? per_second(nodes_[id].drops) : 0;
}

} // namespace weft
