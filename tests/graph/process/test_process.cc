// SPDX-License-Identifier: Apache-2.0
// Processes: what ends each wait for a clock or an event, and what is counted and logged.
#include "tests/graph/process/process_tester.hh"

#include <algorithm>
#include <stdexcept>

using namespace weft;

namespace {

enum : event_type { ping = 1, pong, other };

std::string text_of(const std::optional<event>& e)
{
    return e ? fmt::format("{}:{}", e->type, e->as<int>()) : "clock";
}

void spin_for(duration d)
{
    const steady_clock_source clock;
    for (const auto end = clock.now() + d; clock.now() < end;)
        ;
}

void registered_function(process&) {}
const process_registration registration{"test-registered", registered_function, 32 * 1024};

} // namespace

TEST_CASE("a process sleeps for as long as it asks", "[graph][process]")
{
    process_tester t;
    const auto id = t.start([&](process& self) {
        self.sleep_for(300s);
        t.note("awake");
    });
    CHECK(t.status(id).state == process_state::waiting_clock);
    CHECK(t.status(id).time_left == 300s);
    t.advance(299s);
    CHECK(t.log.empty());
    CHECK(t.status(id).time_left == 1s);
    t.advance(1s);
    CHECK(t.log == lines{"awake"});
    CHECK(t.loop.status().empty());
}

TEST_CASE("a long jump of the clock wakes a periodic process once", "[graph][process]")
{
    process_tester t;
    t.start([&](process& self) {
        for (;;) {
            self.sleep_for(1s);
            t.note("tick");
        }
    });
    t.advance(301s);
    CHECK(t.log.size() == 1);
    t.advance(1s);
    CHECK(t.log.size() == 2);
}

TEST_CASE("pending events keep their order and data", "[graph][process]")
{
    process_tester t;
    const auto id = t.start([&](process& self) {
        self.sleep_for(1s);
        for (;;)
            t.note(text_of(self.wait_event()));
    });
    CHECK(t.signal(id, ping, 10));
    CHECK(t.signal(id, pong, 20));
    CHECK(t.signal(id, ping, 30));
    CHECK(t.log.empty()); // it waits for the clock alone
    CHECK(t.status(id).events_pending == 3);
    t.advance(1s);
    CHECK(t.log == lines{"1:10", "2:20", "1:30"});
    CHECK(t.status(id).state == process_state::waiting_event);
    CHECK(t.status(id).events == 3);
    CHECK(t.status(id).events_pending == 0);
}

TEST_CASE("a wait for an event or the clock ends with the first", "[graph][process]")
{
    process_tester t;
    const auto id = t.start([&](process& self) {
        for (;;)
            t.note(text_of(self.wait_event_or_clock(10s)));
    });
    CHECK(t.status(id).state == process_state::waiting_event_or_clock);
    t.advance(9s);
    t.signal(id, ping, 7);
    CHECK(t.log == lines{"1:7"});
    t.advance(9s); // the first wait's clock is stopped
    CHECK(t.log.size() == 1);
    t.advance(1s);
    CHECK(t.log == lines{"1:7", "clock"});
}

TEST_CASE("the clock of a wait that an event ended is stopped", "[graph][process]")
{
    process_tester t;
    const auto id = t.start([&](process& self) {
        t.note(text_of(self.wait_event_or_clock(10s)));
        t.note(text_of(self.wait_event()));
    });
    t.signal(id, ping, 7);
    CHECK(t.loop.timers().size() == 0);
    t.advance(10s);
    CHECK(t.log == lines{"1:7"});
    CHECK(t.status(id).state == process_state::waiting_event);
}

TEST_CASE("a wait for one type leaves other events queued", "[graph][process]")
{
    process_tester t;
    const auto id = t.start([&](process& self) {
        t.note(text_of(self.wait_event_of(pong, 10s)));
        t.note(text_of(self.wait_event_of(pong, 10s)));
        t.note(text_of(self.wait_event()));
        t.note(text_of(self.wait_event()));
    });
    t.signal(id, ping, 1);
    t.signal(id, other, 2);
    CHECK(t.log.empty());
    t.signal(id, pong, 3);
    CHECK(t.log == lines{"2:3"});
    t.advance(10s);
    CHECK(t.log == lines{"2:3", "clock", "1:1", "3:2"});
}

TEST_CASE("a wait for one type finds it behind others that are queued", "[graph][process]")
{
    process_tester t;
    const auto id = t.start([&](process& self) {
        self.sleep_for(1s);
        t.note(text_of(self.wait_event_of(pong, 10s)));
        t.note(text_of(self.wait_event_or_clock(10s)));
    });
    t.signal(id, ping, 1);
    t.signal(id, pong, 2);
    t.advance(1s);
    CHECK(t.log == lines{"2:2", "1:1"});
}

