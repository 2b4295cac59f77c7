// SPDX-License-Identifier: Apache-2.0
// How a thread comes by its plans: what the main thread publishes, takes back and keeps of each
// node, and how the thread takes a plan up.
#include "graph/engine.hh"
#include "graph/plan.hh"
#include "graph/thread/graph_thread.hh"

#include <bit>
#include <rte_cycles.h>

namespace weft {

void graph_thread::publish(std::unique_ptr<plan> next, std::string why)
{
    next->version_ = ++versions_;
    next->why_ = std::move(why);
    std::unique_ptr<plan> old{published_.exchange(next.release(), std::memory_order_acq_rel)};
    if (old)
        retired_.push_back(std::move(old));
    wake();
}

size_t graph_thread::reclaim_plans()
{
    const uint64_t adopted = adopted_version_.load(std::memory_order_acquire);
    std::erase_if(retired_, [&](const auto& p) {
        if (p->version_ >= adopted)
            return false;
        note_pause(longest_pause_, *p);
        return true;
    });
    return retired_.size();
}

// What a thread took to take a plan up is written into that plan, so that cause and time are never
// mixed up.
change_pause graph_thread::longest_pause() const
{
    change_pause longest = longest_pause_;
    for (const auto& p : retired_)
        note_pause(longest, *p);
    if (const plan* newest = published())
        note_pause(longest, *newest);
    return longest;
}

void graph_thread::note_pause(change_pause& longest, const plan& p)
{
    if (p.pause_.get() > longest.clocks)
        longest = {p.pause_.get(), p.why_};
}

void graph_thread::clear_maxima() noexcept
{
    // The flag that every loop looks at anyway is how the thread learns of it.
    maxima_epoch_.store(maxima_epoch() + 1, std::memory_order_seq_cst);
    interrupted_.store(true, std::memory_order_seq_cst);
    wake();
}

node_store& graph_thread::store_of(const node_entry& entry)
{
    if (stores_.size() <= entry.id)
        stores_.resize(entry.id + size_t{1});
    if (!stores_[entry.id]) {
        stores_[entry.id] = std::make_unique<node_store>(engine_, index_, entry);
        stores_[entry.id]->counters.maxima_epoch.store(maxima_epoch(), std::memory_order_relaxed);
    }
    return *stores_[entry.id];
}

const node_store* graph_thread::store_of(node_id id) const noexcept
{
    return id < stores_.size() ? stores_[id].get() : nullptr;
}

void graph_thread::forget(node_id id) noexcept
{
    if (id < stores_.size())
        stores_[id].reset();
}

// Between two loops every frame is empty: those of the old plan go back to the list. What this
// takes depends on how many nodes were busy, not on how many there are.
void graph_thread::take_up(plan& next) noexcept
{
    const uint64_t begin = rte_rdtsc();
    if (plan_ != nullptr)
        stop_nodes(*plan_, &next);
    for (size_t word = 0; word < words; ++word)
        for (; opened_[word] != 0; opened_[word] &= opened_[word] - 1)
            recycle(plan_->runs()[word * 64 + std::countr_zero(opened_[word])].open_);
    keep_files(next);
    plan* old = std::exchange(plan_, &next);
    start_nodes(old, next);
    if (next.maxima_epoch_ != forgotten_epoch_)
        forget_maxima(); // nodes came back that had missed it
    adopted_version_.store(next.version_, std::memory_order_release);
    plan_changes_.add(1);
    next.pause_.set(rte_rdtsc() - begin);
}

// Whether a plan has the very node that a run of another plan is of. Not by its id alone, which may
// stand for another node by now: the counters are the node's own.
bool graph_thread::is_in(plan* p, const node_run& of) noexcept
{
    const node_run* run = p == nullptr ? nullptr : p->run_of(of.id_);
    return run != nullptr && run->counters_ == of.counters_;
}

void graph_thread::stop_nodes(plan& old, plan* next) noexcept
{
    for (auto at = old.hooked_.rbegin(); at != old.hooked_.rend(); ++at) {
        node_run& run = **at;
        if (is_in(next, run))
            continue;
        if (run.descriptor_->stop != nullptr)
            run.descriptor_->stop(run);
        run.counters_->turns.add(1);
    }
}

void graph_thread::start_nodes(plan* old, plan& next) noexcept
{
    for (node_run* run : next.hooked_) {
        if (is_in(old, *run))
            continue;
        run->counters_->turns.add(1);
        if (run->descriptor_->start != nullptr)
            run->descriptor_->start(*run);
    }
}

void graph_thread::leave_plan() noexcept
{
    if (plan_ != nullptr)
        stop_nodes(*plan_, nullptr);
    plan_ = nullptr;
}

void graph_thread::forget_maxima() noexcept
{
    const uint64_t epoch = maxima_epoch_.load(std::memory_order_seq_cst);
    for (node_run& run : plan_->runs()) {
        node_counters& counters = *run.counters_;
        if (counters.maxima_epoch.load(std::memory_order_relaxed) == epoch)
            continue;
        counters.max_clocks_calls.set(0);
        counters.max_clocks_vectors.set(0);
        counters.maxima_epoch.store(epoch, std::memory_order_release);
    }
    forgotten_epoch_ = epoch;
}

} // namespace weft
