// SPDX-License-Identifier: Apache-2.0
// The timing wheel: never early, at most a tick late, in order, whatever its callbacks do.
#include "graph/process/timing_wheel.hh"

#include <algorithm>
#include <catch2/catch.hpp>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <vector>

using namespace weft;

namespace {

constexpr duration epoch = 5s;
constexpr duration tick = 100us;

// A timer that calls a function.
struct acting_timer {
    std::function<void()> action;
    timer clock{[](timer&, void* self) { static_cast<acting_timer*>(self)->action(); }, this};
};

// Timers that write their number down when they expire.
struct recorder {
    timing_wheel wheel{epoch, tick};
    std::vector<std::unique_ptr<acting_timer>> timers;
    std::vector<size_t> expired;

    explicit recorder(size_t count)
    {
        for (size_t n = 0; n < count; ++n) {
            timers.push_back(std::make_unique<acting_timer>());
            timers[n]->action = [this, n] { expired.push_back(n); };
        }
    }
    timer& operator[](size_t n) { return timers[n]->clock; }
    std::vector<size_t> advance(duration now)
    {
        expired.clear();
        const size_t count = wheel.advance(now);
        CHECK(count == expired.size());
        return expired;
    }
};

using numbers = std::vector<size_t>;

// What the wheel shall do, written as simply as possible.
class model {
public:
    void start(size_t n, duration deadline)
    {
        stop(n);
        const auto since = deadline - epoch;
        const int64_t rounded = since <= 0s ? 0 : (since + tick - 1ns) / tick;
        const int64_t due = std::max(rounded, now_tick_);
        places_[n] = timers_.emplace(due, n);
    }
    void stop(size_t n)
    {
        if (const auto found = places_.find(n); found != places_.end()) {
            timers_.erase(found->second);
            places_.erase(found);
        }
    }
    numbers advance(duration now)
    {
        now_tick_ = (now - epoch) / tick;
        numbers expired;
        while (!timers_.empty() && timers_.begin()->first <= now_tick_) {
            expired.push_back(timers_.begin()->second);
            stop(expired.back());
        }
        return expired;
    }
    [[nodiscard]] size_t size() const { return timers_.size(); }
    [[nodiscard]] std::optional<duration> first() const
    {
        if (timers_.empty())
            return std::nullopt;
        return epoch + timers_.begin()->first * tick;
    }

private:
    int64_t now_tick_ = 0;
    std::multimap<int64_t, size_t> timers_; // by tick; equal ones in order of insertion
    std::map<size_t, std::multimap<int64_t, size_t>::iterator> places_;
};

} // namespace

TEST_CASE("a timer is never early and at most one tick late", "[graph][timing_wheel]")
{
    recorder timers{1};
    const duration deadline = epoch + 70'050us; // half a tick beyond a tick
    timers.wheel.start(timers[0], deadline);
    CHECK(timers[0].active());
    CHECK(timers[0].expires_at() == deadline);
    CHECK(timers.advance(deadline - 1ns).empty());
    CHECK(timers.advance(deadline + tick) == numbers{0});
    CHECK_FALSE(timers[0].active());
    CHECK(timers.advance(deadline + 1h).empty());
}

TEST_CASE("a deadline in the past expires at the next advance", "[graph][timing_wheel]")
{
    recorder timers{2};
    timers.wheel.start(timers[0], epoch - 1h);
    timers.wheel.start(timers[1], epoch);
    CHECK(timers.wheel.next_wakeup() <= epoch);
    CHECK(timers.advance(epoch) == numbers{0, 1});
}

TEST_CASE("timers expire in order of their tick, then of their start", "[graph][timing_wheel]")
{
    recorder timers{6};
    const duration at[] = {3h, 2ms, 30s, 2ms, 700ms, 30s};
    for (size_t n = 0; n < 6; ++n)
        timers.wheel.start(timers[n], epoch + at[n]);
    CHECK(timers.wheel.size() == 6);
    CHECK(timers.advance(epoch + 1s) == numbers{1, 3, 4});
    // Started last for a tick that two others had before the cascade.
    timers.wheel.start(timers[1], epoch + 30s);
    CHECK(timers.advance(epoch + 4h) == numbers{2, 5, 1, 0});
    CHECK(timers.wheel.size() == 0);
}

TEST_CASE("a started timer can be moved and stopped", "[graph][timing_wheel]")
{
    recorder timers{2};
    timers.wheel.start(timers[0], epoch + 1s);
    timers.wheel.start(timers[0], epoch + 3s);
    timers.wheel.start(timers[1], epoch + 2s);
    CHECK(timers.wheel.size() == 2);
    timers.wheel.stop(timers[1]);
    timers.wheel.stop(timers[1]);
    CHECK(timers.advance(epoch + 2s).empty());
    CHECK(timers.advance(epoch + 3s) == numbers{0});
}

