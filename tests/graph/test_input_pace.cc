// SPDX-License-Identifier: Apache-2.0
// When an adaptive input changes from polling to waiting and back.
#include "graph/thread/input_pace.hh"

#include <catch2/catch.hpp>

using weft::input_pace;

namespace {

constexpr weft::pace_lengths lengths{.look = 100, .window = 1000};

// Polls for so many windows, with the same vector in each look; how often the input changed.
int run(input_pace& pace, uint64_t& now, int windows, uint32_t vector, uint64_t step = 100)
{
    int changes = 0;
    for (const uint64_t end = now + static_cast<uint64_t>(windows) * lengths.window; now < end;) {
        now += step;
        changes += pace.note(static_cast<uint32_t>(vector * step / lengths.look), now, lengths);
    }
    return changes;
}

} // namespace

TEST_CASE("an input without packets waits after a window", "[graph][input]")
{
    input_pace pace;
    uint64_t now = 5000;
    CHECK_FALSE(pace.note(0, now, lengths)); // told for the first time
    CHECK(run(pace, now, 3, 0, 10) == 1);
    CHECK(pace.quiet());
}

TEST_CASE("a long vector ends the waiting at once", "[graph][input]")
{
    input_pace pace{true};
    CHECK_FALSE(pace.note(input_pace::enough - 1, 1, lengths));
    CHECK(pace.note(input_pace::enough, 2, lengths));
    CHECK_FALSE(pace.quiet());
}

TEST_CASE("many short vectors end the waiting too", "[graph][input]")
{
    input_pace pace{true};
    uint64_t now = 5000;
    pace.note(0, now, lengths);
    CHECK(run(pace, now, 2, 20, 10) == 1); // two packets at a time
    CHECK_FALSE(pace.quiet());
}

TEST_CASE("between the two thresholds an input stays as it is", "[graph][input]")
{
    constexpr uint32_t between = (input_pace::enough + input_pace::too_few) / 2;
    for (const bool quiet : {false, true}) {
        input_pace pace{quiet};
        uint64_t now = 5000;
        pace.note(0, now, lengths);
        CHECK(run(pace, now, 50, between) == 0);
        CHECK(pace.quiet() == quiet);
    }
}

namespace {

// The packets of one window, one at a time, the last exactly at its end; whether the input changed
// then.
bool changed_by(bool quiet, uint32_t packets)
{
    input_pace pace{quiet};
    uint64_t now = 5000;
    pace.note(0, now, lengths);
    for (uint32_t n = 1; n < packets; ++n)
        REQUIRE_FALSE(pace.note(1, ++now, lengths));
    return pace.note(1, 5000 + lengths.window, lengths);
}

} // namespace

TEST_CASE("an average of exactly what is enough ends the waiting, one packet less does not",
          "[graph][input]")
{
    constexpr uint32_t looks = lengths.window / lengths.look;
    CHECK(changed_by(true, input_pace::enough * looks));
    CHECK_FALSE(changed_by(true, input_pace::enough * looks - 1));
}

TEST_CASE("an average of exactly the least goes on polling, one packet less does not",
          "[graph][input]")
{
    constexpr uint32_t looks = lengths.window / lengths.look;
    CHECK_FALSE(changed_by(false, input_pace::too_few * looks));
    CHECK(changed_by(false, input_pace::too_few * looks - 1));
}

TEST_CASE("nothing is judged before the window has passed, and all of it then", "[graph][input]")
{
    input_pace pace;
    pace.note(0, 5000, lengths);
    CHECK_FALSE(pace.note(0, 5000 + lengths.window - 1, lengths));
    CHECK_FALSE(pace.quiet());
    CHECK(pace.note(0, 5000 + lengths.window, lengths));
    CHECK(pace.quiet());
}
