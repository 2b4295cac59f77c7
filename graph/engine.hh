// SPDX-License-Identifier: Apache-2.0
// The engine: threads, graph, processes and the modules' state, as one object.
#pragma once

#include "base/clock.hh"
#include "base/result.hh"
#include "graph/node_patterns.hh"
#include "graph/node_registry.hh"
#include "graph/plan.hh"
#include "graph/process/main_loop.hh"
#include "graph/thread/graph_thread.hh"
#include "graph/thread/rcu.hh"

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <typeindex>
#include <unordered_map>
#include <vector>

struct rte_mempool;

namespace weft {

struct engine_options {
    unsigned main_core = 0;
    std::vector<unsigned> worker_cores; // one worker each; empty: the main thread polls the queues
    size_t max_packets = 65536;         // packets that can exist at once
    bool pin = true;                    // bind threads to their cores
    std::vector<node_patterns>
        worker_nodes{}; // what each worker's plan contains; a worker without: every node
    uint32_t vector_size = weft::vector_size; // packets that an input takes at once, at most
};

// Main thread, unless a member says otherwise.
class engine {
public:
    engine(const clock_source& clock, node_registry nodes, engine_options options);
    ~engine(); // the workers have been stopped
    engine(const engine&) = delete;
    engine& operator=(const engine&) = delete;

    [[nodiscard]] node_registry& registry() noexcept { return registry_; }
    [[nodiscard]] const node_registry& registry() const noexcept { return registry_; }
    [[nodiscard]] main_loop& loop() noexcept { return *loop_; }
    [[nodiscard]] rcu_domain& rcu() noexcept { return rcu_; }
    [[nodiscard]] graph_thread& main() noexcept { return *threads_[0]; }
    [[nodiscard]] graph_thread& thread(unsigned index) noexcept { return *threads_[index]; }
    [[nodiscard]] const graph_thread& thread(unsigned index) const noexcept
    {
        return *threads_[index];
    }
    [[nodiscard]] unsigned thread_count() const noexcept
    {
        return static_cast<unsigned>(threads_.size());
    }
    // Threads that may poll queues: the workers, or the main thread where there is none.
    [[nodiscard]] std::vector<unsigned> polling_threads() const;
    // Those of them that do: all, until fewer are chosen. Queues that there are already are moved
    // by who chooses.
    [[nodiscard]] std::vector<unsigned> chosen_threads() const;
    void choose_threads(std::vector<unsigned> threads) { chosen_ = std::move(threads); }
    // Which nodes a thread's plans contain; the main thread's: every node.
    [[nodiscard]] const node_patterns& nodes_of(unsigned thread) const noexcept;
    // Those of the chosen threads whose plans a node of this name, one to be made too, may stand
    // in. An error that names the patterns if there is none.
    [[nodiscard]] result<std::vector<unsigned>> polling_threads_for(const std::string& node) const;
    [[nodiscard]] const engine_options& options() const noexcept { return options_; }

    // A module: state that a folder keeps in the engine, made from it when it is first asked for,
    // and destroyed by shut_down() in the reverse order. One that another's constructor asks for
    // outlives that other.
    template <class T>
    [[nodiscard]] T& module()
    {
        const auto found = module_places_.find(typeid(T));
        if (found != module_places_.end())
            return *static_cast<T*>(found->second);
        std::unique_ptr<void, void (*)(void*)> made{new T(*this),
                                                    [](void* p) { delete static_cast<T*>(p); }};
        T& fresh = *static_cast<T*>(made.get());
        modules_.push_back(
            {typeid(T), std::move(made)}); // behind those that its constructor asked for
        module_places_.emplace(typeid(T), &fresh);
        return fresh;
    }

    // Compiles a plan for each thread from the registry and publishes them all, or none on an
    // error. `why` names the change, as a person would type it: `show workers` has it with the
    // longest pause.
    result<void> publish_plans(std::string_view why = "plan");
    // Changes the graph, also while it runs: calls `edit` on the registry, then publish_plans().
    // When either fails nothing has changed; references to nodes are not valid then.
    result<void> change_graph(const std::function<result<void>(node_registry&)>& edit,
                              std::string_view why = "plan");
    // Frees old plans, and what is kept of removed nodes, where no thread can look at them any
    // more. Returns how many still wait for a thread.
    size_t reclaim_graph();
    // Calls `observer` for each removed node when its number is about to be used again: what was
    // noted by number is to be forgotten.
    void observe_release(std::function<void(node_id)> observer);
    // Starts the workers' threads and the registered processes; waits until every worker has done
    // its init functions (graph/init.hh). On an error what has begun runs until shut_down().
    result<void> start();
    // Ends everything in order: workers, processes, modules; every packet is back in its pool
    // then. Also done by the destructor.
    void shut_down();

