// SPDX-License-Identifier: Apache-2.0
// Compiles the graph for a thread: validates, ranks topologically, resolves slots to node runs.
#include "graph/plan.hh"

#include "graph/engine.hh"

#include <algorithm>
#include <bit>
#include <fmt/ranges.h>
#include <map>
#include <numeric>
#include <set>

namespace weft {

node_store::node_store(engine& engine, unsigned thread, const node_entry& entry)
    : reasons{entry.descriptor->reasons.size() + 1}, // an array of none has no data()
      reason_count{entry.descriptor->reasons.size()},
      name{entry.name},
      type_{entry.descriptor->context}
{
    if (type_.make == nullptr)
        return;
    // whole cache lines, so that two threads never write one
    const size_t alignment = std::max<size_t>(type_.alignment, cache_line);
    const size_t size = (type_.size + alignment - 1) / alignment * alignment;
    context = std::aligned_alloc(alignment, size);
    if (context == nullptr)
        throw std::bad_alloc{};
    type_.make(context, node_setup{engine, thread, entry.id, entry.name, entry.argument});
}

node_store::~node_store()
{
    if (context == nullptr)
        return;
    type_.destroy(context);
    std::free(context);
}

counter* node_store::sent_for(size_t slots)
{
    if (sent_.empty() || sent_.back().slots < slots) {
        const size_t room =
            std::bit_ceil(std::max<size_t>(slots, 16)); // few blocks, however often it grows
        sent_.push_back({room, counter_array{room}});
    }
    return sent_.back().counters.data();
}

uint64_t node_store::sent(size_t slot) const noexcept
{
    uint64_t sum = 0;
    for (const auto& b : sent_)
        if (slot < b.slots)
            sum += b.counters[slot].get();
    return sum;
}

namespace {

// Which of the registry's nodes stand in one thread's graph, and what is wrong with them.
class graph_check {
public:
    graph_check(const node_registry& registry, unsigned thread, const node_patterns& patterns)
        : registry_{registry}, patterns_{patterns}
    {
        for (const auto& entry : registry.all())
            if (!entry.descriptor->is_template || entry.clone_of != no_node)
                if (!entry.thread || *entry.thread == thread)
                    join(entry);
    }

    // Post-order from every root; reversed it is a topological order but for edges backwards. Which
    // edge of a circle is the one backwards is found before, by walks along the first slots first:
    // the way that most packets take leads forwards, and a node that packets come back from stands
    // behind all that send to it.
    result<std::vector<node_id>> order()
    {
        check_nodes();
        std::vector<node_id> roots;
        for (node_id id : members_)
            if (is_source(id))
                roots.push_back(id);
        if (roots.empty())
            faults_.push_back("the graph has no source: it has no input node");
        for (node_id id : members_)
            if (!is_source(id) && registry_.at(id).joined_later)
                roots.push_back(id);
        visited_.assign(registry_.bound(), false);
        open_.assign(registry_.bound(), false);
        for (node_id root : roots)
            find_backwards(root);
        visited_.assign(registry_.bound(), false);
        // the first root's order comes first, so it is visited last
        for (auto root = roots.rbegin(); root != roots.rend(); ++root)
            visit(*root);
        for (node_id id : members_)
            if (!visited_[id])
                faults_.push_back(fmt::format("nothing reaches node `{}', and it is not marked as "
                                              "joined later",
                                              registry_.at(id).name));
        if (finished_.size() > plan::max_nodes)
            faults_.push_back(fmt::format("{} nodes in one plan, more than the maximum of {}",
                                          finished_.size(), plan::max_nodes));
        if (!faults_.empty())
            return fail(errc::invalid_argument, "{}", fmt::join(faults_, "\n"));
        std::reverse(finished_.begin(), finished_.end());
        return finished_;
    }

private:
    bool takes(const node_entry& entry) const
    {
        return entry.descriptor->everywhere || entry.descriptor->type == node_type::pre_input ||
               patterns_.take(entry.name);
    }

