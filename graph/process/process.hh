// SPDX-License-Identifier: Apache-2.0
// Cooperative processes of the main thread: fibers that wait for a clock, an event or a file.
#pragma once

#include "base/clock.hh"
#include "base/result.hh"
#include "graph/process/event.hh"
#include "graph/process/timing_wheel.hh"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft {

class engine;
class main_loop;

// Never another process's while the daemon runs; one that is started again (graph/process_table.hh)
// keeps it. 0 is none.
using process_id = uint32_t;

enum class process_state {
    ready,
    running,
    waiting_clock,
    waiting_event,
    waiting_event_or_clock,
    waiting_file,
    done
};

[[nodiscard]] std::string_view to_string(process_state) noexcept;
[[nodiscard]] std::string_view to_short_string(process_state) noexcept; // as VPP's tables have it

// Event types with this bit are one-time events'; a process's own enumeration stays below it.
inline constexpr event_type one_time_bit = event_type{1} << 31;

class process;

// An event type for one use, such as the answer to one question: made by the process that will wait
// for it, signalled once by whoever was given its type, over when it was delivered or when this
// goes. A second signal, or one that comes too late, is refused and counted (events_late): it is
// never taken for another answer. Lives on its process's fiber.
class one_time_event {
public:
    one_time_event(one_time_event&& other) noexcept;
    one_time_event& operator=(one_time_event&&) = delete;
    ~one_time_event();

    [[nodiscard]] event_type type() const noexcept { return type_; }

private:
    friend class fiber_process;
    one_time_event(process& owner, event_type type) noexcept : owner_{&owner}, type_{type} {}

    process* owner_;
    event_type type_;
};

// What a process function is given to wait with. Every member is called on that process's own
// fiber. A waiting process that is stopped is unwound: the wait throws, destructors run, so a
// function that catches everything must rethrow. What is thrown is no std::exception; every further
// wait throws it again, so a destructor must not wait. A `d` that reaches beyond the end of time,
// such as duration::max(), waits without a clock.
class process {
public:
    virtual ~process() = default;

    [[nodiscard]] virtual process_id id() const noexcept = 0;
    [[nodiscard]] virtual const std::string& name() const noexcept = 0;
    [[nodiscard]] virtual weft::engine& engine() const noexcept = 0;
    [[nodiscard]] virtual duration now() const noexcept = 0;

    // Suspends for at least `d`. Events that arrive meanwhile stay queued, in order.
    virtual void sleep_for(duration d) = 0;
    // Lets the other ready processes and the graph run once, then goes on.
    virtual void yield() = 0;
    // The next queued event in order of arrival; waits if there is none.
    [[nodiscard]] virtual event wait_event() = 0;
    // The same, but at most for `d`: empty when the clock was first.
    [[nodiscard]] virtual std::optional<event> wait_event_or_clock(duration d) = 0;
    // The next event of one type; events of other types stay queued.
    [[nodiscard]] virtual std::optional<event> wait_event_of(event_type type, duration d) = 0;
    // For one wait_event_of(). It has its place even where the queue is at its bound. Fails with
    // errc::exhausted where main_loop::one_time_bound of them are open.
    [[nodiscard]] virtual result<one_time_event> open_one_time_event() = 0;
    // Waits until the file is readable (or writable), has hung up or failed: true; false after `d`.
    // A file that is always ready or not open gives true. One process may wait for a file at a
    // time: std::logic_error. Closing the file does not end the wait; signal or stop the process
    // instead.
    [[nodiscard]] virtual bool wait_readable(int fd, duration d) = 0;
    [[nodiscard]] virtual bool wait_writable(int fd, duration d) = 0;

private:
    friend class one_time_event;
    virtual void close_one_time_event(event_type type) noexcept = 0;
};

using process_function = std::function<void(process&)>;

// What `show processes` prints of one process.
struct process_status {
    process_id id = 0;
    std::string name;
    process_state state = process_state::ready;
    std::string waits_for;             // in words; of one that is done: how it ended
    std::optional<duration> time_left; // until its clock, where it waits for one
    uint64_t starts = 1;               // how often it was started
    uint64_t suspends = 0;
    uint64_t runs = 0;
    uint64_t clocks = 0; // TSC cycles spent running
    uint64_t events = 0; // events received
    uint64_t events_pending = 0;
    uint64_t events_lost = 0; // refused because the queue was at its bound
    uint64_t events_late = 0; // one-time events signalled twice or after their end
    uint64_t long_runs = 0;   // ran for more than 10 ms without suspending; each is logged too
    duration longest_run{};
    size_t stack_size = 0;
    size_t stack_used = 0; // high-water mark in bytes
};

// What an operator may do to a process by its name.
enum class process_control {
    full,    // stop it, start it, restart it
    restart, // restart it only: the router is wrong while it is missing
};

// A process that starts with the graph, registered before main() by its room, or by a plugin before
// the graph starts.
struct process_registration {
    process_registration(std::string_view name, void (*function)(process&),
                         size_t stack_size = 64 * 1024,
                         process_control control = process_control::full,
                         std::source_location where = std::source_location::current());
    ~process_registration(); // takes it back
    process_registration(const process_registration&) = delete;
    process_registration& operator=(const process_registration&) = delete;

    std::string_view name;
    void (*function)(process&);
    size_t stack_size;
    process_control control;
    std::source_location where;
};

[[nodiscard]] std::span<const process_registration* const> registered_processes() noexcept;

// Whose stack's guard area holds an address: that process has overrun its stack of so many bytes.
struct stack_guard_owner {
    std::string_view process; // empty: none's
    size_t stack_size = 0;    // bytes
};

// From any thread and from signal handlers (which need a stack of their own, sigaltstack(2)), for
// the crash report.
[[nodiscard]] stack_guard_owner owner_of_stack_guard(const void* address) noexcept;

} // namespace weft
