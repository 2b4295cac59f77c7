// SPDX-License-Identifier: Apache-2.0
// The commands of interfaces, addresses, routes and neighbours: text, JSON and errors.
#include "nodes/interface/interface.hh"
#include "tests/nodes/node_tester.hh"

#include <set>

using namespace weft;
using namespace weft::test;

namespace {

// The nth prefix of the whole table.
std::string data_from(node_tester& t, size_t nth)
{
    return t.command_json("show ip fib max 5000")["routes"][nth]["prefix"];
}

} // namespace

TEST_CASE("show ip fib of a prefix prints its routes and what they end in", "[nodes]")
{
    node_tester t;
    t.add_route("16.0.0.0/8", {"10.0.1.2"});
    const std::string text = t.command("show ip fib 16.0.0.0/8");
    CHECK(text.starts_with("ipv4-VRF:default, fib_index:0, prefixes:16, memory:"));
    CHECK(text.find("\n16.0.0.0/8\n  static [1/0]\n  [load-balance ") != std::string::npos);
    CHECK(text.find(", buckets 1]\n    [1 of 1] [adjacency ") != std::string::npos);
    CHECK(
        text.ends_with("] rewrite b via 10.0.1.2 mtu 1500 02:00:00:00:0b:01 -> 02:00:00:00:0b:02"));
}

TEST_CASE("show ip fib of an address prints the route that it takes", "[nodes]")
{
    node_tester t;
    t.add_route("16.0.0.0/8", {"10.0.1.2", "10.0.0.9"});
    const auto data = t.command_json("show ip fib 16.3.4.5");
    REQUIRE(data["routes"].size() == 1);
    const auto& route = data["routes"][0];
    CHECK(route["prefix"] == "16.0.0.0/8");
    CHECK(route["source"] == "static");
    CHECK(route["active"] == true);
    CHECK(route["buckets"] == 2);
    REQUIRE(route["paths"].size() == 2);
    CHECK(route["paths"][0]["buckets"] == 1);
    std::set<std::string> kinds;
    for (const auto& path : route["paths"])
        kinds.insert(path["kind"].get<std::string>());
    CHECK(kinds == std::set<std::string>{"glean", "rewrite"});
}

TEST_CASE("show ip fib lists all that is said of a prefix", "[nodes]")
{
    node_tester t;
    t.add_route("10.0.0.0/24", {"10.0.1.2"});
    const auto data = t.command_json("show ip fib 10.0.0.0/24");
    REQUIRE(data["routes"].size() == 2);
    CHECK(data["routes"][0]["source"] == "connected");
    CHECK(data["routes"][1]["active"] == false);
    CHECK(t.command("show ip fib 10.0.0.0/24")
              .find("static [1/0] (not used: there is a better route)") != std::string::npos);
}

TEST_CASE("show ip fib prints the table in order", "[nodes]")
{
    node_tester t;
    const auto data = t.command_json("show ip fib");
    CHECK(data["prefixes"] == data["routes"].size());
    std::vector<std::string> shown;
    for (const auto& r : data["routes"])
        shown.push_back(r["prefix"]);
    REQUIRE(shown.size() == 15);
    CHECK(shown[0] == "0.0.0.0/8");
    CHECK(shown[1] == "10.0.0.0/24");
    CHECK(shown[2] == "10.0.0.0/32");
    CHECK(shown[3] == "10.0.0.1/32");
    CHECK(shown.back() == "255.255.255.255/32");
}

TEST_CASE("show ip fib of a long table says how much is missing", "[nodes]")
{
    node_tester t;
    for (uint32_t n = 0; n < 1200; ++n)
        REQUIRE(t.ip4().add_blackhole({{(16u << 24) + (n << 8)}, 24}));
    const auto data = t.command_json("show ip fib");
    CHECK(data["routes"].size() == 1000);
    CHECK(data["total"] == 1215);
    CHECK(data["shown"] == 1000);
    CHECK(data["next"] == data_from(t, 1000));
    CHECK(t.command("show ip fib")
              .ends_with(fmt::format("\nthere are more (1215 in total): show ip fib from {}",
                                     data_from(t, 1000))));
}

