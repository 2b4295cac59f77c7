// SPDX-License-Identifier: Apache-2.0
// The engine: owns the threads and everything that they share, publishes plans, runs the main
// thread.
#include "graph/engine.hh"

#include "graph/dispatch_table.hh"
#include "graph/feature_arc.hh"
#include "graph/init.hh"
#include "graph/process_table.hh"

#include <future>
#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

namespace weft {

engine::engine(const clock_source& clock, node_registry nodes, engine_options options)
    : options_{std::move(options)},
      registry_{std::move(nodes)},
      rcu_{static_cast<unsigned>(options_.worker_cores.size()) + 1},
      loop_{std::make_unique<main_loop>(clock, this)}
{
    const size_t count = options_.worker_cores.size() + 1;
    threads_.push_back(std::make_unique<graph_thread>(*this, 0, "main", options_.main_core, count,
                                                      options_.max_packets));
    for (unsigned i = 1; i < count; ++i)
        threads_.push_back(std::make_unique<graph_thread>(*this, i, fmt::format("worker-{}", i),
                                                          options_.worker_cores[i - 1], count,
                                                          options_.max_packets));
    if (const auto* node = registry_.find("handoff-input"))
        handoff_ = node->id;
    if (auto* node = registry_.find("epoll-input")) {
        node->thread = 0;
        polls_files_ = true;
    }
    // these add slots, before the first plan
    static_cast<void>(module<dispatch_tables>());
    static_cast<void>(module<feature_arcs>());
}

engine::~engine()
{
    shut_down();
}

void engine::shut_down()
{
    if (stop_workers_.load())
        return; // done: modules are gone that nodes look at
    stop_workers();
    if (main().current_plan() != nullptr)
        run_main_once(); // what the workers handed over last
    loop_->stop_all();   // processes may hold what belongs to modules
    main().leave_plan();
    while (rcu_.pending() > 0)
        rcu_.reclaim();
    for (auto& thread : threads_)
        thread->free_handed();
    while (!modules_.empty()) {
        const auto last = std::move(modules_.back());
        modules_.pop_back();
        module_places_.erase(last.type);
    }
}

const node_patterns& engine::nodes_of(unsigned thread) const noexcept
{
    static const node_patterns all;
    const size_t worker = thread - size_t{1};
    return thread == 0 || worker >= options_.worker_nodes.size() ? all
                                                                 : options_.worker_nodes[worker];
}

result<std::vector<unsigned>> engine::polling_threads_for(const std::string& node) const
{
    std::vector<unsigned> found = chosen_threads();
    std::string patterns;
    for (const unsigned thread : found)
        patterns += fmt::format("; {}: {}", threads_[thread]->name(), nodes_of(thread).text());
    std::erase_if(found, [&](unsigned thread) { return !nodes_of(thread).take(node); });
    if (found.empty())
        return fail(errc::invalid_argument,
                    "no worker's patterns include node `{}'{} (cpu.workers[].nodes)", node,
                    patterns);
    return found;
}

std::vector<unsigned> engine::polling_threads() const
{
    std::vector<unsigned> found;
    for (unsigned i = 1; i < thread_count(); ++i)
        found.push_back(i);
    if (found.empty())
        found.push_back(0);
    return found;
}

std::vector<unsigned> engine::chosen_threads() const
{
    return chosen_.empty() ? polling_threads() : chosen_;
}

// Each worker says how its init functions went before it loops; the first failure is what start()
// returns.
result<void> engine::start_workers()
{
    const auto order = init_order(init_phase::worker_start);
    if (!order)
        return pass(order);
    std::vector<std::future<result<void>>> begun;
    for (unsigned i = 1; i < thread_count(); ++i) {
        std::promise<result<void>> outcome;
        begun.push_back(outcome.get_future());
        workers_.emplace_back([this, i, steps = *order, outcome = std::move(outcome)]() mutable {
            graph_thread& self = *threads_[i];
            auto done = run_init(steps, self);
            const bool loops = done.has_value();
            outcome.set_value(std::move(done));
            if (loops)
                self.run(stop_workers_);
            rte_thread_unregister();
        });
    }
    result<void> all;
    for (size_t i = 0; i < begun.size(); ++i)
        if (auto done = begun[i].get(); !done && all)
            all = fail(done.error().code, "{}: {}", threads_[i + 1]->name(), done.error().message);
    return all;
}

result<void> engine::start()
{
    if (auto done = start_workers(); !done)
        return done;
    for (const auto* process : registered_processes())
        if (auto started = module<process_table>().add_registered(*process); !started)
            return pass(started);
    return {};
}

void engine::stop_workers()
{
    stop_workers_.store(true);
    for (auto& thread : threads_)
        if (thread->index() != 0)
            thread->wake();
    for (auto& worker : workers_)
        worker.join();
    workers_.clear();
}

void engine::deliver_posted()
{
    posted_event posted{};
    for (auto& thread : threads_)
        for (size_t i = 0; i < graph_thread::outbox_size && thread->take_posted(posted); ++i)
            loop_->signal(posted.to, posted.what);
}

void engine::run_main_once()
{
    main().run_once([this] {
        deliver_posted();
        loop_->run_ready();
    });
    rcu_.reclaim();
}

// How long the main thread may sleep for the sake of queues of its own.
duration engine::rest()
{
    constexpr duration asleep = 1s; // woken by whatever happens
    if (main().current_plan() == nullptr || main().current_plan()->inputs().empty())
        return asleep;
    if (!main().may_sleep())
        return 0ns;
    const duration limit = main().arm_inputs();
    const uint64_t before = main().entered();
    run_main_once(); // what came before they were armed
    if (main().entered() == before)
        return limit;
    main().disarm_inputs();
    return 0ns;
}

void engine::run()
{
    constexpr duration reclaiming = 1ms; // while something waits for a grace period
    loop_->watch(main().epoll_file());
    while (!stop_.load()) {
        run_main_once();
        duration limit = rest();
        const size_t plans_waiting = reclaim_graph();
        busy_ = limit == 0ns && polls_files_;
        if (busy_)
            continue;
        if (rcu_.pending() > 0 || plans_waiting > 0)
            limit = std::min(limit, reclaiming);
        loop_->wait(limit);
        if (limit > 0ns && main().current_plan() != nullptr) {
            main().wait_for_inputs(0ns);
            main().disarm_inputs();
        }
    }
}

bool engine::run_until(process* self, duration limit, const std::function<bool()>& done)
{
    constexpr duration eager = 200us; // then the threads that are waited for may want this core
    using clock = std::chrono::steady_clock;
    const auto begin = clock::now();
    while (!done()) {
        const auto waited = clock::now() - begin;
        if (waited > limit)
            return false;
        if (self == nullptr)
            run_main_once();
        else if (waited < eager)
            self->yield();
        else
            self->sleep_for(100us);
        if (self == nullptr && waited > eager)
            std::this_thread::sleep_for(50us);
    }
    return true;
}

void engine::request_stop() noexcept
{
    stop_.store(true);
    loop_->wake();
}

void engine::reset_trace(bool tracing)
{
    tracing_ = tracing;
    replace_traces(tracing || !captures_.empty());
}

void engine::set_captures(std::vector<capture_buffer*> captures)
{
    captures_ = std::move(captures);
    const bool wanted = tracing_ || !captures_.empty();
    if (wanted != (main().trace() != nullptr)) {
        replace_traces(wanted);
        return;
    }
    for (auto& thread : threads_)
        if (auto* buffer = thread->trace())
            buffer->capture_to(captures_.empty() ? nullptr : captures_[thread->index()]);
}

// Threads look whether there is a trace, and only then whether it goes with a capture.
void engine::replace_traces(bool wanted)
{
    for (auto& thread : threads_) {
        auto fresh = wanted ? std::make_unique<trace_buffer>(thread->index()) : nullptr;
        if (fresh && !captures_.empty())
            fresh->capture_to(captures_[thread->index()]);
        std::shared_ptr<trace_buffer> old = thread->publish(std::move(fresh));
        if (old)
            rcu_.defer([old] {});
    }
    for (const node_id id : std::exchange(traced_, {}))
        release(id);
}

packet* engine::make_packet() noexcept
{
    rte_mbuf* mbuf = pools_.empty() ? nullptr : rte_pktmbuf_alloc(pools_.front());
    if (mbuf == nullptr)
        return nullptr;
    packet* p = packet::from(mbuf);
    p->metadata() = {};
    p->note() = {};
    return p;
}

int64_t engine::packets_in_flight() const noexcept
{
    // what left is read first, so that a packet under way never makes the difference negative
    uint64_t left = 0;
    uint64_t entered = 0;
    for (const auto& thread : threads_)
        left += thread->left();
    for (const auto& thread : threads_)
        entered += thread->entered();
    return static_cast<int64_t>(entered - left);
}

void engine::hand_off_bell(unsigned thread) noexcept
{
    if (handoff_ != no_node)
        threads_[thread]->post_interrupt(handoff_);
}

double engine::seconds_of(uint64_t tsc) const noexcept
{
    return static_cast<double>(tsc) / static_cast<double>(rte_get_tsc_hz());
}

} // namespace weft
