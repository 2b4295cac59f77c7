// SPDX-License-Identifier: Apache-2.0
// Deferred release: after every reader's loop that could hold what was replaced, not a moment
// before.
#include "graph/thread/rcu.hh"

#include <atomic>
#include <catch2/catch.hpp>
#include <string>
#include <thread>

using namespace weft;

TEST_CASE("without readers a release runs in the next reclaim", "[graph][rcu]")
{
    rcu_domain rcu{3};
    bool released = false;
    rcu.defer([&] { released = true; });
    CHECK_FALSE(released);
    CHECK(rcu.pending() == 1);
    CHECK(rcu.reclaim() == 1);
    CHECK(released);
    CHECK(rcu.pending() == 0);
    CHECK(rcu.reclaim() == 0);
}

TEST_CASE("a release waits for a reader inside its loop", "[graph][rcu]")
{
    rcu_domain rcu{3};
    rcu.online(1);
    bool released = false;
    rcu.defer([&] { released = true; });
    CHECK(rcu.reclaim() == 0);
    CHECK(rcu.reclaim() == 0);
    CHECK_FALSE(released);
    rcu.quiescent(1);
    CHECK(rcu.reclaim() == 1);
    CHECK(released);
    rcu.offline(1);
}

TEST_CASE("a release waits for the slowest of several readers", "[graph][rcu]")
{
    rcu_domain rcu{3};
    rcu.online(1);
    rcu.online(2);
    rcu.defer([] {});
    rcu.quiescent(1);
    rcu.quiescent(1);
    CHECK(rcu.reclaim() == 0);
    rcu.quiescent(2);
    CHECK(rcu.reclaim() == 1);
    rcu.offline(1);
    rcu.offline(2);
}

TEST_CASE("a reader that sleeps delays nobody", "[graph][rcu]")
{
    rcu_domain rcu{2};
    rcu.online(1);
    rcu.defer([] {});
    CHECK(rcu.reclaim() == 0);
    rcu.offline(1);
    CHECK(rcu.reclaim() == 1);
    rcu.defer([] {});
    CHECK(rcu.reclaim() == 1);
}

TEST_CASE("a reader that woke after a replacement cannot hold the old", "[graph][rcu]")
{
    rcu_domain rcu{2};
    rcu.defer([] {});
    rcu.online(1);
    CHECK(rcu.reclaim() == 1);
    rcu.defer([] {}); // but what is replaced from now on it may hold
    CHECK(rcu.reclaim() == 0);
    rcu.offline(1);
    CHECK(rcu.reclaim() == 1);
}

TEST_CASE("releases run in order, each after its own grace period", "[graph][rcu]")
{
    rcu_domain rcu{2};
    std::string log;
    rcu.online(1);
    rcu.defer([&] { log += '1'; });
    rcu.defer([&] { log += '2'; });
    rcu.quiescent(1);
    rcu.defer([&] { log += '3'; });
    CHECK(rcu.reclaim() == 2);
    CHECK(log == "12");
    rcu.quiescent(1);
    CHECK(rcu.reclaim() == 1);
    CHECK(log == "123");
    rcu.offline(1);
}

TEST_CASE("a release may defer another", "[graph][rcu]")
{
    rcu_domain rcu{2};
    int released = 0;
    rcu.defer([&] {
        ++released;
        rcu.defer([&] { ++released; });
    });
    while (rcu.pending() > 0)
        rcu.reclaim();
    CHECK(released == 2);
}

TEST_CASE("what is still deferred at the end is released", "[graph][rcu]")
{
    std::string log;
    {
        rcu_domain rcu{2};
        rcu.defer([&] { log += '1'; });
        rcu.defer([&] { log += '2'; });
    }
    CHECK(log == "12");
}

// The reader looks at each object all through a loop; a release too early makes it see `dead`, or
// is found by a sanitizer.
TEST_CASE("a reader never sees what was released", "[graph][rcu][thread]")
{
    constexpr int alive = 1;
    constexpr int dead = 2;
    rcu_domain rcu{2};
    std::atomic<int*> shared{new int{alive}};
    std::atomic<bool> stop{false};
    std::atomic<int> seen_dead{0};
    std::atomic<int> loops{0};
    std::thread reader{[&] {
        for (; !stop; ++loops) {
            rcu.online(1);
            for (int n = 0; n < 10; ++n) {
                const int* held = shared.load(std::memory_order_acquire);
                for (int look = 0; look < 20; ++look)
                    seen_dead += *held != alive;
                rcu.quiescent(1);
            }
            rcu.offline(1);
        }
    }};
    for (int change = 0; change < 5'000 || loops < 10; ++change) {
        int* old = shared.exchange(new int{alive}, std::memory_order_acq_rel);
        rcu.defer([old] {
            *old = dead;
            delete old;
        });
        rcu.reclaim();
        if (rcu.pending() > 100)
            std::this_thread::yield();
    }
    stop = true;
    reader.join();
    delete shared.load();
    CHECK(seen_dead == 0);
    rcu.reclaim();
    CHECK(rcu.pending() == 0);
}
