// SPDX-License-Identifier: Apache-2.0
// A process as the main loop sees it: a fiber, its events and what it waits for.
#pragma once

#include "graph/process/fiber.hh"
#include "graph/process/poller.hh"
#include "graph/process/process.hh"

#include <atomic>
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace weft {

class fiber_process;

// What the processes of one main loop share.
struct scheduler {
    const clock_source& clock;
    weft::engine* engine;
    timing_wheel timers;
    poller files;
    std::deque<fiber_process*> ready; // in the order in which they shall run
    uint64_t pass = 0;                // of run_ready()
    uint32_t one_time_serial = 0;
    std::atomic<const char*> running{nullptr};

    // Where a wait of `d` that starts now ends; empty if beyond the end of time.
    [[nodiscard]] std::optional<duration> deadline(duration d) const noexcept;
};

class fiber_process final : public process {
public:
    fiber_process(scheduler& shared, process_id id, std::string name, process_function function,
                  fiber_stack stack);
    ~fiber_process() override; // must have ended, or been unwound

    // For the main loop, off this process's fiber.
    void make_ready();
    void run(); // once, until it waits or ends
    // Runs it with each wait throwing until it has ended. Not while it runs.
    void unwind();
    bool deliver(const event& e);
    void count_lost(uint64_t events) noexcept { status_.events_lost += events; }
    [[nodiscard]] bool ended() const noexcept { return status_.state == process_state::done; }
    [[nodiscard]] bool running() const noexcept { return status_.state == process_state::running; }
    [[nodiscard]] uint64_t ready_pass() const noexcept { return ready_pass_; }
    [[nodiscard]] process_status status() const;

    [[nodiscard]] process_id id() const noexcept override { return status_.id; }
    [[nodiscard]] const std::string& name() const noexcept override { return status_.name; }
    [[nodiscard]] weft::engine& engine() const noexcept override { return *shared_.engine; }
    [[nodiscard]] duration now() const noexcept override { return shared_.clock.now(); }
    void sleep_for(duration d) override;
    void yield() override;
    event wait_event() override;
    std::optional<event> wait_event_or_clock(duration d) override;
    std::optional<event> wait_event_of(event_type type, duration d) override;
    bool wait_readable(int fd, duration d) override;
    bool wait_writable(int fd, duration d) override;
    result<one_time_event> open_one_time_event() override;

private:
    struct one_time {
        event_type type;
        bool signalled; // it is among the events
    };

    void close_one_time_event(event_type type) noexcept override;
    void body();
    void resume();
    void suspend(process_state waiting, std::optional<duration> d = std::nullopt);
    std::optional<event> take_event(std::optional<event_type> type);
    std::optional<event> wait_for(std::optional<event_type> type, std::optional<duration> d);
    bool wait_file(int fd, poller::direction which, duration d);
    void judge_run(duration from, duration to);
    [[nodiscard]] std::string waits_for() const;

    scheduler& shared_;
    process_function function_;
    fiber fiber_;
    timer timer_;
    std::deque<event> events_;
    std::optional<event_type> wanted_; // the only type that ends the wait for an event
    std::vector<one_time> one_time_;   // those that are open
    int file_ = -1;                    // waited for, in `direction_`
    poller::direction direction_ = poller::direction::read;
    bool queued_ = false; // among the ready ones
    bool file_ready_ = false;
    bool unwinding_ = false;
    uint64_t ready_pass_ = 0;
    std::optional<duration> last_warning_; // of a long run
    process_status status_;
};

} // namespace weft
