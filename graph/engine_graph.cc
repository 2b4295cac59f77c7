// SPDX-License-Identifier: Apache-2.0
// How the engine changes the graph that runs, and when it forgets what was taken out of it.
#include "graph/engine.hh"

#include "graph/thread/capture_buffer.hh"

#include <algorithm>

namespace weft {

result<void> engine::publish_plans(std::string_view why)
{
    std::vector<std::unique_ptr<plan>> plans;
    for (auto& thread : threads_) {
        auto compiled = plan::compile(registry_, *thread);
        if (!compiled)
            return fail(compiled.error().code, "the graph of thread {} is not valid:\n{}",
                        thread->name(), compiled.error().message);
        plans.push_back(std::move(*compiled));
    }
    for (size_t i = 0; i < threads_.size(); ++i)
        threads_[i]->publish(std::move(plans[i]), std::string{why});
    note_removed();
    return {};
}

result<void> engine::change_graph(const std::function<result<void>(node_registry&)>& edit,
                                  std::string_view why)
{
    reclaim_graph(); // so that many changes in one go of the main thread find free numbers
    node_registry before = registry_;
    auto done = edit(registry_);
    if (done)
        done = publish_plans(why);
    if (done)
        return {};
    std::swap(registry_, before);
    forget_new_nodes(before);
    return done;
}

// Plans that were compiled but not published have made contexts of nodes that do not exist.
void engine::forget_new_nodes(const node_registry& refused)
{
    for (const auto& entry : refused.all())
        if (entry.id >= registry_.bound() || registry_.at(entry.id).removed)
            for (auto& thread : threads_)
                thread->forget(entry.id);
}

void engine::note_removed()
{
    for (const node_id id : registry_.take_removed()) {
        removed_node node{.id = id, .versions = {}, .handed = {}};
        for (const auto& thread : threads_)
            node.versions.push_back(thread->published_version());
        removed_.push_back(std::move(node));
    }
}

// Once no thread runs a plan with the node, packets may still be on their way to it between
// threads.
bool engine::is_left(removed_node& node)
{
    if (node.handed.empty()) {
        for (size_t i = 0; i < threads_.size(); ++i)
            if (!threads_[i]->has_adopted(node.versions[i]))
                return false;
        for (auto& thread : threads_) {
            thread->forget(node.id);
            node.handed.push_back(thread->handed_in());
        }
    }
    for (size_t i = 0; i < threads_.size(); ++i)
        if (!threads_[i]->has_taken(node.handed[i]))
            return false;
    return true;
}

size_t engine::reclaim_graph()
{
    size_t waiting = 0;
    for (auto& thread : threads_)
        waiting += thread->reclaim_plans();
    while (!removed_.empty() && is_left(removed_.front())) {
        const node_id id = removed_.front().id;
        removed_.pop_front();
        const bool traced = std::any_of(threads_.begin(), threads_.end(), [id](const auto& thread) {
            return thread->trace() != nullptr && thread->trace()->mentions(id);
        });
        const auto* capture = captures_.empty() ? nullptr : captures_.front();
        if (traced || (capture != nullptr &&
                       (capture->wants(id) || capture->wants(registry_.at(id).clone_of))))
            traced_.push_back(id);
        else
            release(id);
    }
    return waiting + removed_.size();
}

void engine::release(node_id id)
{
    for (const auto& observer : release_observers_)
        observer(id);
    registry_.release(id);
}

void engine::observe_release(std::function<void(node_id)> observer)
{
    release_observers_.push_back(std::move(observer));
}

} // namespace weft