TEST_CASE("pages of show ip fib make up the whole", "[nodes]")
{
    node_tester t;
    for (uint32_t n = 0; n < 1200; ++n)
        REQUIRE(t.ip4().add_blackhole({{(16u << 24) + (n << 8)}, 24}));
    auto pages = nlohmann::ordered_json::array();
    for (std::string from = "0.0.0.0/0"; !from.empty();) {
        const auto page = t.command_json(fmt::format("show ip fib from {} max 400", from));
        CHECK(page["total"] == 1215);
        CHECK(page["shown"] == page["routes"].size());
        for (const auto& r : page["routes"])
            pages.push_back(r);
        from = page["next"].is_null() ? "" : page["next"].get<std::string>();
    }
    const auto whole = t.command_json("show ip fib max 5000");
    CHECK(whole["routes"] == pages);
    CHECK(whole["shown"] == 1215);
    CHECK(whole["next"].is_null());
    CHECK(t.command("show ip fib max 0").starts_with("error: max: 0 is not between 1 and 5000"));
    CHECK(t.command_json("show ip fib from 255.255.255.255/32 max 5")["shown"] == 1);
}

TEST_CASE("show ip fib tells why a route or a next hop is not used", "[nodes]")
{
    node_tester t;
    t.add_route("16.0.0.0/8", {"10.0.1.2", "10.0.0.2"});
    t.add_route("17.0.0.0/8", {"10.0.1.9"});
    t.set_carrier("b", false);
    CHECK(
        t.command("show ip fib 16.0.0.0/8").ends_with("\n    not used: b via 10.0.1.2: link down"));
    const auto route = t.command_json("show ip fib 17.0.0.0/8")["routes"][0];
    CHECK(route["active"] == false);
    CHECK(route["reason"] == "no usable next hop");
    CHECK(route["next_hops"].dump() ==
          R"([{"address":"10.0.1.9","interface":"b","vrf":"default","weight":1,"usable":false,)"
          R"("reason":"link down","recursive_via":null,"resolved":[]}])");
    CHECK(t.command("show ip fib")
              .find("17.0.0.0/8\n  static [1/0] (not used: no usable next hop)\n") !=
          std::string::npos);
    const auto reason = [&] {
        return t.command_json("show ip fib 17.0.0.0/8")["routes"][0]["next_hops"][0]["reason"];
    };
    t.set_up("b", false);
    CHECK(reason() == "admin down");
    REQUIRE(t.ip4().remove_address(1, own_address("10.0.1.1/24")));
    CHECK(reason() == "no connected network");
}

TEST_CASE("show ip fib summary counts by length", "[nodes]")
{
    node_tester t;
    CHECK(t.command("show ip fib summary") == "    Prefix length         Count\n"
                                              "                   4               2\n"
                                              "                   8               2\n"
                                              "                  24               2\n"
                                              "                  32               9");
    CHECK(t.command_json("show ip fib summary")["lengths"][0].dump() ==
          R"({"length":4,"count":2})");
}

TEST_CASE("show ip fib says what it does not find", "[nodes]")
{
    node_tester t;
    CHECK(t.command("show ip fib 99.0.0.1") == "error: no route to 99.0.0.1");
    CHECK(t.command("show ip fib 99.0.0.0/8") == "error: no route to 99.0.0.0/8");
    CHECK(t.command("show ip fib 10.0.0.1/24").starts_with("error: `10.0.0.1/24' has bits set"));
    CHECK(t.command("show ip fib nonsense").starts_with("error: `nonsense' is not an IPv4"));
}

TEST_CASE("routes are added, replaced and removed", "[nodes]")
{
    node_tester t;
    const auto sent = udp_packet("10.0.0.2", "16.0.0.1");
    CHECK(t.command("ip route add 16.0.0.0/8 via 10.0.1.2") == "");
    CHECK(t.verdict_of(sent) == "-> b");
    CHECK(t.command("ip route add 16.0.0.0/8 via 10.0.0.2 10.0.1.2") == "");
    CHECK(t.command_json("show ip fib 16.0.0.0/8")["routes"][0]["buckets"] == 2);
    CHECK(t.command("ip route add 16.0.0.0/8 blackhole") == "");
    CHECK(t.verdict_of(sent) == "ip4-lookup: blackhole");
    CHECK(t.command("ip route del 16.0.0.0/8") == "");
    CHECK(t.verdict_of(sent) == "ip4-lookup: no_route -> a");
}

TEST_CASE("errors of ip route name what is wrong", "[nodes]")
{
    node_tester t;
    CHECK(t.command("ip route del 16.0.0.0/8") == "error: no static route to 16.0.0.0/8");
    CHECK(t.command("ip route add 16.0.0.0/8 via 10.0.1.1") ==
          "error: next hop 10.0.1.1 is an address of this router");
    CHECK(t.command("ip route add 127.0.0.0/9 blackhole") ==
          "error: 127.0.0.0/9 is in loopback (127.0.0.0/8), which is never routed");
    CHECK(t.command("ip route add 224.0.0.0/4 via 10.0.0.2")
              .starts_with("error: 224.0.0.0/4 is in "));
    for (const char* line :
         {"ip route add 16.0.0.1/8 via 10.0.0.2", "ip route add 16.0.0.0/8 via",
          "ip route add 16.0.0.0/8", "ip route add 16.0.0.0/8 via 10.0.0", "ip route del 16.0.0.0"})
        CHECK(t.command(line).starts_with("error: "));
    std::string many = "ip route add 16.0.0.0/8 via";
    for (unsigned n = 0; n < 65; ++n)
        many += fmt::format(" 10.0.1.{}", 100 + n);
    CHECK(t.command(many) == "error: 65 next hops; 1 to 64 are allowed");
}