TEST_CASE("a wait without end has no clock", "[graph][process]")
{
    process_tester t;
    const auto id =
        t.start([&](process& self) { t.note(text_of(self.wait_event_or_clock(duration::max()))); });
    CHECK_FALSE(t.status(id).time_left.has_value());
    t.advance(24h * 10'000);
    CHECK(t.log.empty());
    t.signal(id, ping, 1);
    CHECK(t.log == lines{"1:1"});
}

TEST_CASE("yield lets the others run", "[graph][process]")
{
    process_tester t;
    for (const std::string name : {"a", "b"}) {
        REQUIRE(t.loop.start(name, [&t, name](process& self) {
            t.note(name + "1");
            self.yield();
            t.note(name + "2");
        }));
    }
    CHECK(t.loop.run_ready() == 2);
    CHECK(t.loop.run_ready() == 2);
    CHECK(t.log == lines{"a1", "b1", "a2", "b2"});
    CHECK(t.loop.run_ready() == 0);
}

TEST_CASE("a full event queue refuses and counts", "[graph][process]")
{
    process_tester t;
    const auto id = t.start([&](process& self) {
        self.sleep_for(1s);
        for (;;)
            (void)self.wait_event();
    });
    for (size_t n = 0; n < main_loop::max_queued_events; ++n)
        REQUIRE(t.loop.signal(id, {}));
    CHECK_FALSE(t.loop.signal(id, {}));
    CHECK_FALSE(t.loop.signal(id, {}));
    CHECK(t.status(id).events_lost == 2);
    t.advance(1s);
    CHECK(t.loop.signal(id, {}));
    CHECK(t.status(id).events == main_loop::max_queued_events + 1);
}

TEST_CASE("a process that throws ends and is logged by its name", "[graph][process]")
{
    const captured_log log;
    process_tester t;
    const auto id = t.start("thrower", [](process& self) {
        self.yield();
        throw std::runtime_error{"out of cheese"};
    });
    t.loop.run_ready();
    CHECK(t.status(id).state == process_state::done);
    CHECK_THAT(log.text(), Catch::Contains("thrower") && Catch::Contains("out of cheese"));
}

// The C++ runtime keeps one chain of handled exceptions for each thread.
TEST_CASE("processes that wait inside a catch block keep their exceptions", "[graph][process]")
{
    process_tester t;
    for (const std::string name : {"a", "b"}) {
        t.start(name, [&t, name](process& self) {
            try {
                throw std::runtime_error{name};
            } catch (const std::exception&) {
                self.sleep_for(name == "a" ? 1s : 2s);
                try {
                    throw;
                } catch (const std::exception& mine) {
                    t.note(name + mine.what());
                }
            }
        });
    }
    CHECK(std::current_exception() == nullptr);
    t.advance(1s);
    t.advance(1s);
    CHECK(t.log == lines{"aa", "bb"});
}

TEST_CASE("a long run is counted, and logged once a second", "[graph][process]")
{
    const captured_log log;
    process_tester t;
    const auto id = t.start("hog", [](process& self) {
        for (;;) {
            self.yield();
            spin_for(12ms);
        }
    });
    CHECK(t.status(id).long_runs == 0);
    for (int n = 0; n < 3; ++n)
        t.loop.run_ready();
    CHECK(t.status(id).long_runs == 3);
    const auto text = log.text();
    CHECK_THAT(text, Catch::Contains("`hog' ran for 1"));
    CHECK(text.find("hog") == text.rfind("hog"));
    CHECK(t.status(id).clocks > 1'000'000);
}

TEST_CASE("what a process waits for is told in words", "[graph][process]")
{
    process_tester t;
    const auto id = t.start([](process& self) {
        self.sleep_for(1s);
        (void)self.wait_event();
        (void)self.wait_event_of(pong, duration::max());
        (void)self.wait_event_of(ping, 5s);
        (void)self.wait_event_or_clock(5s);
        self.yield();
    });
    CHECK(t.status(id).waits_for == "clock");
    t.advance(1s);
    CHECK(t.status(id).waits_for == "any event");
    t.signal(id, other);
    CHECK(t.status(id).waits_for == "event 2");
    t.signal(id, pong);
    CHECK(t.status(id).waits_for == "event 1 or clock");
    CHECK(t.status(id).time_left == 5s);
    t.advance(5s);
    CHECK(t.status(id).waits_for == "any event or clock");
    t.advance(5s);
    CHECK(t.status(id).waits_for.empty());
}

TEST_CASE("the longest run is kept", "[graph][process]")
{
    process_tester t;
    const auto id = t.start([](process& self) {
        for (const auto d : {1ms, 4ms, 1ms}) {
            spin_for(d);
            self.yield();
        }
        self.sleep_for(1s);
    });
    t.loop.run_ready();
    t.loop.run_ready();
    CHECK(t.status(id).longest_run >= 4ms);
    CHECK(t.status(id).longest_run < 1s);
}

TEST_CASE("runs and suspends are counted", "[graph][process]")
{
    process_tester t;
    const auto id = t.start([](process& self) {
        for (;;)
            self.sleep_for(1s);
    });
    t.advance(1s);
    t.advance(1s);
    CHECK(t.status(id).runs == 3);
    CHECK(t.status(id).suspends == 3);
}

TEST_CASE("a registered process is listed", "[graph][process]")
{
    const auto all = registered_processes();
    const auto found =
        std::find_if(all.begin(), all.end(), [](auto* each) { return each == &registration; });
    REQUIRE(found != all.end());
    CHECK((*found)->name == "test-registered");
    CHECK((*found)->function == registered_function);
    CHECK((*found)->stack_size == 32 * 1024);
    CHECK_THAT((*found)->where.file_name(), Catch::EndsWith("test_process.cc"));
}
