// SPDX-License-Identifier: Apache-2.0
// The main thread's scheduler: runs ready processes and due timers, then sleeps in epoll until
// a timer, a file or an event from another thread wants it.
#pragma once

#include "base/clock.hh"
#include "base/result.hh"
#include "graph/process/event.hh"
#include "graph/process/process.hh"
#include "graph/process/timing_wheel.hh"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weft {

// Owner thread: the one that makes it, unless a member says otherwise.
class main_loop {
public:
    static constexpr size_t max_queued_events = 4096; // events pending for one process
    static constexpr size_t max_posts = 65536;        // posted events until the next run_ready()
    static constexpr size_t max_one_time = 64;        // one-time events open in one process
    static constexpr duration long_run = 10ms;

    // `clock` outlives the loop; with another one than steady_clock_source wait() does not sleep
    // for a timer's sake. `host` is what process::engine() gives; may be null in tests that
    // do not use it. Throws std::system_error without epoll or eventfd.
    main_loop(const clock_source& clock, engine* engine);
    ~main_loop(); // stop_all()
    main_loop(const main_loop&) = delete;
    main_loop& operator=(const main_loop&) = delete;

    // Starts a process; it first runs in the next run_ready(). The stack has a guard page below;
    // its size is rounded up to pages (16 kB at least). Fails with errc::exhausted if memory cannot
    // be mapped.
    [[nodiscard]] result<process_id> start(std::string name, process_function function,
                                           size_t stack_size = 64 * 1024);
    // The same under the number of a process that has ended, so that whoever knew that one reaches
    // this one. errc::exists while it runs; errc::not_found if no process had it.
    [[nodiscard]] result<process_id> start_again(process_id id, std::string name,
                                                 process_function function, size_t stack_size);
    // Unwinds and removes a process (not the calling one: errc::invalid_argument; errc::not_found).
    result<void> stop(process_id id);
    void stop_all(); // newest first; not from a process
    [[nodiscard]] process_id find(std::string_view name) const noexcept; // 0: none
    [[nodiscard]] bool alive(process_id id) const noexcept;

    // Queues an event for a process and makes it ready if it waits for one. False: no such
    // process, or its queue is full (counted in events_lost).
    bool signal(process_id id, const event& e);
    // The same from any thread that is not a worker (workers have a ring of their own): queued
    // under a lock, then wake(). Whether the process exists is seen only on the main thread; what
    // is beyond post_bound counts in its events_lost.
    void post(process_id id, const event& e);
    // Any thread: makes wait() return. Costs a system call only if the main thread sleeps or is
    // about to; safe against the wake-up that comes between looking for work and sleeping.
    void wake() noexcept;

    // Runs due timers, delivers posted events, runs every process that is ready once, in order; a
    // process that becomes ready meanwhile runs in the next call.
    // Returns how many processes and timers ran.
    size_t run_ready();
    // Sleeps until a timer is due, a file is ready, or wake(), at most `limit`; returns at once if
    // a process is ready. Delivers file readiness. A signal (EINTR) ends it early.
    void wait(duration limit);

    // Makes wait() return while this file is readable, which is for others to read; for good.
    void watch(int fd);

    [[nodiscard]] duration now() const noexcept;
    [[nodiscard]] timing_wheel& timers() noexcept;
    [[nodiscard]] std::vector<process_status> status() const;
    // The process that runs just now, null between processes; for the crash report.
    [[nodiscard]] const char* running_name() const noexcept;

private:
    struct state;
    std::unique_ptr<state> state_;
};

} // namespace weft