TEST_CASE("random starts, moves, stops and advances match a simple model", "[graph][timing_wheel]")
{
    recorder timers{200};
    model expected;
    std::mt19937_64 random{GENERATE(1, 2, 3)};
    duration now = epoch;
    for (int step = 0; step < 20'000; ++step) {
        // Of all magnitudes: from some microseconds to beyond the reach of the wheel.
        const duration d{static_cast<int64_t>(random() >> (random() % 50 + 8))};
        const size_t n = random() % 200;
        if (const auto what = random() % 10; what < 6) {
            timers.wheel.start(timers[n], now + d);
            expected.start(n, now + d);
        } else if (what < 8) {
            timers.wheel.stop(timers[n]);
            expected.stop(n);
        } else {
            now += d / 1024;
            REQUIRE(timers.advance(now) == expected.advance(now));
        }
        REQUIRE(timers.wheel.size() == expected.size());
        REQUIRE(timers.wheel.next_wakeup().has_value() == expected.first().has_value());
        if (expected.first())
            REQUIRE(*timers.wheel.next_wakeup() <= *expected.first());
    }
}

TEST_CASE("sleeping until next_wakeup reaches any deadline in few steps", "[graph][timing_wheel]")
{
    recorder timers{1};
    const duration deadline = epoch + GENERATE(1ms, 1s, 1h, 24h, 24h * 30, 24h * 365);
    timers.wheel.start(timers[0], deadline);
    size_t steps = 0;
    duration now = epoch;
    while (timers[0].active()) {
        const auto next = timers.wheel.next_wakeup();
        REQUIRE(next.has_value());
        REQUIRE(*next > now);
        now = *next;
        timers.wheel.advance(now);
        ++steps;
    }
    CHECK(now == deadline);
    CHECK(steps < 100);
    CHECK_FALSE(timers.wheel.next_wakeup().has_value());
}

TEST_CASE("timers beyond 2^32 ticks are cascaded again", "[graph][timing_wheel]")
{
    recorder timers{3};
    const duration reach = tick * (int64_t{1} << 32);
    timers.wheel.start(timers[0], epoch + reach * 3 + 7ms);
    timers.wheel.start(timers[1], epoch + reach * 3 + 7ms);
    timers.wheel.start(timers[2], epoch + reach);
    CHECK(timers.advance(epoch + reach) == numbers{2});
    CHECK(timers.advance(epoch + reach * 3 + 6900us).empty());
    CHECK(timers.advance(epoch + reach * 3 + 7ms) == numbers{0, 1});
}

TEST_CASE("the end of time is a deadline like any other", "[graph][timing_wheel]")
{
    recorder timers{1};
    timers.wheel.start(timers[0], duration::max());
    CHECK(timers.wheel.next_wakeup().has_value());
    CHECK(timers.advance(duration::max() - 1s).empty());
    CHECK(*timers.wheel.next_wakeup() <= duration::max());
}

TEST_CASE("a callback may stop the others of its tick", "[graph][timing_wheel]")
{
    recorder timers{3};
    for (size_t n = 0; n < 3; ++n)
        timers.wheel.start(timers[n], epoch + 5ms);
    timers.timers[0]->action = [&] {
        timers.expired.push_back(0);
        timers.wheel.stop(timers[1]);
    };
    CHECK(timers.advance(epoch + 5ms) == numbers{0, 2});
    CHECK(timers.wheel.size() == 0);
}

TEST_CASE("a callback may move another of its tick", "[graph][timing_wheel]")
{
    recorder timers{2};
    for (size_t n = 0; n < 2; ++n)
        timers.wheel.start(timers[n], epoch + 5ms);
    timers.timers[0]->action = [&] {
        timers.expired.push_back(0);
        timers.wheel.start(timers[1], epoch + 6ms);
    };
    CHECK(timers.advance(epoch + 5ms) == numbers{0});
    CHECK(timers.advance(epoch + 6ms) == numbers{1});
}

TEST_CASE("a callback may start itself again", "[graph][timing_wheel]")
{
    recorder timers{1};
    timers.timers[0]->action = [&] {
        timers.expired.push_back(0);
        timers.wheel.start(timers[0], timers[0].expires_at() + 10ms);
    };
    timers.wheel.start(timers[0], epoch + 10ms);
    CHECK(timers.advance(epoch + 35ms) == numbers{0, 0, 0});
    CHECK(timers[0].expires_at() == epoch + 40ms);
}

TEST_CASE("what a callback starts in the past waits for the next advance", "[graph][timing_wheel]")
{
    recorder timers{1};
    timers.timers[0]->action = [&] {
        timers.expired.push_back(0);
        timers.wheel.start(timers[0], epoch);
    };
    timers.wheel.start(timers[0], epoch + 1ms);
    CHECK(timers.advance(epoch + 1s) == numbers{0});
    CHECK(timers.wheel.next_wakeup() <= epoch + 1s);
    CHECK(timers.advance(epoch + 1s) == numbers{0});
}

TEST_CASE("a callback may destroy its own timer and others", "[graph][timing_wheel]")
{
    recorder timers{3};
    for (size_t n = 0; n < 3; ++n)
        timers.wheel.start(timers[n], epoch + 5ms);
    timers.timers[0]->action = [&timers] {
        auto& all = timers; // the closure goes with the timer
        all.expired.push_back(0);
        all.timers[1].reset();
        all.timers[0].reset();
    };
    CHECK(timers.advance(epoch + 5ms) == numbers{0, 2});
}

