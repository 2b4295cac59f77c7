// SPDX-License-Identifier: Apache-2.0
// The main loop: scheduling, posts and wake-ups from other threads, and how long it sleeps.
#include "graph/process/main_loop.hh"
#include "tests/base/fake_clock.hh"

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <csignal>
#include <memory>
#include <string>
#include <sys/eventfd.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace weft;

namespace {

const steady_clock_source real_clock;

struct numbered_post {
    uint32_t thread;
    uint32_t number;
};

duration time_of(const auto& action)
{
    const auto from = real_clock.now();
    action();
    return real_clock.now() - from;
}

// Runs the loop until `done`, for ten seconds at most.
void run_until(main_loop& loop, const auto& done)
{
    for (const auto end = real_clock.now() + 10s; !done() && real_clock.now() < end;) {
        loop.wait(1s);
        loop.run_ready();
    }
}

} // namespace

TEST_CASE("a process starts in the next run, not before", "[graph][main_loop]")
{
    fake_clock clock;
    main_loop loop{clock, nullptr};
    bool ran = false;
    const auto id = loop.start("one", [&](process& self) {
        ran = true;
        CHECK(self.now() == clock.now());
        CHECK(std::string{loop.running_name()} == "one");
        CHECK(loop.status().front().state == process_state::running);
    });
    CHECK_FALSE(ran);
    CHECK(loop.find("one") == *id);
    CHECK(loop.status().front().state == process_state::ready);
    CHECK(loop.run_ready() == 1);
    CHECK(ran);
    CHECK(loop.find("one") == 0);
    CHECK(loop.running_name() == nullptr);
}

TEST_CASE("process numbers are never used again", "[graph][main_loop]")
{
    fake_clock clock;
    main_loop loop{clock, nullptr};
    const auto first = loop.start("one", [](process&) {});
    REQUIRE(loop.stop(*first));
    const auto second = loop.start("one", [](process&) {});
    CHECK(*first != 0);
    CHECK(*second > *first);
    CHECK_FALSE(loop.signal(*first, {}));
}

TEST_CASE("the loop stops its processes newest first", "[graph][main_loop]")
{
    fake_clock clock;
    std::string log;
    {
        main_loop loop{clock, nullptr};
        for (const char name : {'a', 'b', 'c'}) {
            REQUIRE(loop.start("each", [&log, name](process& self) {
                const std::shared_ptr<void> local{nullptr, [&](void*) { log += name; }};
                (void)self.wait_event();
            }));
        }
        loop.run_ready();
    }
    CHECK(log == "cba");
}

TEST_CASE("what becomes ready during a run waits for the next", "[graph][main_loop]")
{
    fake_clock clock;
    main_loop loop{clock, nullptr};
    std::string log;
    process_id second = 0;
    REQUIRE(loop.start("first", [&](process&) {
        log += '1';
        REQUIRE(loop.signal(second, {}));
        REQUIRE(loop.start("third", [&](process&) { log += '3'; }));
    }));
    second = *loop.start("second", [&](process& self) {
        (void)self.wait_event(); // queued before it first ran
        (void)self.wait_event();
        log += '2';
    });
    loop.run_ready();
    CHECK(log == "1");
    REQUIRE(loop.signal(second, {}));
    CHECK(log == "1");
    CHECK(loop.run_ready() == 2);
    CHECK(log == "132");
}

TEST_CASE("posts from four threads arrive, each thread's in order", "[graph][main_loop]")
{
    constexpr uint32_t threads = 4;
    constexpr uint32_t posts = 5'000;
    main_loop loop{real_clock, nullptr};
    std::vector<uint32_t> next(threads, 0);
    std::atomic<uint32_t> received{0};
    bool in_order = true;
    const auto id = loop.start("receiver", [&](process& self) {
        for (; received < threads * posts; ++received) {
            const auto got = self.wait_event().as<numbered_post>();
            in_order = in_order && got.number == next.at(got.thread)++;
        }
    });
    std::vector<std::jthread> posters;
    for (uint32_t thread = 0; thread < threads; ++thread) {
        posters.emplace_back([&, thread] {
            for (uint32_t number = 0; number < posts; ++number) {
                while (number * threads > received + main_loop::max_queued_events / 2)
                    std::this_thread::yield(); // not more than the queue holds
                loop.post(*id, event::of(1, numbered_post{thread, number}));
            }
        });
    }
    run_until(loop, [&] { return loop.find("receiver") == 0; });
    CHECK(in_order);
    CHECK(next == std::vector<uint32_t>(threads, posts));
}

TEST_CASE("posts beyond the bounds are counted as lost", "[graph][main_loop]")
{
    fake_clock clock;
    main_loop loop{clock, nullptr};
    const auto id = loop.start("receiver", [&](process& self) { self.sleep_for(1h); });
    for (size_t n = 0; n < main_loop::max_posts + 10; ++n)
        loop.post(*id, {});
    loop.post(*id + 1, {}); // no such process
    loop.run_ready();
    CHECK(loop.status().front().events == main_loop::max_queued_events);
    CHECK(loop.status().front().events_lost ==
          main_loop::max_posts + 10 - main_loop::max_queued_events);
}