TEST_CASE("show ip neighbors prints age, state and who waits", "[nodes]")
{
    node_tester t;
    t.hear_from("10.0.1.77", mac_of(1, 77), 1);
    t.advance(1500ms);
    [[maybe_unused]] const auto verdict = t.verdict_of(udp_packet("10.0.0.2", "10.0.1.78"));
    const std::string text = t.command("show ip neighbors");
    CHECK(text.find("\n         1.5 10.0.1.77       reachable  02:00:00:00:0b:4d        0 b\n") !=
          std::string::npos);
    CHECK(text.find(" permanent  02:00:00:00:0a:02 ") != std::string::npos);
    const auto data = t.command_json("show ip neighbors");
    CHECK(data["limit"] == fib::neighbour_table::max_neighbours);
    CHECK(data["interfaces"][1]["unanswered"] == 1);
    CHECK(t.command("show ip neighbors")
              .ends_with("\na: 1 neighbors, 0 unanswered (limit 1024), 0 packets waiting"
                         "\nb: 3 neighbors, 1 unanswered (limit 1024), 1 packets waiting"
                         "\nLimits of all interfaces: 16384 neighbors, 1024 packets waiting"));
    REQUIRE(data["neighbors"].size() == 4);
    CHECK(data["neighbors"][2]["age"] == 1.5);
    CHECK(data["neighbors"][3]["address"] == "10.0.1.78");
    CHECK(data["neighbors"][3]["state"] == "incomplete");
    CHECK(data["neighbors"][3]["waiting"] == 1);
    CHECK(data["neighbors"][3]["interface"] == "b");
}

TEST_CASE("neighbours are added and removed", "[nodes]")
{
    node_tester t;
    CHECK(t.command("ip neighbor add b 10.0.1.77 02:00:00:00:00:77") == "");
    CHECK(t.verdict_of(udp_packet("10.0.0.2", "10.0.1.77")) == "-> b");
    CHECK(net::to_string(t.take_one().ethernet().destination) == "02:00:00:00:00:77");
    CHECK(t.command("ip neighbor del b 10.0.1.77") == "");
    CHECK(t.verdict_of(udp_packet("10.0.0.2", "10.0.1.77")) == "-> b (ARP)");
}

TEST_CASE("a neighbour may be added before its network", "[nodes]")
{
    node_tester t;
    CHECK(t.command("ip neighbor add b 10.7.0.9 02:00:00:00:00:77") == "");
    CHECK(t.command("show ip neighbors").find(" 10.7.0.9        inactive ") != std::string::npos);
    CHECK(t.command("set interface ip address b 10.7.0.1/24") == "");
    CHECK(t.command("show ip neighbors").find(" 10.7.0.9        permanent ") != std::string::npos);
}

TEST_CASE("errors of ip neighbor name what is wrong", "[nodes]")
{
    node_tester t;
    CHECK(t.command("ip neighbor add a 10.0.1.77 02:00:00:00:00:77") ==
          "error: 10.0.1.77 is on a network of interface b");
    CHECK(t.command("ip neighbor add b 10.0.1.1 02:00:00:00:00:77") ==
          "error: 10.0.1.1 is an address of interface b");
    CHECK(t.command("ip neighbor add b 10.0.1.255 02:00:00:00:00:77") ==
          "error: 10.0.1.255 is the broadcast address of 10.0.1.0/24");
    CHECK(t.command("ip neighbor add b 224.0.0.5 02:00:00:00:00:77") ==
          "error: 224.0.0.5 is in multicast (224.0.0.0/4)");
    CHECK(t.command("ip neighbor add b 10.0.1.77 01:00:5e:00:00:01") ==
          "error: 01:00:5e:00:00:01 is not a unicast MAC address");
    CHECK(t.command("ip neighbor del b 10.0.1.99") ==
          "error: interface b has no neighbour 10.0.1.99");
    for (const char* line :
         {"ip neighbor add z 10.0.1.77 02:00:00:00:00:77", "ip neighbor del z 10.0.1.77",
          "ip neighbor add b 10.0.1.77 02:00", "ip neighbor add b 10.0.1 02:00:00:00:00:77"})
        CHECK(t.command(line).starts_with("error: "));
    CHECK(t.neighbours().all().size() == 2);
}

