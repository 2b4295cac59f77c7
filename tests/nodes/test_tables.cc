// SPDX-License-Identifier: Apache-2.0
// Addresses, static routes and neighbours as the control path changes them: what each installs,
// what it refuses, and that removing restores.
#include "tests/nodes/node_tester.hh"

#include <fmt/ranges.h>
#include <functional>
#include <set>

using namespace weft;
using namespace weft::test;

namespace {

// What an address finds: the kind of its adjacency, and the interface where it has one.
std::string way_to(node_tester& t, std::string_view address)
{
    const auto balance = t.ip4().table().lookup(ip(address));
    return t.hops().describe(t.hops().buckets_of(balance).front());
}

// All that its flows may take, in order.
std::string ways_to(node_tester& t, std::string_view address)
{
    std::set<std::string> all;
    for (auto to : t.hops().buckets_of(t.ip4().table().lookup(ip(address))))
        all.insert(t.hops().describe(to));
    return fmt::format("{}", fmt::join(all, ", "));
}

std::string error_of(const result<void>& done)
{
    return done ? "" : done.error().message;
}

std::vector<std::string> prefixes(node_tester& t)
{
    std::vector<std::string> all;
    for (const auto& r : t.ip4().routes().sorted(1000))
        all.push_back(net::to_string(r.prefix));
    return all;
}

std::string add(node_tester& t, interface_index i, std::string_view address)
{
    return error_of(t.ip4().add_address(i, own_address(address)));
}

std::string add_route(node_tester& t, std::string_view to, std::string_view via)
{
    return error_of(t.ip4().add_route(prefix(to), {ip(via)}));
}

} // namespace

TEST_CASE("an address installs itself, its network and the network's ends", "[nodes]")
{
    node_tester t{{.addresses = false}};
    const auto before = prefixes(t);
    CHECK(way_to(t, "10.5.0.9") == "unreachable");
    REQUIRE(add(t, 1, "10.5.0.1/16") == "");
    CHECK(way_to(t, "10.5.0.1") == "local");
    CHECK(way_to(t, "10.5.0.0") == "broadcast");
    CHECK(way_to(t, "10.5.255.255") == "broadcast");
    CHECK(way_to(t, "10.5.0.2") == "glean b");
    CHECK(way_to(t, "10.5.255.254") == "glean b");
    CHECK(way_to(t, "10.6.0.0") == "unreachable");
    CHECK(t.ip4().own().contains(ip("10.5.0.1")));
    REQUIRE(t.ip4().remove_address(1, own_address("10.5.0.1/16")));
    CHECK(prefixes(t) == before);
    CHECK_FALSE(t.ip4().own().contains(ip("10.5.0.1")));
    CHECK(t.hops().next_hops().empty());
}

TEST_CASE("networks of 31 and 32 bits have no ends to give away", "[nodes]")
{
    node_tester t{{.addresses = false}};
    REQUIRE(add(t, 0, "10.5.0.0/31") == ""); // RFC 3021
    CHECK(way_to(t, "10.5.0.0") == "local");
    CHECK(way_to(t, "10.5.0.1") == "glean a");
    REQUIRE(add(t, 1, "10.5.0.9/32") == "");
    CHECK(way_to(t, "10.5.0.9") == "local");
    CHECK(way_to(t, "10.5.0.8") == "unreachable");
    REQUIRE(t.ip4().remove_address(0, own_address("10.5.0.0/31")));
    REQUIRE(t.ip4().remove_address(1, own_address("10.5.0.9/32")));
    CHECK(way_to(t, "10.5.0.1") == "unreachable");
    CHECK(way_to(t, "10.5.0.9") == "unreachable");
}

TEST_CASE("two addresses of one network share it", "[nodes]")
{
    node_tester t;
    REQUIRE(add(t, 0, "10.0.0.100/24") == "");
    REQUIRE(t.ip4().remove_address(0, own_address("10.0.0.1/24")));
    CHECK(way_to(t, "10.0.0.9") == "glean a");
    CHECK(way_to(t, "10.0.0.1") == "glean a"); // anybody's again
    CHECK(way_to(t, "10.0.0.255") == "broadcast");
    CHECK(way_to(t, "10.0.0.100") == "local");
    REQUIRE(t.ip4().remove_address(0, own_address("10.0.0.100/24")));
    CHECK(way_to(t, "10.0.0.9") == "unreachable");
}

