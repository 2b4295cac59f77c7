// SPDX-License-Identifier: Apache-2.0
// The main thread's scheduler.
#include "graph/process/main_loop.hh"

#include "graph/process/fiber_process.hh"

#include <algorithm>
#include <map>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace weft {

struct main_loop::state {
    struct posted_event {
        process_id id;
        event data;
    };

    scheduler shared;
    bool real_time; // timers are due as real time passes
    process_id last_id = 0;
    std::map<process_id, std::unique_ptr<fiber_process>> processes;

    std::mutex mutex; // for what follows; never held over a wait
    std::vector<posted_event> posted;
    std::unordered_map<process_id, uint64_t> refused; // posts beyond the bound

    std::vector<posted_event> delivering; // keeps its memory; the owner thread's

    state(const clock_source& clock, engine* engine)
        : shared{.clock = clock,
                 .engine = engine,
                 .timers = timing_wheel{clock.now()},
                 .files = {},
                 .ready = {}},
          real_time{dynamic_cast<const steady_clock_source*>(&clock) != nullptr}
    {}

    [[nodiscard]] fiber_process* process_of(process_id id) const
    {
        const auto found = processes.find(id);
        return found == processes.end() ? nullptr : found->second.get();
    }

    result<process_id> launch(process_id id, std::string name, process_function function,
                              size_t stack_size);
    void deliver_posted();
    void run_one(fiber_process& next);
};

void main_loop::state::deliver_posted()
{
    decltype(refused) lost;
    {
        const std::lock_guard lock{mutex};
        std::swap(posted, delivering);
        std::swap(refused, lost);
    }
    for (const auto& [id, data] : delivering) {
        if (auto* const target = process_of(id))
            target->deliver(data);
    }
    delivering.clear();
    for (const auto& [id, count] : lost) {
        if (auto* const target = process_of(id))
            target->count_lost(count);
    }
}

void main_loop::state::run_one(fiber_process& next)
{
    next.run();
    if (next.ended())
        processes.erase(next.id());
}

main_loop::main_loop(const clock_source& clock, engine* engine)
    : state_{std::make_unique<state>(clock, engine)}
{}

main_loop::~main_loop()
{
    stop_all();
}

void main_loop::stop_all()
{
    while (!state_->processes.empty())
        (void)stop(state_->processes.rbegin()->first);
}

result<process_id> main_loop::state::launch(process_id id, std::string name,
                                            process_function function, size_t stack_size)
{
    auto stack = fiber_stack::map(name, stack_size);
    if (!stack)
        return pass(stack);
    auto created = std::make_unique<fiber_process>(shared, id, std::move(name), std::move(function),
                                                   std::move(*stack));
    created->make_ready();
    processes.emplace(id, std::move(created));
    return id;
}

result<process_id> main_loop::start(std::string name, process_function function, size_t stack_size)
{
    auto started =
        state_->launch(state_->last_id + 1, std::move(name), std::move(function), stack_size);
    if (started)
        state_->last_id = *started;
    return started;
}

result<process_id> main_loop::start_again(process_id id, std::string name,
                                          process_function function, size_t stack_size)
{
    if (alive(id))
        return fail(errc::exists, "process `{}' is already running", name);
    if (id == 0 || id > state_->last_id)
        return fail(errc::not_found, "there has been no process number {}", id);
    return state_->launch(id, std::move(name), std::move(function), stack_size);
}

bool main_loop::alive(process_id id) const noexcept
{
    return state_->process_of(id) != nullptr;
}

result<void> main_loop::stop(process_id id)
{
    const auto found = state_->processes.find(id);
    if (found == state_->processes.end())
        return fail(errc::not_found, "there is no process number {}", id);
    if (found->second->running())
        return fail(errc::invalid_argument, "process `{}' cannot be stopped while it is running",
                    found->second->name());
    // Its destructors see it gone already: no signal reaches it, and none stops it a second time.
    const auto stopped = std::move(found->second);
    state_->processes.erase(found);
    stopped->unwind();
    return {};
}

process_id main_loop::find(std::string_view name) const noexcept
{
    for (const auto& [id, each] : state_->processes) {
        if (each->name() == name)
            return id;
    }
    return 0;
}

bool main_loop::signal(process_id id, const event& e)
{
    auto* const target = state_->process_of(id);
    return target != nullptr && target->deliver(e);
}

void main_loop::post(process_id id, const event& e)
{
    {
        const std::lock_guard lock{state_->mutex};
        if (state_->posted.size() < max_posts)
            state_->posted.push_back({id, e});
        else
            ++state_->refused[id];
    }
    wake();
}

void main_loop::wake() noexcept
{
    state_->shared.files.wake();
}

size_t main_loop::run_ready()
{
    auto& shared = state_->shared;
    size_t ran = shared.timers.advance(shared.clock.now());
    state_->deliver_posted();
    ++shared.pass;
    while (!shared.ready.empty() && shared.ready.front()->ready_pass() != shared.pass) {
        auto* const next = shared.ready.front();
        shared.ready.pop_front();
        state_->run_one(*next);
        ++ran;
    }
    return ran;
}

void main_loop::wait(duration limit)
{
    auto& shared = state_->shared;
    const auto next = shared.timers.next_wakeup();
    if (!shared.ready.empty())
        limit = duration::zero();
    else if (next) {
        const auto left = *next - shared.clock.now();
        if (state_->real_time || left <= duration::zero())
            limit = std::min(limit, left);
    }
    shared.files.wait(limit);
}

void main_loop::watch(int fd)
{
    state_->shared.files.watch(fd);
}

duration main_loop::now() const noexcept
{
    return state_->shared.clock.now();
}

timing_wheel& main_loop::timers() noexcept
{
    return state_->shared.timers;
}

std::vector<process_status> main_loop::status() const
{
    std::vector<process_status> all;
    all.reserve(state_->processes.size());
    for (const auto& [id, each] : state_->processes)
        all.push_back(each->status());
    return all;
}

const char* main_loop::running_name() const noexcept
{
    return state_->shared.running.load();
}

} // namespace weft
