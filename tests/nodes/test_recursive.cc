// SPDX-License-Identifier: Apache-2.0
// Next hops that are on no network of the router's: what they rest on, loops, what is shown; and
// routes that wait for an interface.
#include "nodes/fib/vrfs.hh"
#include "tests/nodes/node_tester.hh"

using namespace weft;
using namespace weft::test;
using fib::adjacency_index;

namespace weft::test_recursive {

namespace {

// How many buckets each path of an address has.
std::map<std::string, size_t> shares(node_tester& t, std::string_view to)
{
    std::map<std::string, size_t> found;
    for (auto a : t.hops().buckets_of(t.ip4().table().lookup(ip(to))))
        ++found[t.hops().describe(a)];
    return found;
}

std::string only_way(node_tester& t, std::string_view to)
{
    const auto all = shares(t, to);
    return all.size() == 1 ? all.begin()->first : "several";
}

std::string why_not_used(node_tester& t, std::string_view route)
{
    const auto data = t.command_json(fmt::format("show ip fib {}", route));
    return data["routes"][0]["next_hops"][0]["reason"];
}

} // namespace

TEST_CASE("a next hop beyond the router's networks is reached by its route", "[nodes]")
{
    node_tester t;
    t.add_route("16.0.0.0/8", {"192.0.2.1"});
    CHECK(only_way(t, "16.1.2.3") == "unreachable");
    CHECK(why_not_used(t, "16.0.0.0/8") == "no connected network");
    t.add_route("192.0.2.0/24", {"10.0.1.9"});
    CHECK(only_way(t, "16.1.2.3") == "glean b via 10.0.1.9");
    t.add_route("192.0.2.1/32", {"10.0.0.9"}); // the longest match
    CHECK(only_way(t, "16.1.2.3") == "glean a via 10.0.0.9");
    t.set_carrier("a", false);
    CHECK(only_way(t, "16.1.2.3") == "glean b via 10.0.1.9");
    t.set_carrier("a", true);
    CHECK(only_way(t, "16.1.2.3") == "glean a via 10.0.0.9");
    REQUIRE(t.ip4().remove_route(prefix("192.0.2.1/32")));
    REQUIRE(t.ip4().remove_route(prefix("192.0.2.0/24")));
    CHECK(only_way(t, "16.1.2.3") == "unreachable");
}

TEST_CASE("packets follow a recursive next hop, and its neighbour is asked for", "[nodes]")
{
    node_tester t;
    t.add_route("16.0.0.0/8", {"192.0.2.1"});
    t.add_route("192.0.2.0/24", {"10.0.1.2"});
    for (const auto form : {variant::plain, variant::baseline}) {
        t.use_variant(form);
        CHECK(t.verdict_of(udp_packet("10.0.0.2", "16.1.2.3")) == "-> b");
        CHECK(t.take_one().ethernet().destination == mac_of(1, 2));
    }
    t.add_route("192.0.2.0/24", {"10.0.1.77"});
    CHECK(t.verdict_of(udp_packet("10.0.0.2", "16.1.2.3")) == "-> b (ARP)");
    CHECK(t.take_one().arp().target_ip == ip("10.0.1.77").wire());
}

TEST_CASE("the network of a next hop comes and goes: connected first, then by a route", "[nodes]")
{
    node_tester t;
    t.add_route("172.16.0.0/16", {"10.0.0.9"});
    t.add_route("16.0.0.0/8", {"172.16.0.9"});
    CHECK(only_way(t, "16.1.2.3") == "glean a via 10.0.0.9");
    REQUIRE(t.ip4().add_address(1, own_address("172.16.0.1/24")));
    CHECK(only_way(t, "16.1.2.3") == "glean b via 172.16.0.9");
    REQUIRE(t.ip4().remove_address(1, own_address("172.16.0.1/24")));
    CHECK(only_way(t, "16.1.2.3") == "glean a via 10.0.0.9");
}

TEST_CASE("a recursive next hop shares its flows out as the route below does", "[nodes]")
{
    node_tester t{{.interfaces = 3}};
    REQUIRE(t.ip4().add_route(prefix("192.0.2.0/24"), {{ip("10.0.0.9"), no_interface, 3},
                                                       {ip("10.0.1.9"), no_interface, 1}}));
    t.add_route("16.0.0.0/8", {"192.0.2.1", "10.0.2.9"});
    CHECK(shares(t, "16.1.2.3") == std::map<std::string, size_t>{{"glean a via 10.0.0.9", 3},
                                                                 {"glean b via 10.0.1.9", 1},
                                                                 {"glean c via 10.0.2.9", 4}});
    t.set_carrier("a", false);
    CHECK(shares(t, "16.1.2.3") ==
          std::map<std::string, size_t>{{"glean b via 10.0.1.9", 2}, {"glean c via 10.0.2.9", 6}});
}

TEST_CASE("eight next hops may rest on each other, not nine", "[nodes]")
{
    node_tester t;
    t.add_route("20.8.0.0/16", {"10.0.1.9"});
    for (int n = 7; n >= 0; --n)
        t.add_route(fmt::format("20.{}.0.0/16", n), {fmt::format("20.{}.0.1", n + 1)});
    CHECK(only_way(t, "20.0.0.1") == "glean b via 10.0.1.9");
    t.add_route("16.0.0.0/8", {"20.0.0.1"}); // the ninth
    CHECK(only_way(t, "16.1.2.3") == "unreachable");
    CHECK(why_not_used(t, "16.0.0.0/8") == "more than 8 next hops rest on each other");
    CHECK(only_way(t, "20.0.0.1") == "glean b via 10.0.1.9");
}

TEST_CASE("a route is no way to its own next hop, nor are two to each other's", "[nodes]")
{
    node_tester t;
    t.add_route("20.0.0.0/16", {"20.0.0.1"});
    CHECK(only_way(t, "20.0.0.1") == "unreachable");
    CHECK(why_not_used(t, "20.0.0.0/16") == "a loop: its route leads through itself");
    t.add_route("20.1.0.0/16", {"20.2.0.1"});
    t.add_route("20.2.0.0/16", {"20.1.0.1"});
    CHECK(why_not_used(t, "20.1.0.0/16") == "a loop: its route leads through itself");
    CHECK(why_not_used(t, "20.2.0.0/16") == "a loop: its route leads through itself");
    t.add_route("20.0.0.0/8", {"10.0.1.9"}); // the next shorter prefix helps all three
    for (const char* to : {"20.0.0.1", "20.1.0.1", "20.2.0.1"})
        CHECK(only_way(t, to) == "glean b via 10.0.1.9");
}

TEST_CASE("the default route is no way to next hops unless that is wanted", "[nodes]")
{
    node_tester t;
    t.add_route("0.0.0.0/0", {"10.0.0.9"});
    t.add_route("16.0.0.0/8", {"192.0.2.1"});
    CHECK(why_not_used(t, "16.0.0.0/8") == "only the default route leads to it");
    CHECK(only_way(t, "16.1.2.3") == "glean a via 10.0.0.9"); // as the default route says
    t.add_route("0.0.0.0/0", {"10.0.1.9"});
    t.ip4().recursive().use_default_routes(true);
    while (!t.ip4().judge_some(1ms)) {
    }
    CHECK(why_not_used(t, "16.0.0.0/8").empty());
    t.add_route("0.0.0.0/0", {"10.0.0.9"});
    CHECK(t.command("show ip fib 16.0.0.0/8").find("glean a via 10.0.0.9") != std::string::npos);
}

TEST_CASE("a next hop behind a route that drops waits", "[nodes]")
{
    node_tester t;
    t.add_route("192.0.0.0/8", {"10.0.1.9"});
    REQUIRE(t.ip4().add_blackhole(prefix("192.0.2.0/24")));
    t.add_route("16.0.0.0/8", {"192.0.2.1"});
    CHECK(why_not_used(t, "16.0.0.0/8") == "its route drops packets");
    REQUIRE(t.ip4().remove_route(prefix("192.0.2.0/24")));
    CHECK(only_way(t, "16.1.2.3") == "glean b via 10.0.1.9");
}

TEST_CASE("a next hop behind a route by device is a neighbour there", "[nodes]")
{
    node_tester t;
    REQUIRE(t.ip4().add_route(prefix("192.0.2.0/24"), {{net::ip4_address{}, 1}}));
    t.add_route("16.0.0.0/8", {"192.0.2.1"});
    CHECK(only_way(t, "16.1.2.3") == "glean b via 192.0.2.1");
    CHECK(t.ip4().is_near(1, ip("192.0.2.1")));
}

TEST_CASE("a next hop is looked for in the VRF that it is in", "[nodes]")
{
    node_tester t{{.addresses = false, .neighbours = false}};
    auto& vrfs = t.engine.module<vrf_table>();
    const vrf_index blue = *vrfs.add("blue");
    REQUIRE(vrfs.bind(1, blue));
    REQUIRE(t.ip4().add_address(0, own_address("10.0.0.1/24")));
    REQUIRE(t.ip4().add_address(1, own_address("10.0.0.1/24")));
    REQUIRE(t.ip4().add_route(prefix("192.0.2.0/24"), {ip("10.0.0.9")}, {blue, blue}));
    REQUIRE(t.ip4().add_route(prefix("16.0.0.0/8"), {ip("192.0.2.1")}, {default_vrf, blue}));
    REQUIRE(t.ip4().add_route(prefix("17.0.0.0/8"), {ip("192.0.2.1")}));
    CHECK(only_way(t, "16.1.2.3") == "glean b via 10.0.0.9");
    CHECK(only_way(t, "17.1.2.3") == "unreachable");
}

TEST_CASE("show ip fib has what a recursive next hop comes to", "[nodes]")
{
    node_tester t;
    t.add_route("16.0.0.0/8", {"192.0.2.1"});
    t.add_route("192.0.2.0/24", {"10.0.0.9", "10.0.1.9"});
    CHECK(t.command("show ip fib 16.0.0.0/8")
              .find("\n    via 192.0.2.1 recursive via 192.0.2.0/24: a via 10.0.0.9, b via "
                    "10.0.1.9") != std::string::npos);
    const auto hop = t.command_json("show ip fib 16.0.0.0/8")["routes"][0]["next_hops"][0];
    CHECK(hop["recursive_via"] == "192.0.2.0/24");
    CHECK(hop["usable"] == true);
    REQUIRE(hop["resolved"].size() == 2);
    CHECK(hop["resolved"][1]["interface"] == "b");
    CHECK(hop["resolved"][1]["address"] == "10.0.1.9");
    CHECK(t.command_json("show ip fib 192.0.2.0/24")["routes"][0]["next_hops"][0]["recursive_via"]
              .is_null());
}

TEST_CASE("a changed route below moves no flow of a next hop that it keeps", "[nodes]")
{
    node_tester t{{.interfaces = 3}};
    t.add_route("192.0.2.0/24", {"10.0.0.9", "10.0.1.9", "10.0.2.9"});
    t.add_route("16.0.0.0/8", {"192.0.2.1"});
    const auto route = t.ip4().table().lookup(ip("16.1.2.3"));
    const auto before = t.hops().buckets_of(route);
    t.add_route("192.0.2.0/24", {"10.0.0.9", "10.0.1.9"});
    const auto after = t.hops().buckets_of(route);
    REQUIRE(after.size() == before.size());
    for (size_t bucket = 0; bucket < before.size(); ++bucket)
        if (t.hops().adjacency_at(before[bucket]).interface != 2)
            CHECK(after[bucket] == before[bucket]);
    CHECK(shares(t, "16.1.2.3").size() == 2);
}

TEST_CASE("ten thousand routes follow one recursive next hop at once", "[nodes]")
{
    node_tester t;
    t.add_route("192.0.2.0/24", {"10.0.0.9"});
    for (uint32_t n = 0; n < 10'000; ++n)
        REQUIRE(t.ip4().add_route({{0x1000'0000 + (n << 8)}, 24}, {ip("192.0.2.1")}));
    const auto route = t.ip4().table().lookup(ip("16.1.2.3"));
    t.add_route("192.0.2.0/24", {"10.0.1.9"});
    CHECK(t.ip4().table().lookup(ip("16.1.2.3")) == route); // whose path has changed
    CHECK(only_way(t, "16.0.1.1") == "glean b via 10.0.1.9");
}

TEST_CASE("a route by an interface that is not there waits for it", "[nodes]")
{
    node_tester t;
    CHECK(t.command("ip route add 16.0.0.0/8 via 172.16.0.9 dev later") ==
          "The route waits for interface `later'");
    CHECK(t.command("ip route add 17.0.0.0/8 dev later") ==
          "The route waits for interface `later'");
    CHECK(why_not_used(t, "16.0.0.0/8") == "no such interface");
    CHECK(t.command("show ip fib 16.0.0.0/8")
              .find("not used: later via 172.16.0.9: no such "
                    "interface") != std::string::npos);
    auto& interfaces = interfaces_of(t.engine);
    const auto made = interfaces.add("later", std::make_unique<test_driver>());
    REQUIRE(made);
    REQUIRE(interfaces.set_admin(**made, true));
    CHECK(only_way(t, "16.1.2.3") == "glean later via 172.16.0.9");
    CHECK(only_way(t, "17.1.2.3") == "glean later");
    CHECK(t.ip4().is_near((*made)->index, ip("172.16.0.9")));
    t.ip4().release_device(**made);
    CHECK(only_way(t, "16.1.2.3") == "unreachable");
    CHECK(why_not_used(t, "17.0.0.0/8") == "no such interface");
}

TEST_CASE("a command gives each path its weight and device", "[nodes]")
{
    node_tester t;
    CHECK(t.command("ip route add 16.0.0.0/8 distance 7 paths via 10.0.0.9 weight 3 via "
                    "10.0.1.9") == "");
    CHECK(shares(t, "16.1.2.3") ==
          std::map<std::string, size_t>{{"glean a via 10.0.0.9", 3}, {"glean b via 10.0.1.9", 1}});
    CHECK(t.command("ip route add 17.0.0.0/8 paths via 172.16.0.1 dev b dev a weight 2") == "");
    CHECK(shares(t, "17.1.2.3").count("glean b via 172.16.0.1") == 1);
    CHECK(shares(t, "17.1.2.3").count("glean a") == 1);
    const auto fault = [&](std::string_view paths) {
        return t.command(fmt::format("ip route add 18.0.0.0/8 paths {}", paths));
    };
    CHECK(fault("via 10.0.0.9 weight 257") == "error: weight: `257' is not a number from 1 to 256");
    CHECK(fault("via 10.0.0.9 weight 1 weight 2") == "error: a path has two weights");
    CHECK(fault("weight 1 via 10.0.0.9") == "error: a path begins with via or dev");
    CHECK(fault("by 10.0.0.9") == "error: `by' is not via, dev or weight");
    CHECK(fault("via") == "error: nothing follows `via'");
    CHECK(fault("via 10.0.0.9 dev a/b") == "error: `a/b' is no name of an interface");
}

} // namespace weft::test_recursive
