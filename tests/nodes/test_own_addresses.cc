// SPDX-License-Identifier: Apache-2.0
// The router's own addresses, many of them: what is found by order is what a look at each finds.
#include "nodes/ip4/address_claims.hh"
#include "nodes/ip4/own_addresses.hh"
#include "tests/nodes/node_tester.hh"

#include <random>

namespace weft::test::own_addresses_tests {

using ip4::address_claims;
using ip4::own_addresses;

namespace {

// In 10.0.0.0/16, so that many are near each other.
net::ip4_interface_address some_address(std::mt19937& random)
{
    const auto length = static_cast<uint8_t>(20 + random() % 13);
    return {net::ip4_address{0x0a00'0000u | static_cast<uint16_t>(random())}, length};
}

bool have_conflict(const net::ip4_interface_address& a, unsigned on_a,
                   const net::ip4_interface_address& b, unsigned on_b)
{
    if (a.address == b.address)
        return true;
    const bool same = a.network() == b.network() && on_a == on_b;
    return !same && (a.network().contains(b.network()) || b.network().contains(a.network()));
}

} // namespace

TEST_CASE("addresses clash where one of two that stand side by side would", "[nodes]")
{
    std::mt19937 random{7};
    for (int round = 0; round < 20; ++round) {
        address_claims<unsigned> claims;
        std::vector<std::pair<net::ip4_interface_address, unsigned>> all;
        for (int n = 0; n < 100; ++n) {
            const auto a = some_address(random);
            const auto on = static_cast<unsigned>(random() % 4);
            const auto clash = claims.add(a, on, all.size());
            const bool expected = std::any_of(all.begin(), all.end(), [&](const auto& other) {
                return have_conflict(a, on, other.first, other.second);
            });
            REQUIRE(clash.has_value() == expected);
            if (!clash)
                all.emplace_back(a, on);
            else
                CHECK(have_conflict(a, on, all[clash->with].first, all[clash->with].second));
        }
    }
}

TEST_CASE("own addresses are found as by a look at each", "[nodes]")
{
    std::mt19937 random{8};
    address_claims<unsigned> claims;
    std::vector<own_addresses::owned> all;
    while (all.size() < 300) {
        const auto a = some_address(random);
        const auto on = static_cast<interface_index>(random() % 40);
        if (!claims.add(a, on, 0))
            all.push_back({a.address, a.length, on});
    }
    const own_addresses own{all};
    for (uint32_t low = 0; low <= 0xffff; ++low) {
        const net::ip4_address a{0x0a00'0000u | low};
        bool mine = false, end = false;
        std::optional<interface_index> towards;
        for (const auto& o : all) {
            const auto network = net::ip4_interface_address{o.address, o.length}.network();
            mine |= o.address == a;
            end |= o.length < 31 && (a == network.network || a == network.last());
            if (network.contains(a))
                towards = o.interface;
        }
        if (mine || end)
            towards.reset();
        REQUIRE(own.contains(a) == mine);
        REQUIRE(own.is_broadcast(a) == end);
        REQUIRE(own.interface_towards(a) == towards);
    }
}

TEST_CASE("an interface speaks with its address of the peer's network, or its first", "[nodes]")
{
    const own_addresses own{{{ip("10.0.0.1"), 24, 7},
                             {ip("10.1.0.1"), 24, 3},
                             {ip("10.2.0.1"), 24, 7},
                             {ip("10.2.0.9"), 24, 7}}};
    CHECK(own.source_for(ip("10.2.0.77"), 7) == ip("10.2.0.1"));
    CHECK(own.source_for(ip("10.1.0.77"), 7) == ip("10.0.0.1"));
    CHECK(own.source_for(ip("10.1.0.77"), 3) == ip("10.1.0.1"));
    CHECK(own.source_for(ip("10.1.0.77"), 4).value == 0);
    CHECK(own.of(7).size() == 3);
    CHECK(own.on_interface(ip("10.2.0.9"), 7));
    CHECK_FALSE(own.on_interface(ip("10.2.0.9"), 3));
}

TEST_CASE("many addresses are added at once, or none", "[nodes]")
{
    node_tester t;
    std::vector<own_addresses::owned> all;
    for (uint32_t n = 0; n < 2000; ++n)
        all.push_back({net::ip4_address{0x1400'0001u + (n << 8)}, 24, 0});
    size_t at = 0;
    auto wrong = all;
    wrong.push_back({ip("20.0.7.9"), 25, 1});
    const auto refused = t.ip4().add_addresses(wrong, at);
    REQUIRE_FALSE(refused);
    CHECK(at == 2000);
    CHECK(refused.error().message == "20.0.7.9/25 overlaps 20.0.7.0/24 of interface a");
    CHECK(t.ip4().addresses_of(0).size() == 1);
    REQUIRE(t.ip4().add_addresses(all, at));
    CHECK(t.ip4().addresses_of(0).size() == 2001);
    CHECK(t.ip4().interface_towards(ip("20.7.5.9")) == 0);
    t.run(); // what announces them
    static_cast<void>(t.take());
    CHECK(t.verdict_of(packet_builder{}.ip4("10.0.0.2", "20.6.1.1").icmp_echo()) == "-> a");
}

} // namespace weft::test::own_addresses_tests
