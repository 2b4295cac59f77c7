// SPDX-License-Identifier: Apache-2.0
// Reads the threads' counters.
#include "control/show/statistics.hh"

#include "graph/process_table.hh"

#include <algorithm>

namespace weft {

statistics::statistics(engine& engine) : engine_{engine}, bases_(engine.thread_count())
{
    for (auto& b : bases_)
        b.at = engine.loop().now();
    engine.observe_release([this](node_id id) { forget(id); });
}

void statistics::forget(node_id id)
{
    for (auto& b : bases_)
        b.nodes.erase(id);
    std::erase_if(looks_, [id](const auto& each) { return each.first.second == id; });
    reason_bases_.erase(reason_bases_.lower_bound(make_reason_id(id, 0)),
                        reason_bases_.upper_bound(make_reason_id(id, 0xffff)));
}

node_statistics statistics::raw(unsigned thread, node_id id) const
{
    node_statistics found{.id = id};
    if (const node_store* store = engine_.thread(thread).store_of(id)) {
        found.calls = store->counters.calls.get();
        found.vectors = store->counters.vectors.get();
        found.clocks = store->counters.clocks.get();
        if (store->counters.maxima_epoch.load(std::memory_order_acquire) ==
            engine_.thread(thread).maxima_epoch()) {
            found.max_clocks = store->counters.max_clocks_calls.get();
            found.max_clocks_vectors = store->counters.max_clocks_vectors.get();
        }
    }
    return found;
}

node_statistics statistics::since_clear(unsigned thread, node_id id) const
{
    node_statistics node = raw(thread, id);
    const auto& before = bases_[thread].nodes;
    if (const auto found = before.find(id); found != before.end()) {
        node.calls -= found->second.calls;
        node.vectors -= found->second.vectors;
        node.clocks -= found->second.clocks;
    }
    return node;
}

void statistics::add_thread(cluster_statistics& node, unsigned thread)
{
    const node_statistics counted = since_clear(thread, node.id);
    ++node.threads;
    node.calls += counted.calls;
    node.vectors += counted.vectors;
    node.clocks += counted.clocks;
    const duration now = engine_.loop().now();
    look& last = looks_.try_emplace({thread, node.id}, look{.at = bases_[thread].at}).first->second;
    const double seconds = std::chrono::duration<double>(now - last.at).count();
    if (seconds > 0) {
        node.calls_per_second += static_cast<double>(counted.calls - last.calls) / seconds;
        node.vectors_per_second += static_cast<double>(counted.vectors - last.vectors) / seconds;
    }
    if (now - last.at >= shortest_look)
        last = {now, counted.calls, counted.vectors};
}

std::vector<cluster_statistics> statistics::cluster(const std::string& nodes,
                                                    const std::string& threads)
{
    std::vector<cluster_statistics> found;
    for (const auto& entry : engine_.registry().all()) {
        if (!matches(nodes, entry.name))
            continue;
        cluster_statistics node{.id = entry.id};
        for (unsigned index = 0; index < engine_.thread_count(); ++index)
            if (matches(threads, engine_.thread(index).name()) &&
                engine_.thread(index).store_of(entry.id) != nullptr)
                add_thread(node, index);
        if (node.threads > 0)
            found.push_back(node);
    }
    std::sort(found.begin(), found.end(), [&](const auto& a, const auto& b) {
        return engine_.registry().at(a.id).name < engine_.registry().at(b.id).name;
    });
    return found;
}

thread_statistics statistics::of_thread(unsigned index) const
{
    const base& from = bases_[index];
    thread_statistics found;
    found.index = index;
    found.seconds = std::chrono::duration<double>(engine_.loop().now() - from.at).count();
    found.loops = engine_.thread(index).loops() - from.loops;
    found.entered = engine_.thread(index).entered() - from.entered;
    for (const auto& entry : engine_.registry().all()) {
        if (engine_.thread(index).store_of(entry.id) == nullptr)
            continue;
        found.nodes.push_back(since_clear(index, entry.id));
    }
    std::sort(found.nodes.begin(), found.nodes.end(), [&](const auto& a, const auto& b) {
        return engine_.registry().at(a.id).name < engine_.registry().at(b.id).name;
    });
    return found;
}

uint64_t statistics::sent(node_id id, size_t slot) const
{
    uint64_t sum = 0;
    for (unsigned thread = 0; thread < engine_.thread_count(); ++thread)
        if (const node_store* store = engine_.thread(thread).store_of(id))
            sum += store->sent(slot);
    return sum;
}

std::map<reason_id, uint64_t> statistics::raw_reasons() const
{
    std::map<reason_id, uint64_t> sums;
    for (const auto& entry : engine_.registry().all())
        for (unsigned thread = 0; thread < engine_.thread_count(); ++thread)
            if (const node_store* store = engine_.thread(thread).store_of(entry.id))
                for (uint16_t r = 0; r < store->reason_count; ++r)
                    if (const uint64_t count = store->reasons[r].get(); count > 0)
                        sums[make_reason_id(entry.id, r)] += count;
    return sums;
}

std::vector<reason_statistics> statistics::reasons() const
{
    std::vector<reason_statistics> found;
    for (auto [id, count] : raw_reasons()) {
        if (const auto before = reason_bases_.find(id); before != reason_bases_.end())
            count -= before->second;
        if (count > 0)
            found.push_back({static_cast<node_id>(id >> 16), static_cast<uint16_t>(id), count});
    }
    return found;
}

std::vector<process_status> statistics::processes() const
{
    auto all = engine_.module<process_table>().status();
    for (auto& p : all)
        // one that was started again counts from there
        if (const auto before = process_bases_.find(p.id);
            before != process_bases_.end() && before->second.starts == p.starts) {
            p.runs -= before->second.runs;
            p.suspends -= before->second.suspends;
            p.clocks -= before->second.clocks;
            p.events -= before->second.events;
        }
    return all;
}

void statistics::clear_runtime()
{
    looks_.clear(); // those of the cluster views begin with the counts
    process_bases_.clear();
    for (auto& p : engine_.module<process_table>().status())
        process_bases_.emplace(p.id, p);
    for (unsigned index = 0; index < engine_.thread_count(); ++index) {
        engine_.thread(index).clear_maxima();
        base& b = bases_[index];
        b.at = engine_.loop().now();
        b.loops = engine_.thread(index).loops();
        b.entered = engine_.thread(index).entered();
        b.nodes.clear();
        for (const auto& entry : engine_.registry().all())
            b.nodes[entry.id] = raw(index, entry.id);
    }
}

void statistics::clear_reasons()
{
    reason_bases_ = raw_reasons();
}

} // namespace weft