TEST_CASE("a wake from another thread ends a sleeping wait", "[graph][main_loop]")
{
    main_loop loop{real_clock, nullptr};
    for (int n = 0; n < 20; ++n) {
        std::jthread waker{[&] {
            std::this_thread::sleep_for(2ms);
            loop.wake();
        }};
        CHECK(time_of([&] { loop.wait(10s); }) < 2s);
    }
}

TEST_CASE("a wake before the wait is not lost, and counts once", "[graph][main_loop]")
{
    main_loop loop{real_clock, nullptr};
    loop.wake();
    loop.wake();
    CHECK(time_of([&] { loop.wait(10s); }) < 2s);
    CHECK(time_of([&] { loop.wait(20ms); }) >= 20ms);
}

// A lost wake-up would cost ten seconds.
TEST_CASE("no wake-up is lost between looking for work and sleeping", "[graph][main_loop]")
{
    constexpr uint32_t rounds = 5'000;
    main_loop loop{real_clock, nullptr};
    std::atomic<uint32_t> asked{0};
    std::atomic<uint32_t> answered{0};
    std::jthread asker{[&] {
        for (uint32_t round = 1; round <= rounds; ++round) {
            asked.store(round, std::memory_order_relaxed);
            loop.wake();
            while (answered.load(std::memory_order_relaxed) < round)
                std::this_thread::yield();
        }
    }};
    duration longest{};
    while (answered < rounds) {
        longest = std::max(longest, time_of([&] { loop.wait(10s); }));
        answered.store(asked.load(std::memory_order_relaxed), std::memory_order_relaxed);
    }
    CHECK(longest < 5s);
}

TEST_CASE("a wait ends when a timer is due, in parts of a millisecond", "[graph][main_loop]")
{
    main_loop loop{real_clock, nullptr};
    std::vector<duration> slept;
    REQUIRE(loop.start("sleeper", [&](process& self) {
        for (int n = 0; n < 20; ++n) {
            const auto from = self.now();
            self.sleep_for(300us);
            slept.push_back(self.now() - from);
        }
    }));
    run_until(loop, [&] { return loop.find("sleeper") == 0; });
    REQUIRE(slept.size() == 20);
    CHECK(*std::min_element(slept.begin(), slept.end()) >= 300us);
    // Whole milliseconds of epoll_wait() could not do this; one undisturbed wait suffices to show.
    CHECK(*std::min_element(slept.begin(), slept.end()) < 900us);
}

TEST_CASE("a wait does not sleep while a process is ready", "[graph][main_loop]")
{
    main_loop loop{real_clock, nullptr};
    REQUIRE(loop.start("ready", [](process& self) { self.yield(); }));
    CHECK(time_of([&] { loop.wait(10s); }) < 2s);
    loop.run_ready();
    CHECK(time_of([&] { loop.wait(10s); }) < 2s);
}

TEST_CASE("a file is delivered though a process is always ready", "[graph][main_loop]")
{
    main_loop loop{real_clock, nullptr};
    const int file = eventfd(1, EFD_CLOEXEC);
    bool readable = false;
    REQUIRE(loop.start("busy", [](process& self) {
        for (;;)
            self.yield();
    }));
    REQUIRE(loop.start("reader", [&](process& self) { readable = self.wait_readable(file, 10s); }));
    for (int n = 0; n < 3; ++n) {
        loop.run_ready();
        loop.wait(10s);
    }
    CHECK(readable);
    close(file);
}

TEST_CASE("under a fake clock a wait does not sleep for a timer", "[graph][main_loop]")
{
    fake_clock clock;
    main_loop loop{clock, nullptr};
    bool awake = false;
    REQUIRE(loop.start("sleeper", [&](process& self) {
        self.sleep_for(1ms);
        awake = true;
    }));
    loop.run_ready();
    CHECK(time_of([&] { loop.wait(20ms); }) >= 20ms); // as long as it is told to
    CHECK(loop.run_ready() == 0);
    clock.advance(1ms);
    CHECK(time_of([&] { loop.wait(10s); }) < 2s); // due: at once
    loop.run_ready();
    CHECK(awake);
}

TEST_CASE("a signal ends a wait early", "[graph][main_loop]")
{
    struct sigaction action {};
    struct sigaction before {};
    action.sa_handler = [](int) {};
    REQUIRE(sigaction(SIGUSR1, &action, &before) == 0);
    main_loop loop{real_clock, nullptr};
    const auto waiting_thread = pthread_self();
    std::atomic<bool> done{false};
    std::jthread interrupter{[&] {
        while (!done) {
            pthread_kill(waiting_thread, SIGUSR1);
            std::this_thread::sleep_for(5ms);
        }
    }};
    CHECK(time_of([&] { loop.wait(10s); }) < 2s);
    done = true;
    interrupter.join();
    sigaction(SIGUSR1, &before, nullptr);
}

TEST_CASE("timers of others run with the processes", "[graph][main_loop]")
{
    fake_clock clock;
    main_loop loop{clock, nullptr};
    int calls = 0;
    timer own{[](timer&, void* count) { ++*static_cast<int*>(count); }, &calls};
    loop.timers().start(own, loop.now() + 301s);
    clock.advance(300s);
    CHECK(loop.run_ready() == 0);
    clock.advance(1s);
    CHECK(loop.run_ready() == 1);
    CHECK(calls == 1);
}
