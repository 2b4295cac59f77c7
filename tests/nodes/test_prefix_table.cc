// SPDX-License-Identifier: Apache-2.0
// The prefix table: answers against a naive reference, bounds, and readers beside a writer.
#include "nodes/ip4/prefix_table.hh"

#include <catch2/catch.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <deque>
#include <map>
#include <random>
#include <thread>
#include <vector>

using namespace weft;
using ip4::prefix_table;
using net::ip4_address;
using net::ip4_prefix;

namespace {

constexpr ip4_address address(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    return {a << 24 | b << 16 | c << 8 | d};
}

constexpr ip4_prefix network(ip4_address inside, uint8_t length)
{
    return {{inside.value & ip4_prefix::mask_of(length)}, length};
}

void run_at_once(const std::function<void()>& task)
{
    task();
}

prefix_table make_table(size_t max_blocks = prefix_table::default_blocks)
{
    auto table = prefix_table::make(run_at_once, max_blocks);
    REQUIRE(table);
    return std::move(*table);
}

// The naive reference: a map, and a search from the longest length down.
class naive_table {
public:
    std::map<ip4_prefix, uint32_t> prefixes;

    [[nodiscard]] std::optional<std::pair<ip4_prefix, uint32_t>> match(ip4_address a) const
    {
        for (int length = 32; length >= 0; --length) {
            const auto found = prefixes.find(network(a, static_cast<uint8_t>(length)));
            if (found != prefixes.end())
                return *found;
        }
        return std::nullopt;
    }
};

// Prefixes crowd in a few networks so that they nest, replace and cover each other.
class random_prefixes {
public:
    explicit random_prefixes(uint32_t seed) : random_{seed} {}

    [[nodiscard]] uint32_t number(uint32_t below) { return random_() % below; }

    [[nodiscard]] ip4_address near()
    {
        return address(10 + number(2), number(2), number(4), number(256));
    }

    [[nodiscard]] ip4_prefix any()
    {
        // A prefix under 8 bits repaints millions of entries, so it comes seldom.
        const uint32_t length = number(300) == 0 ? number(8) : 8 + number(25);
        return network(near(), static_cast<uint8_t>(length));
    }

private:
    std::mt19937 random_;
};

void change_both(prefix_table& table, naive_table& reference, random_prefixes& random,
                 uint32_t removals_in_ten)
{
    ip4_prefix p = random.any();
    if (const auto near = reference.prefixes.lower_bound(p);
        near != reference.prefixes.end() && random.number(2) == 0)
        p = near->first;
    if (random.number(10) < removals_in_ten) {
        const bool present = reference.prefixes.erase(p) > 0;
        const auto removed = table.remove(p);
        REQUIRE(removed.has_value() == present);
        if (!present)
            REQUIRE(removed.error().code == errc::not_found);
    } else {
        const uint32_t value = 1 + random.number(1000);
        reference.prefixes[p] = value;
        REQUIRE(table.set(p, value));
    }
    REQUIRE(table.size() == reference.prefixes.size());
    const auto known = reference.prefixes.find(p);
    REQUIRE(table.find(p) == (known == reference.prefixes.end() ? std::optional<uint32_t>{}
                                                                : std::optional{known->second}));
}

void compare(const prefix_table& table, const naive_table& reference,
             const std::vector<ip4_address>& addresses)
{
    std::vector<uint32_t> values(addresses.size());
    table.lookup(addresses.data(), values.data(), addresses.size());
    for (size_t i = 0; i < addresses.size(); ++i) {
        const auto expected = reference.match(addresses[i]);
        INFO(net::to_string(addresses[i]));
        REQUIRE(table.lookup(addresses[i]) == (expected ? expected->second : prefix_table::none));
        REQUIRE(values[i] == table.lookup(addresses[i]));
        REQUIRE(table.match(addresses[i]) == expected);
    }
}

} // namespace

TEST_CASE("an empty prefix table matches nothing", "[nodes]")
{
    const auto table = make_table();
    CHECK(table.lookup(address(0, 0, 0, 0)) == prefix_table::none);
    CHECK(table.lookup(address(255, 255, 255, 255)) == prefix_table::none);
    CHECK(table.match(address(10, 0, 0, 1)) == std::nullopt);
    CHECK(table.find(network({}, 0)) == std::nullopt);
    CHECK(table.size() == 0);
}

