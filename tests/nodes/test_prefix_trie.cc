// SPDX-License-Identifier: Apache-2.0
// The small table of a VRF: it answers as a model does, gives its memory back, and becomes a large
// one under its readers.
#include "nodes/ip4/lookup_table.hh"

#include <catch2/catch.hpp>
#include <deque>
#include <map>
#include <random>

using namespace weft;
using namespace weft::ip4;

namespace {

// Runs what was deferred when the test says so.
struct grace_period {
    std::deque<std::function<void()>> waiting;
    [[nodiscard]] prefix_trie::defer_function defer()
    {
        return [this](std::function<void()> f) { waiting.push_back(std::move(f)); };
    }
    void end()
    {
        while (!waiting.empty()) {
            waiting.front()();
            waiting.pop_front();
        }
    }
};

using prefix_model = std::map<net::ip4_prefix, uint32_t>;

uint32_t find(const prefix_model& all, net::ip4_address a, int& length)
{
    uint32_t value = 0;
    length = -1;
    for (const auto& [prefix, v] : all)
        if (prefix.contains(a) && prefix.length > length) {
            value = v;
            length = prefix.length;
        }
    return value;
}

net::ip4_address some_address(std::mt19937& random)
{
    // few, so that they meet on every stage
    const auto byte = [&] { return std::array<uint32_t, 4>{0, 1, 128, 255}[random() % 4]; };
    return {byte() << 24 | byte() << 16 | byte() << 8 | byte()};
}

net::ip4_prefix some_prefix(std::mt19937& random)
{
    const auto length = static_cast<uint8_t>(random() % 33);
    return {{some_address(random).value & net::ip4_prefix::mask_of(length)}, length};
}

} // namespace

TEST_CASE("a small table finds what a prefix_model finds, and gives its blocks back", "[nodes]")
{
    std::mt19937 random{7};
    grace_period grace;
    const auto blocks = trie_blocks::make();
    REQUIRE(blocks != nullptr);
    auto made = prefix_trie::make(blocks, grace.defer());
    REQUIRE(made.has_value());
    prefix_trie table = std::move(*made);
    const auto reader = table.read();
    prefix_model all;
    for (uint32_t n = 1; n <= 5000; ++n) {
        const auto prefix = some_prefix(random);
        if (random() % 2 == 0) {
            REQUIRE(table.set(prefix, n));
            all[prefix] = n;
        } else {
            CHECK(table.remove(prefix).has_value() == (all.erase(prefix) > 0));
        }
        if (n % 8 == 0)
            grace.end();
        for (int k = 0; k < 8; ++k) {
            const auto a = some_address(random);
            int length = 0;
            INFO(net::to_string(a));
            REQUIRE(reader.lookup(a) == find(all, a, length));
            REQUIRE((length < 0 || table.length_for(a) == length));
        }
    }
    for (const auto& [prefix, value] : all)
        REQUIRE(table.remove(prefix));
    grace.end();
    CHECK(blocks->in_use() == 1);
}

TEST_CASE("a freed block keeps its content until the grace period is over", "[nodes]")
{
    grace_period grace;
    const auto blocks = trie_blocks::make();
    auto table = prefix_trie::make(blocks, grace.defer());
    REQUIRE(table->set({{0x10000000}, 32}, 5));
    CHECK(blocks->in_use() == 4);
    REQUIRE(table->remove({{0x10000000}, 32}));
    REQUIRE(table->set({{0x20000000}, 32}, 6)); // takes other ones
    CHECK(blocks->in_use() == 7);
    grace.end();
    CHECK(blocks->in_use() == 4);
}

TEST_CASE("a small table becomes a large one and answers the same meanwhile", "[nodes]")
{
    grace_period grace;
    const auto blocks = trie_blocks::make();
    int moves = 0;
    lookup_table table{std::move(*prefix_trie::make(blocks, grace.defer())), grace.defer(),
                       [&] { ++moves; }};
    const auto network = [](uint32_t n) { return net::ip4_prefix{{(16u << 24) + (n << 8)}, 24}; };
    for (uint32_t n = 0; n < lookup_table::max_small; ++n)
        REQUIRE(table.set(network(n), n + 1));
    const auto before = table.read();
    CHECK_FALSE(table.is_large());
    REQUIRE(table.set(network(5), 99)); // a change is no more
    CHECK_FALSE(table.is_large());
    REQUIRE(table.set(network(lookup_table::max_small), 77));
    CHECK(table.is_large());
    CHECK(moves == 1);
    CHECK(before.lookup({(16u << 24) + (5u << 8) + 1}) == 99); // a reader's, still
    CHECK(table.lookup({(16u << 24) + (5u << 8) + 1}) == 99);
    CHECK(table.match({(16u << 24) + (9u << 8) + 1})->first == network(9));
    CHECK(table.size() == lookup_table::max_small + 1);
    grace.end();
    CHECK(blocks->in_use() == 0);
}
