// SPDX-License-Identifier: Apache-2.0
// show ip fib exact-path says where the packets of a flow really go.
#include "nodes/ip4/ip4_settings.hh"
#include "tests/nodes/node_tester.hh"

using namespace weft;
using namespace weft::test;

namespace {

std::string command_for(uint16_t port)
{
    return fmt::format(
        "show ip fib exact-path 10.0.0.2 16.0.0.1 protocol udp source-port {} destination-port 9",
        port);
}

} // namespace

TEST_CASE("exact-path names the interface by which each flow leaves", "[nodes]")
{
    for (uint64_t seed : {1, 2}) {
        node_tester t{{.interfaces = 4}};
        t.engine.module<ip4::settings>().flow_seed = seed;
        t.add_route("16.0.0.0/8", {"10.0.1.2", "10.0.2.2", "10.0.3.2"});
        std::map<std::string, int> seen;
        for (uint16_t port = 1000; port < 1060; ++port) {
            const auto path = t.command_json(command_for(port))["path"];
            const auto interface = path["interface"].get<std::string>();
            CHECK(t.verdict_of(packet_builder{}.ip4("10.0.0.2", "16.0.0.1").udp(port, 9)) ==
                  "-> " + interface);
            CHECK(path["macaddress"] == net::to_string(t.take_one().ethernet().destination));
            ++seen[interface];
        }
        CHECK(seen.size() == 3);
    }
}

TEST_CASE("exact-path says the route, the bucket and the next hop", "[nodes]")
{
    node_tester t{{.interfaces = 3}};
    t.add_route("16.0.0.0/8", {"10.0.1.2", "10.0.2.2"});
    const auto data = t.command_json(command_for(1));
    CHECK(data["route"] == "16.0.0.0/8");
    CHECK(data["buckets"] == 2);
    CHECK(data["path"]["kind"] == "rewrite");
    CHECK(data["path"]["next_hop"] == (data["path"]["interface"] == "b" ? "10.0.1.2" : "10.0.2.2"));
    const auto text = t.command(command_for(1));
    CHECK(text.starts_with("10.0.0.2 -> 16.0.0.1, protocol 17, ports 1 -> 9\n  16.0.0.0/8 static "
                           "[1/0] in VRF default, load-balance "));
    CHECK(data["route_source"] == "static");
    CHECK(data["vrf"] == "default");
    CHECK(text.find(fmt::format(", bucket {} of 2\n  [adjacency ", data["bucket"].get<int>())) !=
          std::string::npos);
    CHECK(text.find("] rewrite ") != std::string::npos);
}

TEST_CASE("a trace says of which VRF and source a packet's route is, and its path", "[nodes]")
{
    node_tester t;
    REQUIRE(t.ip4().add_route(prefix("16.0.0.0/8"), {ip("10.0.1.2")}, {},
                              {ip4::route_source::fixed, 7, 3}));
    CHECK(t.command("trace add ip4-lookup 2") == "");
    CHECK(t.verdict_of(udp_packet("10.0.0.2", "16.1.2.3")) == "-> b");
    const std::string route = "16.0.0.0/8 static [7/3] in VRF default: rewrite b via 10.0.1.2 ";
    CHECK(t.command("show trace").find(route) != std::string::npos);
    CHECK(t.command("show trace").find("has changed since") == std::string::npos);
    t.add_route("16.1.0.0/16", {"10.0.0.2"});
    CHECK(t.command("show trace")
              .find("16.1.0.0/16 static [1/0] in VRF default: rewrite b via "
                    "10.0.1.2 ") != std::string::npos);
    CHECK(t.command("show trace").find(" (the route has changed since)") != std::string::npos);
}

TEST_CASE("exact-path says why a flow goes nowhere, in the words of show errors", "[nodes]")
{
    node_tester t;
    REQUIRE(t.ip4().add_blackhole(prefix("16.1.0.0/16")));
    const std::map<std::string, std::string> expected{{"99.0.0.1", "no_route"},
                                                      {"16.1.2.3", "blackhole"},
                                                      {"127.0.0.1", "martian_destination"},
                                                      {"224.0.0.1", "multicast"},
                                                      {"10.0.1.255", "broadcast"}};
    for (const auto& [to, reason] : expected) {
        CHECK(t.command_json("show ip fib exact-path 10.0.0.2 " + to)["path"]["drop_reason"] ==
              reason);
        CHECK(t.verdict_of(packet_builder{}.ip4("10.0.0.2", to).icmp_echo())
                  .starts_with("ip4-lookup: " + reason));
        CHECK(t.command("show ip fib exact-path 10.0.0.2 " + to)
                  .ends_with("\n  dropped: ip4-lookup, " + reason));
    }
    const auto own = t.command_json("show ip fib exact-path 10.0.0.2 10.0.1.1")["path"];
    CHECK(own["kind"] == "local");
    CHECK_FALSE(own.contains("interface"));
    CHECK_FALSE(own.contains("drop_reason"));
    const auto unknown = t.command_json("show ip fib exact-path 10.0.0.2 10.0.1.77")["path"];
    CHECK(unknown["kind"] == "glean");
    CHECK(unknown["next_hop"] == "10.0.1.77");
    CHECK(unknown["interface"] == "b");
}

TEST_CASE("exact-path takes protocols by name and number, and ports where there are some",
          "[nodes]")
{
    node_tester t;
    const auto protocol = [&](std::string_view more) {
        return t
            .command_json(
                fmt::format("show ip fib exact-path 10.0.0.2 10.0.1.2{}", more))["protocol"]
            .get<int>();
    };
    CHECK(protocol("") == 1);
    CHECK(protocol(" destination-port 53") == 17);
    CHECK(protocol(" protocol tcp source-port 1") == 6);
    CHECK(protocol(" protocol 47") == 47);
    const std::string begin = "show ip fib exact-path 10.0.0.2 10.0.1.2 ";
    CHECK(t.command(begin + "protocol 256") ==
          "error: protocol: `256' is not icmp, tcp, udp or a number from 0 to 255");
    CHECK(t.command(begin + "protocol icmp source-port 1") ==
          "error: protocol 1 has no ports; only tcp and udp have");
    CHECK(t.command(begin + "source-port 65536") ==
          "error: source-port: 65536 is not between 0 and 65535");
}