    void join(const node_entry& entry)
    {
        if (takes(entry))
            members_.push_back(entry.id);
        else if (entry.thread)
            faults_.push_back(
                fmt::format("node `{}' must run there, but the patterns {} leave it out",
                            entry.name, patterns_.text()));
    }

    bool is_source(node_id id) const
    {
        return registry_.at(id).descriptor->type != node_type::internal;
    }

    void check_nodes()
    {
        for (node_id id : members_) {
            const auto& entry = registry_.at(id);
            const bool internal = entry.descriptor->type == node_type::internal;
            if (!entry.descriptor->reasons.empty() && registry_.drop_node() == no_node)
                faults_.push_back(fmt::format(
                    "node `{}' drops packets, but there is no node `drop'", entry.name));
            if (internal && entry.function() == nullptr)
                faults_.push_back(fmt::format("node `{}' has no function", entry.name));
            if (!internal && entry.descriptor->poll == nullptr)
                faults_.push_back(fmt::format("input node `{}' has no poll function", entry.name));
            for (node_id next : entry.nexts)
                check_edge(entry, registry_.at(next));
        }
    }

    void check_edge(const node_entry& from, const node_entry& to)
    {
        if (to.descriptor->type != node_type::internal)
            faults_.push_back(fmt::format("an edge leads from node `{}' into the {} node `{}'",
                                          from.name, to_string(to.descriptor->type), to.name));
        if (from.id == to.id && !from.descriptor->self_edge)
            faults_.push_back(fmt::format(
                "node `{}' has an edge to itself but does not declare it (self_edge)", from.name));
        if (!takes(to))
            faults_.push_back(
                fmt::format("an edge leads from node `{}' to `{}', which the patterns {} leave out",
                            from.name, to.name, patterns_.text()));
        if (to.descriptor->is_template && to.clone_of == no_node)
            faults_.push_back(fmt::format("an edge leads from node `{}' to `{}', which runs only "
                                          "as clones",
                                          from.name, to.name));
    }

    void find_backwards(node_id id)
    {
        if (visited_[id])
            return;
        visited_[id] = open_[id] = true;
        for (node_id next : registry_.at(id).nexts)
            if (open_[next])
                backwards_.emplace(id, next);
            else
                find_backwards(next);
        open_[id] = false;
    }

    void visit(node_id id)
    {
        if (visited_[id])
            return;
        visited_[id] = true;
        const auto& entry = registry_.at(id);
        // the drop node is everyone's last next
        if (registry_.drop_node() != no_node && id != registry_.drop_node())
            visit(registry_.drop_node());
        // What is visited last comes first. Ways that bring packets back, such as the router's own
        // answers, come before the first slot's way, where they join its packets; the others after
        // it, so that it may hand on whole frames.
        const auto visit_those = [&](auto&& chosen) {
            for (size_t slot = 0; slot < entry.nexts.size(); ++slot)
                if (const node_id next = entry.nexts[slot];
                    !backwards_.contains({id, next}) && chosen(slot, next))
                    visit(next);
        };
        visit_those([&](size_t slot, node_id next) { return slot > 0 && !leads_back(next); });
        visit_those([](size_t slot, node_id) { return slot == 0; });
        visit_those([](size_t, node_id) { return true; });
        finished_.push_back(id);
    }

    // Whether an edge backwards can be reached from a node.
    bool leads_back(node_id id)
    {
        if (const auto known = leads_back_.find(id); known != leads_back_.end())
            return known->second;
        bool found = false;
        for (node_id next : registry_.at(id).nexts)
            found = backwards_.contains({id, next}) || leads_back(next) || found;
        return leads_back_[id] = found;
    }