TEST_CASE("addresses that overlap others are refused", "[nodes]")
{
    node_tester t;
    const auto before = prefixes(t);
    CHECK(add(t, 0, "10.0.0.1/24") == "10.0.0.1/24 is already an address of interface a");
    CHECK(add(t, 1, "10.0.0.1/32") == "10.0.0.1/32 is already an address of interface a");
    CHECK(add(t, 1, "10.0.0.9/24") == "10.0.0.9/24 overlaps 10.0.0.0/24 of interface a");
    CHECK(add(t, 0, "10.0.0.9/25") == "10.0.0.9/25 overlaps 10.0.0.0/24 of interface a");
    CHECK(add(t, 0, "10.0.3.9/16") == "10.0.3.9/16 overlaps 10.0.0.0/24 of interface a");
    CHECK(add(t, 1, "10.0.0.77/32") == "10.0.0.77/32 overlaps 10.0.0.0/24 of interface a");
    CHECK(prefixes(t) == before);
    CHECK(add(t, 0, "10.0.2.1/24") == "");
}

TEST_CASE("addresses that are no station's are refused", "[nodes]")
{
    node_tester t{{.addresses = false}};
    CHECK(add(t, 0, "10.5.0.0/16") == "10.5.0.0/16 is the first address of its network");
    CHECK(add(t, 0, "10.5.255.255/16") ==
          "10.5.255.255/16 is the broadcast address of its network");
    CHECK(add(t, 0, "127.0.0.1/8") == "127.0.0.1/8 is in loopback (127.0.0.0/8)");
    CHECK(add(t, 0, "0.1.2.3/24") == "0.1.2.3/24 is in `this network' (0.0.0.0/8)");
    CHECK(add(t, 0, "224.0.0.5/24") == "224.0.0.5/24 is in multicast (224.0.0.0/4)");
    CHECK(add(t, 0, "240.0.0.5/24") == "240.0.0.5/24 is in reserved (240.0.0.0/4)");
}

TEST_CASE("only an address that an interface has can be taken from it", "[nodes]")
{
    node_tester t;
    const auto take = [&](interface_index i, std::string_view a) {
        return error_of(t.ip4().remove_address(i, own_address(a)));
    };
    CHECK(take(1, "10.0.0.1/24") == "interface b has no address 10.0.0.1/24");
    CHECK(take(0, "10.0.0.1/25") == "interface a has no address 10.0.0.1/25");
    CHECK(take(0, "10.0.0.1/24") == "");
    CHECK(take(0, "10.0.0.1/24") == "interface a has no address 10.0.0.1/24");
}

TEST_CASE("the router speaks with the address of its peer's network", "[nodes]")
{
    node_tester t;
    REQUIRE(add(t, 0, "10.8.0.1/16") == "");
    const auto& own = t.ip4().own();
    CHECK(own.source_for(ip("10.0.0.7"), 0) == ip("10.0.0.1"));
    CHECK(own.source_for(ip("10.8.9.7"), 0) == ip("10.8.0.1"));
    CHECK(own.source_for(ip("10.8.9.7"), 1) == ip("10.0.1.1"));
    CHECK(own.source_for(ip("99.0.0.1"), 0) == ip("10.0.0.1"));
    CHECK(own.source_for(ip("10.0.0.7"), 5).value == 0);
    CHECK(own.on_interface(ip("10.8.0.1"), 0));
    CHECK_FALSE(own.on_interface(ip("10.8.0.1"), 1));
    CHECK(t.ip4().addresses_of(0).size() == 2);
}

TEST_CASE("neighbours are where their network is", "[nodes]")
{
    node_tester t;
    CHECK(t.ip4().interface_towards(ip("10.0.1.77")) == interface_index{1});
    REQUIRE(add(t, 1, "10.0.1.3/24") == "");
    for (const char* nowhere :
         {"10.0.1.3", "10.0.1.1", "10.0.1.0", "10.0.1.255", "10.0.2.1", "0.0.0.0"})
        CHECK(t.ip4().interface_towards(ip(nowhere)) == std::nullopt);
}

