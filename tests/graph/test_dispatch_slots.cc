// SPDX-License-Identifier: Apache-2.0
// Dispatch where the numbers are large: nodes with many next slots, inputs that leave several
// frames at one node.
#include "tests/graph/graph_tester.hh"

#include <catch2/catch.hpp>

using namespace weft;

namespace {

constexpr uint16_t by_number = 0; // why it drops

// Each packet by its number to a next slot, or dropped, or taken.
void deal_wide(node_run& run, frame& in) noexcept
{
    auto& self = run.context<probe>();
    const auto slots = self.engine.registry().at(run.id()).nexts.size();
    std::array<packet*, vector_size> taken;
    uint32_t count = 0;
    run.each(in, [&](packet& p) -> verdict {
        const auto which = payload_of(p).number % (slots + 2);
        if (which == slots)
            return drop(by_number);
        if (which > slots)
            taken[count++] = &p;
        return which > slots ? consumed : static_cast<next_index>(which);
    });
    run.free(taken.data(), count);
}

// How many of the numbers below `total` are `which` by `modulus`.
uint32_t share(uint32_t total, uint32_t which, uint32_t modulus)
{
    return total / modulus + (which < total % modulus);
}

// 50 packets at a time in place, to each of its nexts in turn.
uint32_t receive_by_turns(node_run& run) noexcept
{
    auto& self = run.context<probe>();
    const auto slots = self.engine.registry().at(run.id()).nexts.size();
    uint32_t received = 0;
    for (; self.wanted > 0; received += 50, self.wanted -= 50) {
        const auto to = static_cast<next_index>(received / 50 % slots);
        const auto space = run.input_space(to);
        for (uint32_t n = 0; n < 50; ++n)
            space[n] = numbered_packet(self.engine, self.made++);
        run.admit(space.data(), 50, 0, to);
    }
    return received;
}

// The groups of 50 from `begin` on that turn `turn` of two gets.
void append_turns(std::vector<uint32_t>& to, uint32_t begin, uint32_t end, uint32_t turn)
{
    for (uint32_t n = begin; n < end; ++n)
        if ((n - begin) / 50 % 2 == turn)
            to.push_back(n);
}

} // namespace

TEST_CASE("a node with any number of next slots deals mixed fates", "[graph][dispatch]")
{
    const uint32_t slots = GENERATE(61u, 62u, 63u, 64u, 65u, 66u, 127u, 200u);
    INFO(slots << " slots");
    graph_tester t{
        {source("in", {"wide"}),
         relay("wide", names(slots, "end"), deal_wide, {{0, "by_number", "its number says so"}}),
         sink("end")}};
    t.send("in", 256);
    for (uint32_t slot = 0; slot < slots; ++slot) {
        INFO("slot " << slot);
        CHECK(t.store("wide").sent(slot) == share(256, slot, slots + 2));
    }
    CHECK(t.dropped("wide", by_number) == share(256, slots, slots + 2));
    CHECK(t.at("end").packets.get() ==
          256 - share(256, slots, slots + 2) - share(256, slots + 1, slots + 2));
    CHECK(t.engine.packets_in_flight() == 0);
}

TEST_CASE("a next slot's packets keep their order among many slots", "[graph][dispatch]")
{
    names nexts(63, "others");
    nexts.push_back("last");
    graph_tester t{{source("in", {"wide"}),
                    relay("wide", nexts, deal_wide, {{0, "by_number", "its number says so"}}),
                    sink("others"), sink("last")}};
    t.send("in", 256);
    CHECK(t.at("last").numbers == std::vector<uint32_t>{63, 129, 195});
}

TEST_CASE("two inputs leave several frames each at two nodes, and none is lost or passed",
          "[graph][dispatch]")
{
    graph_tester t{{source("in-1", {"a", "b"}, receive_by_turns),
                    source("in-2", {"b", "a"}, receive_by_turns), sink("a"), sink("b")}};
    t.publish_and_adopt();
    t.at("in-1").wanted = 400;
    t.at("in-2").wanted = 1000;
    t.at("in-2").made = 10'000;
    t.engine.run_main_once();
    for (const uint32_t node : {0u, 1u}) {
        std::vector<uint32_t> expected;
        append_turns(expected, 0, 400, node);
        append_turns(expected, 10'000, 11'000, 1 - node);
        CHECK(t.at(node == 0 ? "a" : "b").numbers == expected);
        CHECK(t.log().counts(node == 0 ? "a" : "b") == std::vector<uint32_t>{200, 200, 200, 100});
    }
}