    const node_registry& registry_;
    const node_patterns& patterns_;
    std::vector<node_id> members_;
    std::vector<bool> visited_;
    std::vector<bool> open_; // on the walk's way from its root
    std::set<std::pair<node_id, node_id>> backwards_;
    std::map<node_id, bool> leads_back_;
    std::vector<node_id> finished_;
    std::vector<std::string> faults_;
};

} // namespace

result<std::vector<node_id>> plan::order(const node_registry& registry, unsigned thread,
                                         const node_patterns& patterns)
{
    return graph_check{registry, thread, patterns}.order();
}

result<std::unique_ptr<plan>> plan::compile(const node_registry& registry, graph_thread& thread)
{
    // What two workers write lies in different cache lines, and what each packet's way needs lies
    // in few.
    static_assert(node_run::hot_end() <= cache_line && alignof(node_run) == cache_line);
    static_assert(sizeof(node_counters) <= cache_line && alignof(node_store) == cache_line);
    static_assert(alignof(graph_thread) == cache_line && sizeof(graph_thread) % cache_line == 0);
    static_assert(sizeof(frame) % cache_line == 0);
    auto ranked = order(registry, thread.index(), thread.engine().nodes_of(thread.index()));
    if (!ranked)
        return pass(ranked);
    std::unique_ptr<plan> made{new plan};
    made->count_ = ranked->size();
    made->runs_ = std::make_unique<node_run[]>(made->count_);
    made->by_id_.resize(registry.bound(), nullptr);
    for (size_t rank = 0; rank < made->count_; ++rank) {
        node_run& run = made->runs_[rank];
        const auto& entry = registry.at((*ranked)[rank]);
        run.id_ = entry.id;
        run.rank_ = static_cast<uint16_t>(rank);
        made->by_id_[entry.id] = &run;
    }
    made->join(registry, thread);
    return made;
}

// One in interrupt state without anything to wait for runs only when it is posted.
static bool is_polled(node_state state, const node_descriptor& descriptor)
{
    return state == node_state::polling || state == node_state::adaptive ||
           (state == node_state::interrupt && descriptor.wait != nullptr);
}

// Fills in what the runs know of each other and of their thread.
void plan::join(const node_registry& registry, graph_thread& thread)
{
    size_t slots = 0;
    for (auto& run : runs())
        slots += registry.at(run.id_).nexts.size() + 1;
    next_table_.reserve(slots);
    node_run* drop = run_of(registry.drop_node());
    maxima_epoch_ = thread.maxima_epoch();
    for (auto& run : runs()) {
        const auto& entry = registry.at(run.id_);
        node_store& store = thread.store_of(entry);
        if (store.counters.maxima_epoch.load(std::memory_order_relaxed) != thread.maxima_epoch())
            maxima_epoch_ = mixed;
        run.descriptor_ = entry.descriptor;
        run.function_ = entry.function();
        run.poll_ = entry.descriptor->poll;
        run.wait_ = entry.descriptor->wait;
        run.type_ = entry.descriptor->type;
        run.state_ = entry.state;
        run.original_ = entry.clone_of;
        run.thread_ = &thread;
        run.open_ = &thread.none_;
        run.thread_index_ = static_cast<uint16_t>(thread.index());
        run.context_ = store.context;
        run.counters_ = &store.counters;
        run.name_ = store.name.c_str();
        run.reasons_ = store.reasons.data();
        run.sent_ = store.sent_for(entry.nexts.size() + 1);
        run.next_count_ = static_cast<uint16_t>(entry.nexts.size());
        run.nexts_ = next_table_.data() + next_table_.size();
        for (node_id next : entry.nexts)
            next_table_.push_back(by_id_[next]);
        next_table_.push_back(drop);
        if (entry.descriptor->start != nullptr || entry.descriptor->stop != nullptr)
            hooked_.push_back(&run);
        if (run.type_ == node_type::pre_input)
            pre_inputs_.push_back(&run);
        else if (run.type_ == node_type::input && is_polled(run.state_, *entry.descriptor)) {
            run.activity_ = &store.activity;
            run.pace_ = input_pace{store.activity.quiet.load(std::memory_order_relaxed)};
            run.polled_ = run.state_ == node_state::polling ||
                          (run.state_ == node_state::adaptive && !run.pace_.quiet());
            inputs_.push_back(&run);
        }
    }
}

} // namespace weft