TEST_CASE("a prefix of any length ends exactly at its bounds", "[nodes]")
{
    const auto length = static_cast<uint8_t>(GENERATE(range(1, 33)));
    auto table = make_table();
    const auto p = network(address(170, 170, 170, 170), length);
    REQUIRE(table.set(p, prefix_table::max_value));
    CHECK(table.lookup(p.network) == prefix_table::max_value);
    CHECK(table.lookup(p.last()) == prefix_table::max_value);
    CHECK(table.lookup({p.network.value - 1}) == prefix_table::none);
    CHECK(table.lookup({p.last().value + 1}) == prefix_table::none);
    CHECK(table.match(p.last()) == std::pair{p, prefix_table::max_value});
    REQUIRE(table.remove(p));
    CHECK(table.lookup(p.network) == prefix_table::none);
    CHECK(table.lookup(p.last()) == prefix_table::none);
}

TEST_CASE("the first and the last address of all have host routes", "[nodes]")
{
    auto table = make_table();
    REQUIRE(table.set(network({}, 0), 1));
    REQUIRE(table.set(network({0}, 32), 2));
    REQUIRE(table.set(network({0xffff'ffff}, 32), 3));
    CHECK(table.lookup({0}) == 2);
    CHECK(table.lookup({1}) == 1);
    CHECK(table.lookup({0xffff'fffe}) == 1);
    CHECK(table.lookup({0xffff'ffff}) == 3);
    REQUIRE(table.remove(network({}, 0)));
    CHECK(table.lookup({1}) == prefix_table::none);
    CHECK(table.lookup({0xffff'ffff}) == 3);
}

TEST_CASE("a changed value reaches only what no longer prefix owns", "[nodes]")
{
    auto table = make_table();
    REQUIRE(table.set(network(address(10, 0, 0, 0), 8), 1));
    REQUIRE(table.set(network(address(10, 1, 0, 0), 16), 2));
    REQUIRE(table.set(network(address(10, 1, 2, 128), 25), 3));
    REQUIRE(table.set(network(address(10, 0, 0, 0), 8), 4));
    REQUIRE(table.set(network(address(10, 1, 0, 0), 16), 5));
    CHECK(table.size() == 3);
    CHECK(table.find(network(address(10, 0, 0, 0), 8)) == 4u);
    CHECK(table.lookup(address(10, 2, 0, 1)) == 4);
    CHECK(table.lookup(address(10, 1, 2, 127)) == 5);
    CHECK(table.lookup(address(10, 1, 2, 128)) == 3);
}

TEST_CASE("a removed prefix leaves its range to the one that covers it", "[nodes]")
{
    auto table = make_table();
    REQUIRE(table.set(network(address(10, 0, 0, 0), 8), 1));
    REQUIRE(table.set(network(address(10, 0, 0, 0), 24), 2));
    REQUIRE(table.set(network(address(10, 0, 0, 0), 30), 3));
    REQUIRE(table.set(network(address(10, 0, 0, 1), 32), 4));
    REQUIRE(table.remove(network(address(10, 0, 0, 0), 24)));
    CHECK(table.lookup(address(10, 0, 0, 9)) == 1);
    CHECK(table.lookup(address(10, 0, 0, 1)) == 4);
    REQUIRE(table.remove(network(address(10, 0, 0, 1), 32)));
    CHECK(table.lookup(address(10, 0, 0, 1)) == 3);
    REQUIRE(table.remove(network(address(10, 0, 0, 0), 30)));
    CHECK(table.lookup(address(10, 0, 0, 1)) == 1);
    CHECK(table.match(address(10, 0, 0, 1)) == std::pair{network(address(10, 0, 0, 0), 8), 1u});
}

TEST_CASE("arguments out of range change nothing", "[nodes]")
{
    auto table = make_table();
    const auto p = network(address(10, 0, 0, 0), 8);
    CHECK(table.set(p, prefix_table::none).error().code == errc::invalid_argument);
    CHECK(table.set(p, prefix_table::max_value + 1).error().code == errc::invalid_argument);
    CHECK(table.set({address(10, 0, 0, 1), 8}, 1).error().code == errc::invalid_argument);
    CHECK(table.set({{}, 33}, 1).error().code == errc::invalid_argument);
    CHECK(table.remove(p).error().code == errc::not_found);
    CHECK(table.remove({address(10, 0, 0, 1), 8}).error().code == errc::not_found);
    CHECK(table.find({{}, 33}) == std::nullopt);
    CHECK(prefix_table::make(run_at_once, 0).error().code == errc::invalid_argument);
    CHECK(table.size() == 0);
    CHECK(table.lookup(address(10, 0, 0, 1)) == prefix_table::none);
}

TEST_CASE("random prefixes match as in the naive reference", "[nodes]")
{
    random_prefixes random{GENERATE(1u, 2u)};
    auto table = make_table();
    naive_table reference;
    for (int round = 0; round < 30; ++round) {
        // Growing and shrinking in turn, so that blocks are created and collapse.
        for (int i = 0; i < 150; ++i)
            change_both(table, reference, random, round % 2 == 0 ? 2 : 8);
        std::vector<ip4_address> addresses;
        for (int i = 0; i < 300; ++i)
            addresses.push_back(random.near());
        for (const auto& [p, value] : reference.prefixes)
            addresses.insert(addresses.end(),
                             {p.network, p.last(), {p.network.value - 1}, {p.last().value + 1}});
        compare(table, reference, addresses);
    }
}

TEST_CASE("a table that was emptied in any order is as new", "[nodes]")
{
    random_prefixes random{7};
    auto table = make_table(64);
    naive_table reference;
    for (int i = 0; i < 2000; ++i)
        change_both(table, reference, random, 2);
    while (!reference.prefixes.empty()) {
        auto last = reference.prefixes.lower_bound(random.any());
        if (last == reference.prefixes.end())
            last = reference.prefixes.begin();
        REQUIRE(table.remove(last->first));
        reference.prefixes.erase(last);
    }
    for (uint32_t i = 0; i < 64; ++i)
        REQUIRE(table.set(network({i << 8}, 32), 1)); // every block is free again
    CHECK(table.set(network({64 << 8}, 32), 1).error().code == errc::exhausted);
}

TEST_CASE("a prefix that finds no block changes nothing", "[nodes]")
{
    auto table = make_table(1);
    REQUIRE(table.set(network(address(10, 0, 0, 0), 8), 1));
    REQUIRE(table.set(network(address(10, 0, 0, 0), 25), 2));
    const auto refused = network(address(10, 0, 1, 0), 25);
    const auto failed = table.set(refused, 3);
    REQUIRE(!failed);
    CHECK(failed.error().code == errc::exhausted);
    CHECK(failed.error().message.find("10.0.1.0/25") != std::string::npos);
    CHECK(table.find(refused) == std::nullopt);
    CHECK(table.size() == 2);
    CHECK(table.lookup(address(10, 0, 1, 0)) == 1);
    CHECK(table.remove(refused).error().code == errc::not_found);
    REQUIRE(table.set(network(address(10, 0, 0, 7), 32), 4)); // the same block
    CHECK(table.lookup(address(10, 0, 0, 7)) == 4);
}

TEST_CASE("a freed block is used again only after the grace period", "[nodes]")
{
    std::deque<std::function<void()>> waiting;
    auto table = *prefix_table::make([&](auto task) { waiting.push_back(std::move(task)); }, 1);
    const auto one = network(address(10, 0, 0, 1), 32);
    const auto two = network(address(10, 0, 1, 1), 32);
    REQUIRE(table.set(one, 1));
    REQUIRE(table.remove(one));
    REQUIRE(waiting.size() == 1);
    CHECK(table.set(two, 2).error().code == errc::exhausted);
    waiting.front()();
    REQUIRE(table.set(two, 2));
    CHECK(table.lookup(two.network) == 2);
    CHECK(table.lookup(one.network) == prefix_table::none);
}

TEST_CASE("a grace period may end after the table has gone", "[nodes]")
{
    std::function<void()> waiting;
    {
        auto table = *prefix_table::make([&](auto task) { waiting = std::move(task); });
        REQUIRE(table.set(network(address(10, 0, 0, 1), 32), 1));
        REQUIRE(table.remove(network(address(10, 0, 0, 1), 32)));
    }
    REQUIRE(waiting);
    waiting();
}

TEST_CASE("a moved table keeps its prefixes", "[nodes]")
{
    auto table = make_table();
    REQUIRE(table.set(network(address(10, 0, 0, 1), 32), 1));
    auto other = std::move(table);
    REQUIRE(other.set(network(address(10, 0, 0, 0), 8), 2));
    CHECK(other.lookup(address(10, 0, 0, 1)) == 1);
    CHECK(other.lookup(address(10, 0, 0, 2)) == 2);
}

TEST_CASE("a prefix table takes memory only where prefixes are", "[nodes]")
{
    auto table = make_table();
    REQUIRE(table.set(network(address(10, 0, 0, 0), 8), 1));
    const size_t small = table.memory_bytes();
    CHECK(small >= 65536 * 4);
    CHECK(small < 16u << 20);
    REQUIRE(table.set(network({}, 0), 1));
    CHECK(table.memory_bytes() >= (64u << 20) + (16u << 20));
}

namespace {

// Quiescent-state reclamation at its simplest: a task runs once every reader has announced an epoch
// that began after the task was handed in.
class epochs {
public:
    static constexpr size_t readers = 2;

    void announce(size_t reader)
    {
        seen_[reader].store(now_.load(std::memory_order_acquire), std::memory_order_release);
    }
    void defer(std::function<void()> task)
    {
        waiting_.emplace_back(now_.fetch_add(1, std::memory_order_acq_rel) + 1, std::move(task));
    }
    size_t run_due()
    {
        size_t ran = 0;
        for (; !waiting_.empty() && passed(waiting_.front().first); ++ran) {
            waiting_.front().second();
            waiting_.pop_front();
        }
        return ran;
    }

private:
    [[nodiscard]] bool passed(uint64_t epoch) const
    {
        for (const auto& seen : seen_)
            if (seen.load(std::memory_order_acquire) < epoch)
                return false;
        return true;
    }

    std::atomic<uint64_t> now_{0};
    std::array<std::atomic<uint64_t>, readers> seen_{};
    std::deque<std::pair<uint64_t, std::function<void()>>> waiting_;
};

// A value that names its prefix within 10.1.0.0/16, and one of many versions of it.
uint32_t value_of(const ip4_prefix& p, uint32_t version)
{
    return (p.network.value & 0xffff) << 15 | uint32_t{p.length} << 9 | (version & 0x1ff);
}

constexpr auto outer = network(address(10, 1, 0, 0), 16);

// Whether a value is one that some prefix covering the address had at some time.
bool possible(ip4_address a, uint32_t value)
{
    const auto length = static_cast<uint8_t>(value >> 9 & 0x3f);
    const ip4_prefix p{{outer.network.value | value >> 15}, length};
    return length >= outer.length && length <= 32 && p.contains(a);
}

// Looks up addresses inside the churned network and just beyond it until told to stop. Returns how
// many answers were impossible.
uint64_t read_until(const prefix_table& table, epochs& grace, size_t reader,
                    const std::atomic<bool>& stop)
{
    std::mt19937 random{static_cast<uint32_t>(reader)};
    std::array<ip4_address, 256> addresses;
    std::array<uint32_t, 256> values;
    uint64_t wrong = 0;
    while (!stop.load(std::memory_order_relaxed)) {
        grace.announce(reader);
        for (auto& a : addresses)
            a = address(10, 1, random() % 8, random() % 256);
        table.lookup(addresses.data(), values.data(), addresses.size());
        for (size_t i = 0; i < addresses.size(); ++i)
            wrong += !possible(addresses[i], values[i]) +
                     !possible(addresses[i], table.lookup(addresses[i]));
        wrong += table.lookup({outer.network.value - 1}) != prefix_table::none;
        wrong += table.lookup({outer.last().value + 1}) != prefix_table::none;
    }
    grace.announce(reader);
    return wrong;
}

// Half of them are longer than 24 bits and few in each network, so that blocks come and go.
ip4_prefix churned_prefix(std::mt19937& random)
{
    if (random() % 2 == 0)
        return network(address(10, 1, random() % 8, random() % 256),
                       static_cast<uint8_t>(17 + random() % 8));
    return network(address(10, 1, random() % 8, random() % 2 * 128), random() % 2 ? 25 : 32);
}

// Sets, changes and removes prefixes for a second. Returns how many freed blocks came back for use.
size_t churn(prefix_table& table, epochs& grace)
{
    std::mt19937 random{99};
    size_t reused = 0;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{1};
    for (uint32_t i = 0; i % 64 != 0 || std::chrono::steady_clock::now() < end; ++i) {
        const ip4_prefix p = churned_prefix(random);
        if (!table.find(p) || random() % 4 == 0)
            (void)table.set(p, value_of(p, i)); // may find all blocks in their grace period
        else
            (void)table.remove(p);
        reused += grace.run_due();
    }
    return reused;
}

} // namespace

TEST_CASE("readers beside a writer see only values of covering prefixes", "[nodes][concurrent]")
{
    epochs grace;
    auto table = *prefix_table::make([&](auto task) { grace.defer(std::move(task)); }, 6);
    REQUIRE(table.set(outer, value_of(outer, 0)));
    std::atomic<bool> stop{false};
    std::array<uint64_t, epochs::readers> wrong{};
    std::vector<std::thread> readers;
    for (size_t i = 0; i < epochs::readers; ++i)
        readers.emplace_back([&, i] { wrong[i] = read_until(table, grace, i, stop); });

    const size_t reused = churn(table, grace);
    stop = true;
    for (auto& reader : readers)
        reader.join();
    CHECK(wrong == std::array<uint64_t, epochs::readers>{});
    CHECK(reused > 0);
}