TEST_CASE("a route needs next hops that somebody can have", "[nodes]")
{
    node_tester t;
    const auto before = prefixes(t);
    CHECK(add_route(t, "16.0.0.0/8", "127.0.0.1") ==
          "next hop 127.0.0.1 is not a unicast host address");
    CHECK(add_route(t, "16.0.0.0/8", "10.0.0.1") ==
          "next hop 10.0.0.1 is an address of this router");
    CHECK(add_route(t, "16.0.0.0/8", "10.0.0.255") ==
          "next hop 10.0.0.255 is the first or the broadcast address of a network");
    const auto hops = t.hops().next_hops().size();
    const auto mixed = t.ip4().add_route(prefix("16.0.0.0/8"), {ip("10.0.0.9"), ip("10.0.0.1")});
    CHECK(mixed.error().code == errc::invalid_argument);
    CHECK(t.hops().next_hops().size() == hops); // the good one was let go
    CHECK_FALSE(t.ip4().add_route(prefix("16.0.0.0/8"), {}).has_value());
    CHECK(prefixes(t) == before);
}

TEST_CASE("no route leads into ranges that are never routed", "[nodes]")
{
    node_tester t;
    CHECK(add_route(t, "127.0.0.0/8", "10.0.0.2") ==
          "127.0.0.0/8 is in loopback (127.0.0.0/8), which is never routed");
    for (const char* to : {"127.5.0.0/16", "0.0.0.0/8", "224.0.0.0/4", "239.0.0.1/32",
                           "240.0.0.0/5", "255.255.255.255/32"})
        CHECK(add_route(t, to, "10.0.0.2") != "");
    for (const char* to : {"0.0.0.0/0", "0.0.0.0/7", "224.0.0.0/3", "126.0.0.0/8"})
        CHECK(add_route(t, to, "10.0.0.2") == "");
    CHECK(way_to(t, "127.0.0.1") == "martian");
    CHECK(way_to(t, "224.0.0.1") == "multicast");
}

TEST_CASE("a route replaces the one before and goes when removed", "[nodes]")
{
    node_tester t;
    CHECK(add_route(t, "16.0.0.0/8", "10.0.0.9") == "");
    CHECK(way_to(t, "16.0.0.1") == "glean a via 10.0.0.9");
    CHECK(add_route(t, "16.0.0.0/8", "10.0.1.9") == "");
    CHECK(way_to(t, "16.0.0.1") == "glean b via 10.0.1.9");
    REQUIRE(t.ip4().add_blackhole(prefix("16.0.0.0/8")));
    CHECK(way_to(t, "16.0.0.1") == "blackhole");
    REQUIRE(t.ip4().remove_route(prefix("16.0.0.0/8")));
    CHECK(way_to(t, "16.0.0.1") == "unreachable");
    CHECK(error_of(t.ip4().remove_route(prefix("16.0.0.0/8"))) == "no static route to 16.0.0.0/8");
}

TEST_CASE("a route to a connected network waits behind it", "[nodes]")
{
    node_tester t;
    CHECK(add_route(t, "10.0.0.0/24", "10.0.1.9") == "");
    CHECK(way_to(t, "10.0.0.9") == "glean a");
    REQUIRE(t.ip4().remove_address(0, own_address("10.0.0.1/24")));
    CHECK(way_to(t, "10.0.0.9") == "glean b via 10.0.1.9");
    CHECK(add(t, 0, "10.0.0.1/24") == "");
    CHECK(way_to(t, "10.0.0.9") == "glean a");
}

TEST_CASE("a route rests while its next hop's network is away", "[nodes]")
{
    node_tester t;
    CHECK(add_route(t, "16.0.0.0/8", "10.0.1.2") == "");
    REQUIRE(t.ip4().remove_address(1, own_address("10.0.1.1/24")));
    CHECK(way_to(t, "16.0.0.1") == "unreachable");
    CHECK(t.verdict_of(udp_packet("10.0.0.2", "16.0.0.1")) == "ip4-lookup: no_route -> a");
    CHECK(add(t, 1, "10.0.1.1/24") == "");
    CHECK(way_to(t, "16.0.0.1")
              .starts_with("rewrite b via 10.0.1.2 ")); // the neighbour set by hand is back, too
    REQUIRE(t.ip4().remove_address(1, own_address("10.0.1.1/24")));
}