TEST_CASE("addresses are set and taken", "[nodes]")
{
    node_tester t;
    CHECK(t.command("set interface ip address a 10.9.0.1/16") == "");
    t.run();
    CHECK(t.take_one().arp().sender_ip == ip("10.9.0.1").wire()); // announced
    CHECK(t.command("show interface address") ==
          "a (up):\n  L3 10.0.0.1/24\n  L3 10.9.0.1/16\nb (up):\n  L3 10.0.1.1/24");
    CHECK(t.command_json("show interface address")["interfaces"][0]["addresses"].size() == 2);
    CHECK(t.command("set interface ip address del a 10.9.0.1/16") == "");
    CHECK(t.command("set interface ip address del a 10.9.0.1/16") ==
          "error: interface a has no address 10.9.0.1/16");
    CHECK(t.command("set interface ip address b 10.0.0.9/24") ==
          "error: 10.0.0.9/24 overlaps 10.0.0.0/24 of interface a");
    CHECK(t.command("set interface ip address b 10.0.0.9").starts_with("error: `10.0.0.9' has no"));
    CHECK(t.command("set interface ip address z 10.5.0.1/24").starts_with("error: "));
}

TEST_CASE("an interface is brought down and up", "[nodes]")
{
    node_tester t;
    CHECK(t.command("set interface state b down") == "");
    CHECK_FALSE(t.driver("b").up);
    CHECK(t.verdict_of(udp_packet()) == "ip4-lookup: no_route -> a");
    CHECK(t.command_json("show interface b")["interfaces"][0]["state"] == "down");
    CHECK(t.command("set interface state b up") == "");
    CHECK(t.command("set interface state b up") == ""); // is already
    CHECK(t.verdict_of(udp_packet()).ends_with("-> b"));
    t.driver("b").refuses = true;
    CHECK(t.command("set interface state b down") == "error: the device says no");
    CHECK(t.verdict_of(udp_packet()) == "-> b");
    CHECK(t.command("set interface state b sideways").starts_with("error: "));
}

TEST_CASE("an MTU is from 68 to 9216, if the device takes it", "[nodes]")
{
    node_tester t;
    CHECK(t.command("set interface mtu b 68") == "");
    CHECK(t.command("set interface mtu b 9216") == "");
    CHECK(t.driver("b").mtu == 9216);
    CHECK(interfaces_of(t.engine).hot(1).mtu.load() == 9216);
    CHECK(t.command("set interface mtu b 67") == "error: mtu: 67 is not between 68 and 9216");
    CHECK(t.command("set interface mtu b 9217") == "error: mtu: 9217 is not between 68 and 9216");
    CHECK(t.command("set interface mtu b 65604") == "error: mtu: 65604 is not between 68 and 9216");
    t.driver("b").refuses = true;
    CHECK(t.command("set interface mtu b 1400") == "error: the device says no");
    CHECK(interfaces_of(t.engine).hot(1).mtu.load() == 9216);
    CHECK(t.command("set interface mtu b many").starts_with("error: "));
}

TEST_CASE("show interface prints states and counters that are not zero", "[nodes]")
{
    node_tester t;
    CHECK(t.verdict_of(udp_packet().ether_type(0)) == "ethernet-input: unknown_ethertype");
    interfaces_of(t.engine).counters(0, 0).rx_packets.add(7);
    const auto text = t.command("show interface a");
    CHECK_THAT(text, Catch::Contains("\na                  0     up     up     10G   1500  rx "
                                     "packets                 7\n") &&
                         Catch::EndsWith("\n                                                   "
                                         "drops                      1"));
    const auto data = t.command_json("show interface");
    REQUIRE(data["interfaces"].size() == 2);
    CHECK(data["interfaces"][0]["counters"]["drops"] == 1);
    CHECK(data["interfaces"][1]["counters"]["drops"] == 0);
    CHECK(data["interfaces"][1]["macaddress"] == "02:00:00:00:0b:01");
    CHECK(t.command("clear interface") == "");
    CHECK(t.command_json("show interface")["interfaces"][0]["counters"]["rx packets"] == 0);
    CHECK(t.command("show interface zz").starts_with("error: "));
}

TEST_CASE("show hardware prints what the driver says", "[nodes]")
{
    node_tester t;
    CHECK(t.command("show hardware").find("nowhere\n  Link speed: 10000 Mbps\n  Driver test") !=
          std::string::npos);
    CHECK(t.command_json("show hardware")["hardware"][1]["speed_mbps"] == 10000);
}
