// SPDX-License-Identifier: Apache-2.0
// What a frame's words say and when, and packets parted by a key.
#include "graph/node_run_vector.hh"
#include "tests/graph/graph_tester.hh"

#include <catch2/catch.hpp>

using namespace weft;

namespace {

// Writes each packet's number into the words and sends the frame on with them.
void write_words(node_run& run, frame& in) noexcept
{
    for (uint32_t i = 0; i < in.count; ++i)
        in.aux[i] = payload_of(*in.packets[i]).number;
    run.enqueue_all(in, 0, in.count);
}

// Counts the packets of which the words say something, and checks that it is about them.
void read_words(node_run& run, frame& in) noexcept
{
    auto& self = run.context<probe>();
    self.made += in.aux_count;
    for (uint32_t i = 0; i < in.aux_count; ++i)
        if (in.aux[i] != payload_of(*in.packets[i]).number)
            self.held.push_back(in.packets[i]); // wrong ones, only to be counted
    swallow(run, in);
}

constexpr uint32_t max_keys = 20;
uint32_t keys = 0; // of the packets that are parted

void part_by_key(node_run& run, frame& in) noexcept
{
    run.each_by(
        in, [](const packet& p) noexcept { return payload_of(p).number * 7 % keys; },
        [](uint32_t key) noexcept { return verdict{static_cast<next_index>(key)}; });
}

} // namespace

TEST_CASE("words go with a whole frame to the next node, and no further", "[graph][frame]")
{
    graph_tester direct{{source("in", {"writer"}), relay("writer", {"reader"}, write_words),
                         relay("reader", {}, read_words)}};
    direct.send("in", 200);
    CHECK(direct.at("reader").made == 200);
    CHECK(direct.at("reader").held.empty());
}

TEST_CASE("a node between hands no words on that are not its own", "[graph][frame]")
{
    graph_tester t{{source("in", {"writer"}), relay("writer", {"between"}, write_words),
                    relay("between", {"reader"}), relay("reader", {}, read_words)}};
    t.send("in", 200);
    CHECK(t.at("reader").numbers.size() == 200);
    CHECK(t.at("reader").made == 0);
}

TEST_CASE("words say nothing of packets that joined a frame, nor of a frame used again",
          "[graph][frame]")
{
    // the halves of `a` meet before the reader: one as a whole frame, the other copied behind it
    graph_tester t{{source("in", {"a"}), relay("a", {"b", "c"}, deal_out),
                    relay("b", {"reader"}, write_words), relay("c", {"reader"}, write_words),
                    relay("reader", {}, read_words), source("plain", {"reader"})}};
    t.send("in", 100);
    CHECK(t.at("reader").numbers.size() == 100);
    CHECK(t.at("reader").made == 50);
    CHECK(t.at("reader").held.empty());
    for (int i = 0; i < 20; ++i) // through every frame that carried words
        t.send("plain", 100);
    CHECK(t.at("reader").made == 50);
}

TEST_CASE("packets are parted by any number of keys, each part in order", "[graph][frame]")
{
    keys = GENERATE(1u, 2u, 3u, 5u, 8u, 9u, max_keys);
    const uint32_t count = GENERATE(1u, 2u, 7u, 8u, 9u, 63u, 64u, 255u, 256u);
    std::vector<std::string> sinks;
    for (uint32_t i = 0; i < max_keys; ++i)
        sinks.push_back("sink-" + std::to_string(i));
    std::vector<node_descriptor> nodes{
        source("in", {"part"}), relay("part", names(sinks.begin(), sinks.end()), part_by_key)};
    for (const auto& name : sinks)
        nodes.push_back(sink(name));
    graph_tester t{std::move(nodes)};
    t.send("in", count);
    std::vector<std::vector<uint32_t>> expected(max_keys);
    for (uint32_t number = 0; number < count; ++number)
        expected[number * 7 % keys].push_back(number);
    for (uint32_t i = 0; i < max_keys; ++i)
        CHECK(t.at(sinks[i]).numbers == expected[i]);
}