TEST_CASE("a route follows its next hop's network to another interface", "[nodes]")
{
    node_tester t{{.interfaces = 3}};
    CHECK(add_route(t, "16.0.0.0/8", "10.0.1.9") == "");
    REQUIRE(t.ip4().add_route(prefix("17.0.0.0/8"), {ip("10.0.1.9"), ip("10.0.2.9")}));
    REQUIRE(t.ip4().neighbour_up(1, ip("10.0.1.9"), mac_of(1, 9)));
    REQUIRE(t.ip4().remove_address(1, own_address("10.0.1.1/24")));
    CHECK(ways_to(t, "17.0.0.1") == "glean c via 10.0.2.9");
    CHECK(add(t, 0, "10.0.1.1/24") == "");
    CHECK(way_to(t, "16.0.0.1") ==
          "glean a via 10.0.1.9"); // not by the MAC that was b's neighbour's
    CHECK(ways_to(t, "17.0.0.1") == "glean a via 10.0.1.9, glean c via 10.0.2.9");
    t.hear_from("10.0.1.9", mac_of(0, 9), 0);
    CHECK(way_to(t, "16.0.0.1").starts_with("rewrite a via 10.0.1.9"));
    t.ip4().neighbour_down(1, ip("10.0.1.9"));
    CHECK(way_to(t, "16.0.0.1").starts_with("rewrite a via 10.0.1.9"));
    CHECK(add_route(t, "18.0.0.0/8", "10.0.1.9") == "");
    REQUIRE(t.ip4().remove_address(0, own_address("10.0.1.1/24")));
    CHECK(add(t, 1, "10.0.1.1/24") == ""); // and back
    for (const char* to : {"16.0.0.1", "18.0.0.1"})
        CHECK(way_to(t, to) == "glean b via 10.0.1.9");
    for (const char* to : {"16.0.0.0/8", "17.0.0.0/8", "18.0.0.0/8"})
        REQUIRE(t.ip4().remove_route(prefix(to)));
    for (auto hop : t.hops().next_hops())
        CHECK(t.hops().at(hop).address != ip("10.0.2.9"));
}

TEST_CASE("what is down is no way: its routes give way and come back", "[nodes]")
{
    node_tester t{{.interfaces = 3}};
    CHECK(add_route(t, "0.0.0.0/0", "10.0.1.2") == "");
    CHECK(add_route(t, "18.0.0.0/8", "10.0.2.2") == "");
    CHECK(add_route(t, "18.1.0.0/16", "10.0.2.9") == "");
    CHECK(add_route(t, "10.0.2.0/24", "10.0.0.9") == ""); // another way to c's network
    const auto by_carrier = [&](bool up) { t.set_carrier("c", up); };
    const auto by_hand = [&](bool up) { t.set_up("c", up); };
    for (const std::function<void(bool)>& set :
         {std::function<void(bool)>{by_carrier}, {by_hand}}) {
        const auto before = prefixes(t);
        CHECK(way_to(t, "18.0.0.1").starts_with("rewrite c"));
        set(false);
        for (const char* to : {"18.0.0.1", "18.1.0.1"})
            CHECK(way_to(t, to).starts_with("rewrite b via 10.0.1.2"));
        for (const char* to : {"10.0.2.1", "10.0.2.2", "10.0.2.77", "10.0.2.255"})
            CHECK(way_to(t, to) == "glean a via 10.0.0.9");
        CHECK(t.ip4().own().contains(ip("10.0.2.1"))); // stays configured
        set(true);
        CHECK(prefixes(t) == before);
        CHECK(way_to(t, "10.0.2.1") == "local");
        CHECK(way_to(t, "18.1.0.1") == "glean c via 10.0.2.9");
    }
}

TEST_CASE("a route may be added while its interface is down, and waits for it", "[nodes]")
{
    node_tester t;
    CHECK(add_route(t, "0.0.0.0/0", "10.0.0.9") == "");
    t.set_carrier("b", false);
    CHECK(add_route(t, "16.0.0.0/8", "10.0.1.9") == "");
    CHECK(add(t, 1, "10.7.0.1/24") == "");
    for (const char* to : {"16.0.0.1", "10.7.0.1", "10.7.0.9"})
        CHECK(way_to(t, to) == "glean a via 10.0.0.9");
    t.set_carrier("b", true);
    CHECK(way_to(t, "16.0.0.1") == "glean b via 10.0.1.9");
    CHECK(way_to(t, "10.7.0.1") == "local");
    CHECK(way_to(t, "10.7.0.9") == "glean b");
}

