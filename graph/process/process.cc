// SPDX-License-Identifier: Apache-2.0
// Processes: the registry, and the waits on top of fibers, the timing wheel and the poller.
#include "graph/process/fiber_process.hh"
#include "graph/process/main_loop.hh"

#include <algorithm>
#include <cassert>
#include <exception>
#include <rte_cycles.h>
#include <spdlog/spdlog.h>
#include <utility>

namespace weft {

namespace {

// Thrown by the waits of a process that is stopped. No std::exception, so that a function that
// handles its errors lets it through.
struct unwind_process {};

std::vector<const process_registration*>& process_registrations()
{
    static std::vector<const process_registration*> list;
    return list;
}

} // namespace

std::string_view to_string(process_state state) noexcept
{
    switch (state) {
    case process_state::ready:
        return "ready";
    case process_state::running:
        return "running";
    case process_state::waiting_clock:
        return "waiting for clock";
    case process_state::waiting_event:
        return "waiting for event";
    case process_state::waiting_event_or_clock:
        return "waiting for event or clock";
    case process_state::waiting_file:
        return "waiting for file";
    case process_state::done:
        return "done";
    }
    return "unknown";
}

std::string_view to_short_string(process_state state) noexcept
{
    switch (state) {
    case process_state::waiting_clock:
        return "time wait";
    case process_state::waiting_event:
        return "event wait";
    case process_state::waiting_event_or_clock:
        return "any wait";
    case process_state::waiting_file:
        return "file wait";
    default:
        return to_string(state);
    }
}

process_registration::process_registration(std::string_view process_name, void (*entry)(process&),
                                           size_t process_stack_size,
                                           process_control process_controlled,
                                           std::source_location place)
    : name{process_name},
      function{entry},
      stack_size{process_stack_size},
      control{process_controlled},
      where{place}
{
    process_registrations().push_back(this);
}

process_registration::~process_registration()
{
    std::erase(process_registrations(), this);
}

one_time_event::one_time_event(one_time_event&& other) noexcept
    : owner_{std::exchange(other.owner_, nullptr)}, type_{other.type_}
{}

one_time_event::~one_time_event()
{
    if (owner_ != nullptr)
        owner_->close_one_time_event(type_);
}

std::span<const process_registration* const> registered_processes() noexcept
{
    return process_registrations();
}

std::optional<duration> scheduler::deadline(duration d) const noexcept
{
    const auto now = clock.now();
    if (d > duration::zero() && now > duration::max() - d)
        return std::nullopt;
    return now + std::max(d, duration::zero());
}

fiber_process::fiber_process(scheduler& shared, process_id id, std::string name,
                             process_function function, fiber_stack stack)
    : shared_{shared},
      function_{std::move(function)},
      fiber_{std::move(stack), [this] { body(); }},
      timer_{[](timer&, void* self) { static_cast<fiber_process*>(self)->make_ready(); }, this}
{
    status_.id = id;
    status_.name = std::move(name);
    status_.stack_size = fiber_.stack().size();
}

fiber_process::~fiber_process()
{
    std::erase(shared_.ready, this);
}

void fiber_process::make_ready()
{
    if (std::exchange(queued_, true))
        return;
    status_.state = process_state::ready;
    ready_pass_ = shared_.pass;
    shared_.ready.push_back(this);
}

void fiber_process::run()
{
    queued_ = false;
    resume();
}

void fiber_process::unwind()
{
    assert(!running());
    std::erase(shared_.ready, this);
    queued_ = true; // never again
    unwinding_ = true;
    if (fiber_.started() && !fiber_.ended())
        resume();
    status_.state = process_state::done;
}

void fiber_process::resume()
{
    // Stopping nests: a process that stops another one runs on afterwards.
    const char* const outer = shared_.running.exchange(status_.name.c_str());
    status_.state = process_state::running;
    ++status_.runs;
    const auto from = steady_clock_source{}.now();
    const auto clocks = rte_rdtsc();
    fiber_.resume();
    status_.clocks += rte_rdtsc() - clocks;
    if (fiber_.ended())
        status_.state = process_state::done;
    shared_.running.store(outer);
    judge_run(from, steady_clock_source{}.now());
}

void fiber_process::judge_run(duration from, duration to)
{
    status_.longest_run = std::max(status_.longest_run, to - from);
    if (to - from <= main_loop::long_run)
        return;
    ++status_.long_runs;
    if (last_warning_ && to - *last_warning_ < 1s)
        return;
    last_warning_ = to;
    spdlog::warn("process `{}' ran for {} ms without waiting (long runs so far: {})", status_.name,
                 std::chrono::duration_cast<std::chrono::milliseconds>(to - from).count(),
                 status_.long_runs);
}

void fiber_process::body()
{
    try {
        function_(*this);
    } catch (const unwind_process&) {
    } catch (const std::exception& failure) {
        spdlog::error("process `{}' failed and has ended: {}", status_.name, failure.what());
    } catch (...) {
        spdlog::error("process `{}' failed and has ended", status_.name);
    }
}

void fiber_process::suspend(process_state waiting, std::optional<duration> d)
{
    if (unwinding_)
        throw unwind_process{};
    if (waiting == process_state::ready)
        make_ready();
    status_.state = waiting;
    ++status_.suspends;
    if (const auto end = d ? shared_.deadline(*d) : std::nullopt)
        shared_.timers.start(timer_, *end);
    fiber_.suspend();
    shared_.timers.stop(timer_);
    if (unwinding_)
        throw unwind_process{};
}

bool fiber_process::deliver(const event& e)
{
    if ((e.type & one_time_bit) != 0) {
        const auto open = std::find_if(one_time_.begin(), one_time_.end(),
                                       [&](const auto& each) { return each.type == e.type; });
        if (open == one_time_.end() || std::exchange(open->signalled, true)) {
            ++status_.events_late;
            return false;
        }
    } else if (events_.size() >= main_loop::max_queued_events) {
        ++status_.events_lost;
        return false;
    }
    events_.push_back(e);
    ++status_.events;
    const bool waits = status_.state == process_state::waiting_event ||
                       status_.state == process_state::waiting_event_or_clock;
    if (waits && (!wanted_ || *wanted_ == e.type))
        make_ready();
    return true;
}

std::string fiber_process::waits_for() const
{
    std::string_view clock = timer_.active() ? " or clock" : "";
    switch (status_.state) {
    case process_state::waiting_clock:
        return "clock";
    case process_state::waiting_event:
    case process_state::waiting_event_or_clock:
        if (!wanted_)
            return fmt::format("any event{}", clock);
        return fmt::format("{} {}{}", (*wanted_ & one_time_bit) != 0 ? "one-time event" : "event",
                           *wanted_ & ~one_time_bit, clock);
    case process_state::waiting_file:
        return fmt::format("file {} {}{}", file_,
                           direction_ == poller::direction::read ? "readable" : "writable", clock);
    default:
        return {};
    }
}

process_status fiber_process::status() const
{
    process_status status = status_;
    status.waits_for = waits_for();
    if (timer_.active())
        status.time_left = std::max(timer_.expires_at() - now(), duration::zero());
    status.events_pending = events_.size();
    status.stack_used = fiber_.stack().used();
    return status;
}

result<one_time_event> fiber_process::open_one_time_event()
{
    if (one_time_.size() >= main_loop::max_one_time)
        return fail(errc::exhausted,
                    "process `{}' is waiting for {} one-time events, which is the maximum",
                    status_.name, one_time_.size());
    // Numbers come again after 2^31 of them; one that is open is passed over.
    const auto is_open = [&](event_type type) {
        return std::any_of(one_time_.begin(), one_time_.end(),
                           [&](const auto& each) { return each.type == type; });
    };
    event_type type = 0;
    do
        type = ++shared_.one_time_serial | one_time_bit;
    while (is_open(type));
    one_time_.push_back({type, false});
    return one_time_event{*this, type};
}

void fiber_process::close_one_time_event(event_type type) noexcept
{
    std::erase_if(one_time_, [&](const auto& each) { return each.type == type; });
    std::erase_if(events_, [&](const auto& each) { return each.type == type; });
}

void fiber_process::sleep_for(duration d)
{
    suspend(process_state::waiting_clock, d);
}

void fiber_process::yield()
{
    suspend(process_state::ready);
}

event fiber_process::wait_event()
{
    return *wait_for(std::nullopt, std::nullopt);
}

std::optional<event> fiber_process::wait_event_or_clock(duration d)
{
    return wait_for(std::nullopt, d);
}

std::optional<event> fiber_process::wait_event_of(event_type type, duration d)
{
    return wait_for(type, d);
}

bool fiber_process::wait_readable(int fd, duration d)
{
    return wait_file(fd, poller::direction::read, d);
}

bool fiber_process::wait_writable(int fd, duration d)
{
    return wait_file(fd, poller::direction::write, d);
}

std::optional<event> fiber_process::take_event(std::optional<event_type> type)
{
    const auto found = std::find_if(events_.begin(), events_.end(),
                                    [type](const event& e) { return !type || e.type == *type; });
    if (found == events_.end())
        return std::nullopt;
    const event taken = *found;
    events_.erase(found);
    if ((taken.type & one_time_bit) != 0)
        close_one_time_event(taken.type);
    return taken;
}

// Without `d` only an event ends the wait, so there is one.
std::optional<event> fiber_process::wait_for(std::optional<event_type> type,
                                             std::optional<duration> d)
{
    if (auto e = take_event(type))
        return e;
    wanted_ = type;
    suspend(d ? process_state::waiting_event_or_clock : process_state::waiting_event, d);
    return take_event(type);
}

bool fiber_process::wait_file(int fd, poller::direction which, duration d)
{
    // Also when the wait throws.
    struct disarm_at_end {
        poller& files;
        int fd;
        fiber_process* self;
        ~disarm_at_end() { files.disarm(fd, self); }
    };
    const auto on_ready = [](void* argument) {
        auto* const self = static_cast<fiber_process*>(argument);
        self->file_ready_ = true;
        self->make_ready();
    };
    file_ready_ = false;
    file_ = fd;
    direction_ = which;
    if (shared_.files.arm(fd, which, on_ready, this) == poller::arming::at_once) {
        yield(); // a loop over such a file shall not starve the others
        return true;
    }
    const disarm_at_end cleanup{shared_.files, fd, this};
    suspend(process_state::waiting_file, d);
    return file_ready_;
}

} // namespace weft
