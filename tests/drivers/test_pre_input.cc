// SPDX-License-Identifier: Apache-2.0
// Pre-input nodes: epoll-input serves the main thread's files while it polls, tx-cleanup asks
// queues for sent packets.
#include "drivers/dpdk/tx_cleanup.hh"
#include "nodes/interface/interface.hh"
#include "tests/graph/graph_tester.hh"

#include <catch2/catch.hpp>
#include <unistd.h>

using namespace weft;

namespace {

// Runs the daemon's own loop with an input that never lets it sleep; whether a process saw its
// file.
bool file_is_seen(const std::vector<std::string_view>& more)
{
    auto in = source("in", {"end"});
    in.state = node_state::polling;
    graph_tester t{{in, sink("end")}, {}, {}, more};
    t.publish_and_adopt();
    std::array<int, 2> pipe_ends;
    REQUIRE(pipe(pipe_ends.data()) == 0);
    bool seen = false;
    REQUIRE(t.engine.loop().start("reader", [&](process& self) {
        seen = self.wait_readable(pipe_ends[0], 1h);
        self.engine().request_stop();
    }));
    REQUIRE(t.engine.loop().start("writer", [&](process& self) {
        for (int n = 0; n < 100; ++n)
            self.yield();
        REQUIRE(write(pipe_ends[1], "x", 1) == 1);
        for (int n = 0; n < 2000; ++n)
            self.yield();
        self.engine().request_stop();
    }));
    t.engine.run();
    for (int end : pipe_ends)
        close(end);
    const bool polled = t.engine.is_busy();
    if (!more.empty()) {
        CHECK(polled);
        const auto& counters = t.store("epoll-input").counters;
        CHECK(counters.calls.get() > 1);
        CHECK(counters.calls.get() * 16 < t.engine.main().loops()); // not in every loop
    }
    return seen;
}

struct fake_queue {
    static inline int calls = 0;
    static inline int left = 0;
    static int clean(uint16_t port, uint16_t queue, uint32_t)
    {
        CHECK((port == 7 && queue == 3));
        ++calls;
        return std::exchange(left, 0);
    }
};

} // namespace

TEST_CASE("a busy main thread looks at its files", "[drivers][pre_input]")
{
    CHECK(file_is_seen({"epoll-input"}));
    CHECK(file_is_seen({})); // by the wait without a limit, in every loop
}

TEST_CASE("a pre-input node is called in every so many loops", "[drivers][pre_input]")
{
    auto pre = source("pre", {"end"});
    pre.type = node_type::pre_input;
    pre.every = 10;
    graph_tester t{{source("in", {"end"}), pre, sink("end")}};
    t.publish_and_adopt();
    for (int n = 0; n < 99; ++n)
        t.engine.run_main_once();
    CHECK(t.store("pre").counters.calls.get() == 10);
    [[maybe_unused]] const auto limit = t.engine.main().arm_inputs(); // before a sleep
    t.engine.run_main_once();
    CHECK(t.store("pre").counters.calls.get() == 11);
}

TEST_CASE("a transmit queue is asked for sent packets until none is left", "[drivers][pre_input]")
{
    fake_queue::calls = fake_queue::left = 0;
    graph_tester t{{source("in", {"end"}), sink("end")}, {}, {}, {"tx-cleanup"}};
    const std::atomic<uint16_t> port{7};
    t.engine.module<drivers::tx_cleanup>().add(0, {&port, 3, 5, fake_queue::clean});
    t.publish_and_adopt();
    const auto rest = [&] {
        [[maybe_unused]] const auto limit = t.engine.main().arm_inputs();
        t.engine.run_main_once();
        return fake_queue::calls;
    };
    CHECK(rest() == 0); // it has sent nothing
    interfaces_of(t.engine).counters(0, 5).tx_packets.add(64);
    fake_queue::left = 64;
    CHECK(rest() == 1);
    CHECK(rest() == 2); // nothing was left
    CHECK(rest() == 2);
    interfaces_of(t.engine).counters(0, 5).tx_packets.add(1);
    CHECK(rest() == 3);
    for (int n = 0; n < 3000; ++n) // a thread that does not sleep asks too, seldom
        t.engine.run_main_once();
    interfaces_of(t.engine).counters(0, 5).tx_packets.add(1);
    for (int n = 0; n < 3000; ++n)
        t.engine.run_main_once();
    CHECK(fake_queue::calls == 4);
}