TEST_CASE("a default route without a path answers like none", "[nodes]")
{
    node_tester t;
    CHECK(add_route(t, "0.0.0.0/0", "10.0.1.9") == "");
    t.set_carrier("b", false);
    CHECK(way_to(t, "16.0.0.1") == "unreachable");
    CHECK(t.verdict_of(udp_packet("10.0.0.2", "16.0.0.1")) == "ip4-lookup: no_route -> a");
    CHECK_FALSE(t.ip4().routes().of(prefix("0.0.0.0/0")).front().active);
    CHECK(add_route(t, "0.0.0.0/0", "10.0.1.10") == "");
    t.set_carrier("b", true);
    CHECK(way_to(t, "16.0.0.1") == "glean b via 10.0.1.10");
}

TEST_CASE("a neighbour overrides no route inside its network", "[nodes]")
{
    node_tester t;
    const auto hear = [&] { t.hear_from("10.0.1.130", mac_of(1, 130), 1); };
    REQUIRE(t.ip4().add_blackhole(prefix("10.0.1.128/25")));
    hear();
    CHECK(way_to(t, "10.0.1.130") == "blackhole");
    CHECK(t.verdict_of(udp_packet("10.0.0.2", "10.0.1.130")) == "ip4-lookup: blackhole");
    REQUIRE(t.ip4().remove_route(prefix("10.0.1.128/25"))); // judged anew
    CHECK(way_to(t, "10.0.1.130").starts_with("rewrite b via 10.0.1.130"));
    CHECK(add_route(t, "10.0.1.128/26", "10.0.1.2") == "");
    CHECK(way_to(t, "10.0.1.130").starts_with("rewrite b via 10.0.1.2 "));
    hear();
    CHECK(way_to(t, "10.0.1.130").starts_with("rewrite b via 10.0.1.2 "));
    CHECK(add_route(t, "10.0.1.128/26", "10.0.0.2") == "");
    t.set_carrier("a", false); // that route is none any more
    CHECK(way_to(t, "10.0.1.130").starts_with("rewrite b via 10.0.1.130"));
    CHECK(add_route(t, "10.0.0.0/16", "10.0.1.2") == ""); // shorter than the network
    CHECK(way_to(t, "10.0.1.130").starts_with("rewrite b via 10.0.1.130"));
}

TEST_CASE("a neighbour waits for its network", "[nodes]")
{
    node_tester t;
    CHECK(add_route(t, "10.0.0.0/8", "10.0.0.9") == "");
    REQUIRE(t.ip4().neighbour_up(1, ip("10.5.0.9"), mac_of(1, 9)));
    CHECK(way_to(t, "10.5.0.9") == "glean a via 10.0.0.9");
    CHECK(add(t, 0, "10.5.0.1/24") == ""); // another interface's
    CHECK(way_to(t, "10.5.0.9") == "glean a");
    REQUIRE(t.ip4().remove_address(0, own_address("10.5.0.1/24")));
    CHECK(add(t, 1, "10.5.0.1/24") == "");
    CHECK(way_to(t, "10.5.0.9").starts_with("rewrite b via 10.5.0.9"));
    CHECK(add(t, 1, "10.5.0.9/24") == ""); // its address is the router's for a while
    CHECK(way_to(t, "10.5.0.9") == "local");
    REQUIRE(t.ip4().remove_address(1, own_address("10.5.0.9/24")));
    CHECK(way_to(t, "10.5.0.9").starts_with("rewrite b via 10.5.0.9"));
}

TEST_CASE("a neighbour has a host route while its MAC is known", "[nodes]")
{
    node_tester t;
    REQUIRE(t.ip4().neighbour_up(1, ip("10.0.1.9"), mac_of(1, 9)));
    CHECK(way_to(t, "10.0.1.9").starts_with("rewrite b via 10.0.1.9"));
    REQUIRE(t.ip4().neighbour_up(1, ip("10.0.1.9"), mac_of(1, 10)));
    CHECK(way_to(t, "10.0.1.9").ends_with("02:00:00:00:0b:0a"));
    CHECK(add_route(t, "16.0.0.0/8", "10.0.1.9") == "");
    CHECK(way_to(t, "16.0.0.1") == way_to(t, "10.0.1.9"));
    t.ip4().neighbour_down(1, ip("10.0.1.9"));
    CHECK(way_to(t, "10.0.1.9") == "glean b");
    CHECK(way_to(t, "16.0.0.1") == "glean b via 10.0.1.9");
    t.ip4().neighbour_down(1, ip("10.0.1.9")); // has no effect
}
