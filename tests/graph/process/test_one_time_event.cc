// SPDX-License-Identifier: Apache-2.0
// One-time events: one answer to one question, however many are asked and however late one comes.
#include "graph/thread/grace_period.hh"
#include "tests/graph/graph_tester.hh"
#include "tests/graph/process/process_tester.hh"

#include <thread>

using namespace weft;

namespace {

enum : event_type { usual = 1 };

std::string data_text(const std::optional<event>& e)
{
    return e ? std::to_string(e->as<int>()) : "clock";
}

// Starts a process that opens a one-time event, tells its type, runs `body` and holds the event
// from then on.
process_id start_holder(process_tester& t, event_type& type, process_function body)
{
    return t.start([&type, body = std::move(body)](process& self) {
        const auto answer = self.open_one_time_event();
        type = answer->type();
        body(self);
        self.sleep_for(1h);
    });
}

} // namespace

TEST_CASE("a one-time event is delivered once, with its data", "[graph][process]")
{
    process_tester t;
    event_type type = 0;
    const auto id = start_holder(
        t, type, [&](process& self) { t.note(data_text(self.wait_event_of(type, 10s))); });
    CHECK((type & one_time_bit) != 0);
    CHECK(t.status(id).waits_for ==
          fmt::format("one-time event {} or clock", type & ~one_time_bit));
    CHECK(t.signal(id, usual, 1)); // not what it waits for
    CHECK(t.log.empty());
    CHECK(t.signal(id, type, 42));
    CHECK(t.log == lines{"42"});
    CHECK_FALSE(t.signal(id, type, 43));
    CHECK(t.status(id).events_late == 1);
    CHECK(t.status(id).events_pending == 1); // the usual one
}

TEST_CASE("an answer that comes too late is refused, not taken for the next", "[graph][process]")
{
    process_tester t;
    std::vector<event_type> types;
    const auto id = t.start([&](process& self) {
        for (int n = 0; n < 2; ++n) {
            const auto answer = self.open_one_time_event();
            types.push_back(answer->type());
            t.note(data_text(self.wait_event_of(answer->type(), 1s)));
        }
        self.sleep_for(1h);
    });
    t.advance(1s);
    CHECK(t.log == lines{"clock"});
    REQUIRE(types.size() == 2);
    CHECK_FALSE(t.signal(id, types[0], 7));
    CHECK(t.log.size() == 1);
    CHECK(t.signal(id, types[1], 8));
    CHECK(t.log == lines{"clock", "8"});
}

TEST_CASE("one that was signalled and not awaited leaves nothing behind", "[graph][process]")
{
    process_tester t;
    event_type type = 0;
    const auto id = t.start([&](process& self) {
        {
            const auto answer = self.open_one_time_event();
            type = answer->type();
            self.sleep_for(1s);
        }
        t.note(data_text(self.wait_event_or_clock(1s)));
    });
    CHECK(t.signal(id, type, 1));
    CHECK_FALSE(t.signal(id, type, 2)); // twice before it was taken
    t.advance(1s);
    CHECK(t.status(id).events_pending == 0);
    t.advance(1s);
    CHECK(t.log == lines{"clock"});
}

TEST_CASE("a wait for any event takes one-time events in their order", "[graph][process]")
{
    process_tester t;
    event_type type = 0;
    const auto id = start_holder(t, type, [&](process& self) {
        self.sleep_for(1s);
        for (int n = 0; n < 3; ++n)
            t.note(data_text(self.wait_event()));
    });
    t.signal(id, usual, 1);
    t.signal(id, type, 2);
    t.signal(id, usual, 3);
    t.advance(1s);
    CHECK(t.log == lines{"1", "2", "3"});
    CHECK_FALSE(t.signal(id, type, 4)); // over, though its owner still holds it
}

TEST_CASE("a one-time event has its place in a queue that is full", "[graph][process]")
{
    process_tester t;
    event_type type = 0;
    const auto id = start_holder(
        t, type, [&](process& self) { t.note(data_text(self.wait_event_of(type, 1h))); });
    while (t.loop.signal(id, {.type = usual, .payload = {}}))
        ;
    CHECK(t.status(id).events_pending == main_loop::max_queued_events);
    CHECK(t.signal(id, type, 5));
    CHECK(t.log == lines{"5"});
}

TEST_CASE("one-time events are bounded", "[graph][process]")
{
    process_tester t;
    t.start([&](process& self) {
        {
            std::vector<one_time_event> held;
            for (size_t n = 0; n < main_loop::max_one_time; ++n)
                held.push_back(*self.open_one_time_event());
            const auto more = self.open_one_time_event();
            REQUIRE_FALSE(more.has_value());
            CHECK(more.error().code == errc::exhausted);
            CHECK_THAT(more.error().message, Catch::Contains("`test'"));
        }
        CHECK(self.open_one_time_event().has_value());
        t.note("done");
    });
    CHECK(t.log == lines{"done"});
}

TEST_CASE("another thread answers by a one-time event", "[graph][process][thread]")
{
    const steady_clock_source clock;
    main_loop loop{clock, nullptr};
    int sum = 0;
    const auto id = loop.start("asker", [&](process& self) {
        for (int n = 1; n <= 100; ++n) {
            const auto answer = self.open_one_time_event();
            std::jthread helper{[&, n, type = answer->type()] {
                loop.post(self.id(), event::of(type, n));
                loop.post(self.id(), event::of(type, -1000));
            }};
            sum += self.wait_event_of(answer->type(), 10s)->as<int>();
        }
    });
    const auto end = clock.now() + 10s;
    while (loop.alive(*id) && clock.now() < end) {
        loop.wait(1s);
        loop.run_ready();
    }
    CHECK(sum == 5050);
}

TEST_CASE("a grace period is over when every worker has ended its loop", "[graph][process][thread]")
{
    graph_tester tester{{source("source", {"sink"}), sink("sink")}, {0, 0}};
    tester.start();
    bool over = false;
    REQUIRE(tester.engine.loop().start("changer", [&](process& self) {
        REQUIRE(tester.engine.publish_plans());
        CHECK(wait_grace_period(self).has_value());
        over = true;
    }));
    CHECK(tester.run_until([&] { return over; }));
}

TEST_CASE("a grace period that does not end is told as such", "[graph][process]")
{
    graph_tester tester{{source("source", {"sink"}), sink("sink")}, {0}};
    tester.publish();
    tester.engine.rcu().online(1); // a worker that stands still
    std::string told;
    REQUIRE(tester.engine.loop().start(
        "changer", [&](process& self) { told = wait_grace_period(self, 3s).error().message; }));
    tester.engine.run_main_once();
    tester.clock.advance(3s);
    tester.engine.run_main_once();
    CHECK(told == "the change was made, but a worker did not finish its loop within 3000 ms");
    tester.engine.rcu().offline(1);
}
