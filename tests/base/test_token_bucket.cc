// SPDX-License-Identifier: Apache-2.0
// Rates: neither more nor less than was asked for, bursts, and how long to wait for the next token.
#include "base/token_bucket.hh"

#include <catch2/catch.hpp>

using namespace weft;

namespace {

constexpr uint32_t burst = 256;

} // namespace

TEST_CASE("a bucket gives neither more nor less than the rate", "[graph]")
{
    const uint64_t rate = GENERATE(1, 7, 10'000, 3'333'333);
    constexpr uint64_t hz = 2'500'000'000;
    token_bucket pace{rate, hz, burst};
    uint64_t now = 12345;
    pace.restart(now);
    uint64_t got = 0;
    const uint64_t step = std::min(100 * hz / rate / 7, hz / 3); // no whole number of packets
    const uint64_t end = now + 3 * hz;
    for (; now < end; now += step)
        got += pace.take(now, burst);
    CHECK(got == static_cast<uint64_t>((now - step - 12345) * static_cast<double>(rate) / hz));
}

TEST_CASE("a bucket makes up for what it holds at most", "[graph]")
{
    token_bucket pace{token_bucket::max_rate, 2'500'000'000, burst};
    pace.restart(0);
    CHECK(pace.take(UINT64_MAX, 100) == 100);
    CHECK(pace.take(UINT64_MAX, burst) == burst - 100); // what was left
    CHECK(pace.take(UINT64_MAX, burst) == 0);
}

TEST_CASE("a bucket says how long it takes to the next token", "[graph]")
{
    token_bucket tokens{3, 1'000'000'000, 1};
    tokens.restart(0);
    CHECK(tokens.wait() == 333'333'334);
    CHECK(tokens.take(333'333'333, 1) == 0);
    CHECK(tokens.wait() == 1);
    CHECK(tokens.take(333'333'334, 1) == 1);
    CHECK(tokens.take(10'000'000'000, 2) == 1); // it holds no more
}