TEST_CASE("a timer that goes is stopped", "[graph][timing_wheel]")
{
    timing_wheel wheel{epoch, tick};
    bool called = false;
    {
        acting_timer t{[&] { called = true; }};
        wheel.start(t.clock, epoch + 1ms);
        CHECK(wheel.size() == 1);
    }
    CHECK(wheel.size() == 0);
    CHECK(wheel.advance(epoch + 1s) == 0);
    CHECK_FALSE(called);
}

TEST_CASE("a wheel that goes lets its timers go", "[graph][timing_wheel]")
{
    acting_timer near{[] {}};
    acting_timer distant{[] {}};
    {
        timing_wheel wheel{epoch, tick};
        wheel.start(near.clock, epoch + 1ms);
        wheel.start(distant.clock, epoch + 24h * 365);
    }
    CHECK_FALSE(near.clock.active());
    CHECK_FALSE(distant.clock.active());
}

TEST_CASE("a timer may move to another wheel", "[graph][timing_wheel]")
{
    timing_wheel one{epoch, tick};
    timing_wheel other{epoch, tick};
    acting_timer t{[] {}};
    one.start(t.clock, epoch + 1ms);
    other.start(t.clock, epoch + 2ms);
    CHECK(one.size() == 0);
    CHECK(one.advance(epoch + 1s) == 0);
    CHECK(other.advance(epoch + 1s) == 1);
}

TEST_CASE("a wheel counts what it does", "[graph][timing_wheel]")
{
    recorder timers{3};
    timers.wheel.start(timers[0], epoch + 10ms);
    timers.wheel.start(timers[1], epoch + 10s); // two levels up
    timers.wheel.start(timers[2], epoch + 10s);
    timers.wheel.start(timers[2], epoch + 20s);
    timers.wheel.stop(timers[2]);
    timers.wheel.stop(timers[2]);
    CHECK(timers.advance(epoch + 13ms) == numbers{0});
    CHECK(timers.wheel.counts().longest_delay == 3ms);
    CHECK(timers.advance(epoch + 10s) == numbers{1});
    const auto& counts = timers.wheel.counts();
    CHECK(counts.started == 4);
    CHECK(counts.stopped == 1);
    CHECK(counts.expired == 2);
    CHECK(counts.most == 3);
    CHECK(counts.longest_delay == 3ms);
    CHECK(counts.cascaded == 2); // from the third level to the second, and to the first
}

// Started, moved and stopped at random while the clock goes on by random steps: a timer may expire
// only in the first advance() that reaches its deadline or the next tick after it.
TEST_CASE("under random steps of the clock no timer is early or a tick late",
          "[graph][timing_wheel]")
{
    struct one {
        timer clock{[](timer& t, void* self) { static_cast<one*>(self)->expire(t.expires_at()); },
                    this};
        const duration* now;
        const duration* before; // the advance() before
        bool wrong = false;
        explicit one(const duration& n, const duration& b) : now{&n}, before{&b} {}
        void expire(duration deadline)
        {
            wrong = wrong || *now < deadline || *before >= deadline + tick;
        }
    };
    std::mt19937_64 random{GENERATE(4, 5, 6, 7)};
    duration now = epoch;
    duration before = epoch;
    timing_wheel wheel{epoch, tick};
    std::deque<one> all;
    for (int n = 0; n < 500; ++n)
        all.emplace_back(now, before);
    size_t expired = 0;
    for (int step = 0; step < 20'000; ++step) {
        for (int n = 0; n < 4; ++n) {
            auto& chosen = all[random() % all.size()];
            const duration d{static_cast<int64_t>(random() >> (random() % 34 + 24))};
            if (random() % 8 == 0)
                wheel.stop(chosen.clock);
            else
                wheel.start(chosen.clock, now + d);
        }
        before = now;
        now += duration{static_cast<int64_t>(random() >> (random() % 30 + 30))};
        expired += wheel.advance(now);
    }
    CHECK(expired > 10'000);
    CHECK(std::none_of(all.begin(), all.end(), [](const one& t) { return t.wrong; }));
    for (const auto& t : all) // what still runs is not overdue
        CHECK((!t.clock.active() || t.clock.expires_at() + tick > now));
}

TEST_CASE("a million timers start, stop and expire", "[graph][timing_wheel]")
{
    constexpr size_t count = 1'000'000;
    timing_wheel wheel{epoch, tick};
    size_t expired = 0;
    std::deque<timer> timers;
    for (size_t n = 0; n < count; ++n) {
        timers.emplace_back([](timer&, void* sum) { ++*static_cast<size_t*>(sum); }, &expired);
        wheel.start(timers.back(), epoch + 1us * static_cast<int64_t>(n * 7919 % count));
    }
    for (size_t n = 0; n < count; n += 2)
        wheel.stop(timers[n]);
    CHECK(wheel.size() == count / 2);
    CHECK(wheel.advance(epoch + 1s) == count / 2);
    CHECK(expired == count / 2);
}
