// SPDX-License-Identifier: Apache-2.0
// A plan: the graph compiled for one thread - which nodes, in which order, joined how. Immutable
// once published, but for the frames and custody marks that its thread keeps in the node runs.
#pragma once

#include "base/result.hh"
#include "graph/node_patterns.hh"
#include "graph/node_registry.hh"
#include "graph/node_run.hh"

#include <deque>
#include <memory>
#include <vector>

namespace weft {

// What a thread keeps of a node as long as the node exists, whatever plans come and go.
class node_store {
public:
    node_store(engine& engine, unsigned thread, const node_entry& entry);
    ~node_store();
    node_store(const node_store&) = delete;
    node_store& operator=(const node_store&) = delete;

    // Room for as many slots; counts so far stay.
    counter* sent_for(size_t slots);
    [[nodiscard]] uint64_t sent(size_t slot) const noexcept;

    alignas(cache_line) node_counters counters;
    alignas(cache_line) input_activity activity;
    alignas(cache_line) counter_array reasons;
    size_t reason_count;
    void* context = nullptr;
    const std::string name; // the registry may move its own while a thread runs

private:
    const context_type type_;
    struct block {
        size_t slots;
        counter_array counters;
    };
    std::vector<block> sent_; // the last one is written, the others are history
};

class plan {
public:
    static constexpr size_t max_nodes = 4096;

    // Compiles and validates the graph for a thread. The error lists all faults, each with the
    // nodes' names: no source; an edge into an input node; an edge from a node to itself that does
    // not say so; a node that nothing reaches and that is not marked as joined later; an input node
    // without a poll function, an internal one without a function; where the thread's patterns
    // leave out a node, an edge from one of its nodes to that, or that it is bound to this thread.
    // Main thread.
    [[nodiscard]] static result<std::unique_ptr<plan>> compile(const node_registry& registry,
                                                               graph_thread& thread);
    // Only the validation, for a graph that need not run.
    [[nodiscard]] static result<std::vector<node_id>>
    order(const node_registry& registry, unsigned thread, const node_patterns& patterns = {});

    [[nodiscard]] std::span<node_run> runs() noexcept { return {runs_.get(), count_}; }
    [[nodiscard]] node_run* run_of(node_id id) noexcept
    {
        return id < by_id_.size() ? by_id_[id] : nullptr;
    }
    // Which of the thread's plans it is, from 1; why it was published.
    [[nodiscard]] uint64_t version() const noexcept { return version_; }
    [[nodiscard]] const std::string& why() const noexcept { return why_; }
    [[nodiscard]] std::span<node_run*> pre_inputs() noexcept { return pre_inputs_; }
    // Those that the thread polls by itself: not the disabled ones, nor those that only run when
    // they are posted.
    [[nodiscard]] std::span<node_run*> inputs() noexcept { return inputs_; }

private:
    friend class graph_thread;

    plan() = default;
    void join(const node_registry& registry, graph_thread& thread);

    size_t count_ = 0;
    std::unique_ptr<node_run[]> runs_; // by rank
    std::vector<node_run*> by_id_;
    std::vector<node_run*> pre_inputs_;
    std::vector<node_run*> inputs_;
    std::vector<node_run*> hooked_; // nodes with a start or a stop
    std::vector<node_run*> next_table_;
    uint64_t version_ = 0;
    std::string why_;
    uint64_t maxima_epoch_ = 0; // to which all its nodes' maxima belong; `mixed` where they differ
    static constexpr uint64_t mixed = UINT64_MAX;
    counter pause_; // TSC cycles that its thread took to take it up; written there, once
};

} // namespace weft
