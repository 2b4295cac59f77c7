// SPDX-License-Identifier: Apache-2.0
// The ring between two threads: order, bounds, and nothing lost or torn on the way.
#include "base/spsc_ring.hh"

#include <catch2/catch.hpp>
#include <cstdint>
#include <thread>
#include <vector>

using namespace weft;

TEST_CASE("a ring's capacity is rounded up to a power of two", "[graph][spsc_ring]")
{
    CHECK(spsc_ring<int>{1}.capacity() == 1);
    CHECK(spsc_ring<int>{5}.capacity() == 8);
    CHECK(spsc_ring<int>{1024}.capacity() == 1024);
}

TEST_CASE("a ring gives back in order, refuses when full, and is empty at last",
          "[graph][spsc_ring]")
{
    spsc_ring<int> ring{4};
    int item = 0;
    CHECK_FALSE(ring.pop(item));
    for (int n = 1; n <= 4; ++n)
        CHECK(ring.push(n));
    CHECK_FALSE(ring.push(5));
    CHECK(ring.size() == 4);
    for (int n = 1; n <= 4; ++n) {
        REQUIRE(ring.pop(item));
        CHECK(item == n);
    }
    CHECK_FALSE(ring.pop(item));
    CHECK(item == 4); // untouched
    CHECK(ring.size() == 0);
}

TEST_CASE("a ring goes round many times at every fill", "[graph][spsc_ring]")
{
    spsc_ring<unsigned> ring{8};
    unsigned in = 0;
    unsigned out = 0;
    for (unsigned round = 0; round < 1000; ++round) {
        for (unsigned n = 0; n <= round % 8; ++n)
            REQUIRE(ring.push(in++));
        for (unsigned item = 0; ring.pop(item); ++out)
            REQUIRE(item == out);
    }
    CHECK(in == out);
}

TEST_CASE("a place that was taken can be used at once", "[graph][spsc_ring]")
{
    spsc_ring<int> ring{1};
    int item = 0;
    for (int n = 0; n < 10; ++n) {
        REQUIRE(ring.push(n));
        REQUIRE_FALSE(ring.push(-1));
        REQUIRE(ring.pop(item));
        REQUIRE(item == n);
    }
}

// Both halves must be of one push: a torn or early seen slot would differ.
TEST_CASE("two threads hand over through a small ring, in order", "[graph][spsc_ring][thread]")
{
    struct item {
        uint64_t number = 0;
        uint64_t inverse = 0;
    };
    constexpr uint64_t items = 200'000;
    spsc_ring<item> ring{64};
    std::thread producer{[&] {
        for (uint64_t n = 0; n < items;)
            if (ring.push({n, ~n}))
                ++n;
            else
                std::this_thread::yield();
    }};
    uint64_t faults = 0;
    item got;
    for (uint64_t n = 0; n < items;)
        if (ring.pop(got))
            faults += got.number != n++ || got.inverse != ~got.number;
        else
            std::this_thread::yield();
    producer.join();
    CHECK(faults == 0);
    CHECK(ring.size() == 0);
}