    // The main thread's life: graph, processes, sleep; until stop_requested().
    void run();
    // One loop without sleeping, for tests too.
    void run_main_once();
    // Runs the graph until `done` says so, for at most `limit` of real time; what it last said. In
    // a process the other processes run meanwhile; without one (in tests, before run()) the main
    // thread's loop runs here.
    bool run_until(process* self, duration limit, const std::function<bool()>& done);
    // Ends run(). Any thread, also a signal handler.
    void request_stop() noexcept;
    [[nodiscard]] bool stop_requested() const noexcept { return stop_.load(); }

    // Replaces the traces of all threads by empty ones, in which nothing is armed; null: by none.
    void reset_trace(bool tracing);
    [[nodiscard]] bool tracing() const noexcept { return tracing_; }
    // Makes each thread copy vectors into the buffer of its index; empty: into none. What was there
    // before is still written to until a grace period has passed. Traces go on.
    void set_captures(std::vector<capture_buffer*> captures);

    // Packet pools, for `show buffers` and the count of packets in flight.
    void add_pool(rte_mempool* pool) { pools_.push_back(pool); }
    [[nodiscard]] const std::vector<rte_mempool*>& pools() const noexcept { return pools_; }
    // A packet from the first pool, null if it is empty. Its metadata is zero.
    [[nodiscard]] packet* make_packet() noexcept;
    // Packets that entered the graph and have not left it, held and handed ones included. Any
    // thread; exact only when traffic rests.
    [[nodiscard]] int64_t packets_in_flight() const noexcept;

    // Whether the main thread does not sleep because it polls queues; its files are looked at by
    // `epoll-input` then.
    [[nodiscard]] bool is_busy() const noexcept { return busy_; }

    // Any thread: makes `handoff-input` of a thread run.
    void hand_off_bell(unsigned thread) noexcept;

    // Changes what is recorded here, in words, for `show workers`.
    [[nodiscard]] double seconds_of(uint64_t tsc) const noexcept;

private:
    struct module_slot {
        std::type_index type;
        std::unique_ptr<void, void (*)(void*)> object;
    };

    // A node on its way out: first every thread leaves its plans, then packets handed to it are
    // taken.
    struct removed_node {
        node_id id;
        std::vector<uint64_t> versions; // of each thread's first plan without it
        std::vector<std::vector<size_t>>
            handed; // to each thread when all had left it; empty before
    };

    void forget_new_nodes(const node_registry& before);
    void note_removed();
    [[nodiscard]] bool is_left(removed_node& node);
    void release(node_id id);
    void deliver_posted();
    result<void> start_workers();
    [[nodiscard]] duration rest();
    void stop_workers();
    void replace_traces(bool wanted);

    const engine_options options_;
    node_registry registry_;
    rcu_domain rcu_;
    std::unique_ptr<main_loop> loop_;
    std::vector<std::unique_ptr<graph_thread>> threads_;
    std::vector<std::thread> workers_;
    std::atomic<bool> stop_{false};
    std::atomic<bool> stop_workers_{false};
    node_id handoff_ = no_node;
    bool busy_ = false;
    bool polls_files_ = false; // there is an epoll-input
    std::vector<rte_mempool*> pools_;
    std::vector<unsigned> chosen_;     // empty: all polling threads
    std::deque<removed_node> removed_; // in order of their removal
    std::vector<node_id> traced_;      // removed, but a trace or a capture tells of them still
    std::vector<std::function<void(node_id)>> release_observers_;
    bool tracing_ = false;                  // asked for with reset_trace()
    std::vector<capture_buffer*> captures_; // by thread, or none
    std::unordered_map<std::type_index, void*> module_places_;
    std::vector<module_slot> modules_; // in the order of their creation
};

} // namespace weft
