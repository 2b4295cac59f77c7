// SPDX-License-Identifier: Apache-2.0
// Stopping a process: it is unwound, whatever it waits for and whoever asks.
#include "tests/graph/process/process_tester.hh"

using namespace weft;

TEST_CASE("stopping unwinds a process, whatever it waits for", "[graph][process]")
{
    process_tester t;
    const pipe_ends pipe;
    const auto wait = GENERATE(0, 1, 2, 3);
    const auto id = t.start([&](process& self) {
        const std::shared_ptr<void> local{nullptr, [&](void*) { t.note("unwound"); }};
        switch (wait) {
        case 0:
            self.sleep_for(1s);
            break;
        case 1:
            (void)self.wait_event();
            break;
        case 2:
            (void)self.wait_readable(pipe.out(), 1s);
            break;
        case 3:
            self.yield();
            break;
        }
        t.note("went on");
    });
    REQUIRE(t.loop.stop(id).has_value());
    CHECK(t.log == lines{"unwound"});
    CHECK(t.loop.status().empty());
    CHECK(t.loop.timers().size() == 0);
    CHECK_FALSE(t.signal(id, 1));
    t.advance(1h);
    CHECK(t.log.size() == 1);
}

TEST_CASE("a process that never ran is stopped without running", "[graph][process]")
{
    process_tester t;
    const auto id = t.loop.start("test", [&](process&) { t.note("ran"); });
    REQUIRE(t.loop.stop(*id).has_value());
    CHECK(t.loop.run_ready() == 0);
    CHECK(t.log.empty());
}

TEST_CASE("a stopped process passes its handlers of std::exception", "[graph][process]")
{
    process_tester t;
    const auto id = t.start([&](process& self) {
        try {
            self.sleep_for(1s);
        } catch (const std::exception&) {
            t.note("std::exception");
        } catch (...) {
            t.note("anything");
            throw;
        }
    });
    REQUIRE(t.loop.stop(id));
    CHECK(t.log == lines{"anything"});
}

TEST_CASE("a process that swallows its stop is stopped at its next wait", "[graph][process]")
{
    process_tester t;
    const auto id = t.start([&](process& self) {
        try {
            self.sleep_for(1s);
        } catch (...) {
            t.note("swallowed");
        }
        self.sleep_for(1s);
        t.note("went on");
    });
    REQUIRE(t.loop.stop(id));
    CHECK(t.log == lines{"swallowed"});
    CHECK(t.loop.timers().size() == 0);
}

TEST_CASE("a process may stop another, but not itself", "[graph][process]")
{
    process_tester t;
    const auto victim = t.start("victim", [&](process& self) {
        const std::shared_ptr<void> local{nullptr, [&](void*) {
                                              t.note(t.loop.running_name());
                                              t.note(t.loop.stop(t.loop.find("killer")) ? "?"
                                                                                        : "-");
                                          }};
        (void)self.wait_event();
    });
    t.start("killer", [&](process& self) {
        CHECK(t.loop.stop(self.id()).error().code == errc::invalid_argument);
        CHECK(t.loop.stop(victim).has_value());
        CHECK(t.loop.stop(victim).error().code == errc::not_found);
        t.note(t.loop.running_name());
        self.sleep_for(1s);
        t.note("on");
    });
    CHECK(t.log == lines{"victim", "-", "killer"});
    t.advance(1s);
    CHECK(t.log.back() == "on");
}

TEST_CASE("a process may stop one that is ready to run", "[graph][process]")
{
    process_tester t;
    const auto victim = t.loop.start("victim", [&](process& self) {
        self.yield();
        t.note("went on");
    });
    t.start("killer", [&](process&) { CHECK(t.loop.stop(*victim)); });
    t.loop.run_ready();
    CHECK(t.log.empty());
    CHECK(t.loop.status().empty());
}
