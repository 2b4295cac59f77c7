// SPDX-License-Identifier: Apache-2.0
// Which frames an interface takes: those for its MAC addresses, of which it may have several.
#include "tests/nodes/node_tester.hh"

namespace weft::test::filters_tests {

using Catch::Contains;

namespace {

constexpr net::mac_address virtual_router{{0, 0, 0x5e, 0, 1, 7}}; // RFC 9568 section 7.3

packet_builder to_virtual(const net::mac_address& to = virtual_router)
{
    return packet_builder{}.ethernet(to).ip4("10.0.0.2", "10.0.1.2").udp();
}

} // namespace

TEST_CASE("frames to each of an interface's MAC addresses are its own", "[nodes]")
{
    for (const variant which :
         {variant::plain, variant::baseline, variant::avx2, variant::avx512}) {
        if (!is_supported(which))
            continue;
        node_tester t;
        t.use_variant(which);
        CHECK(t.verdict_of(to_virtual()) == "ethernet-input: not_for_us");
        REQUIRE(t.command("interface mac add a 00:00:5e:00:01:07") == "");
        REQUIRE(t.command("interface mac add a 00:00:5e:00:01:03") == "");
        CHECK(t.verdict_of(to_virtual()) == "-> b");
        CHECK(t.verdict_of(to_virtual(mac_of(0, 1))) == "-> b");
        CHECK(t.verdict_of(to_virtual().ether_type(0x86dd)) == "ethernet-input: unknown_ethertype");
        CHECK(t.verdict_of(to_virtual({{0, 0, 0x5e, 0, 1, 8}})) == "ethernet-input: not_for_us");
        CHECK(t.verdict_of(to_virtual(), 1) == "ethernet-input: not_for_us"); // the other one's
        REQUIRE(t.command("interface mac delete a 00:00:5e:00:01:07") == "");
        CHECK(t.verdict_of(to_virtual()) == "ethernet-input: not_for_us");
        CHECK(t.verdict_of(to_virtual({{0, 0, 0x5e, 0, 1, 3}})) == "-> b");
    }
}

TEST_CASE("a port's secondary MAC addresses are its sub-interfaces' too", "[nodes]")
{
    node_tester t;
    REQUIRE(t.command("interface create vlan a.5 link a vlan 5 ip4 true") == "");
    REQUIRE(t.command("interface mac add a 00:00:5e:00:01:07") == "");
    CHECK(t.verdict_of(to_virtual().tag(5)) == "-> b");
    CHECK(t.command("interface mac add a.5 00:00:5e:00:01:08") ==
          "error: interface a.5 receives what interface a does");
    CHECK(t.command("set interface promiscuous a.5 on") ==
          "error: interface a.5 receives what interface a does");
}

TEST_CASE("what an interface that is down has no address for is told from what is down", "[nodes]")
{
    node_tester t;
    REQUIRE(t.command("interface mac add a 00:00:5e:00:01:07") == "");
    t.set_up("a", false);
    CHECK(t.verdict_of(to_virtual()) == "ethernet-input: interface_down");
    t.set_up("a", true);
    CHECK(t.verdict_of(to_virtual()) == "-> b");
}

TEST_CASE("a sender with one of the router's secondary MAC addresses is a loop", "[nodes]")
{
    node_tester t;
    const auto request =
        packet_builder{}.arp(1, virtual_router, "10.0.0.9", net::mac_address{}, "10.0.0.1");
    REQUIRE(t.command("interface mac add b 00:00:5e:00:01:07") == "");
    CHECK(t.verdict_of(request) == "arp-input: own_mac");
    REQUIRE(t.command("interface mac delete b 00:00:5e:00:01:07") == "");
    CHECK(t.verdict_of(request) == "-> a (ARP)");
}

TEST_CASE("secondary MAC addresses that cannot be are refused", "[nodes]")
{
    node_tester t;
    REQUIRE(t.command("interface mac add a 00:00:5e:00:01:07") == "");
    CHECK_THAT(t.command("interface mac add a 00:00:5e:00:01:07"), Contains("already"));
    CHECK_THAT(t.command("interface mac add a " + net::to_string(mac_of(0, 1))),
               Contains("already"));
    CHECK_THAT(t.command("interface mac add a 01:00:5e:00:01:07"), Contains("not a unicast MAC"));
    CHECK_THAT(t.command("interface mac delete a 00:00:5e:00:01:08"), Contains("no secondary MAC"));
    for (unsigned n = 1; n < max_secondary_macs; ++n)
        REQUIRE(interfaces_of(t.engine).add_secondary_mac(
            t.port("a"), {{2, 0, 9, 9, static_cast<uint8_t>(n >> 8), static_cast<uint8_t>(n)}}));
    CHECK_THAT(t.command("interface mac add a 02:00:00:00:09:07"), Contains("the most there are"));
}

TEST_CASE("secondary MAC addresses and promiscuity come with an interface, and are shown",
          "[nodes]")
{
    node_tester t;
    CHECK_THAT(t.command("interface create null n secondary-macaddresses "
                         "00:00:5e:00:01:07,00:00:5e:00:01:07"),
               Contains("has the MAC address 00:00:5e:00:01:07 already"));
    REQUIRE(t.command("interface create null n promiscuous true secondary-macaddresses "
                      "00:00:5e:00:01:08,00:00:5e:00:01:07") == "");
    auto shown = t.command_json("show interface n")["interfaces"][0];
    CHECK(shown["secondary_macaddresses"].dump() == R"(["00:00:5e:00:01:07","00:00:5e:00:01:08"])");
    CHECK(shown["promiscuous"] == true);
    CHECK_THAT(t.command("show hardware"), Contains("Secondary MAC 00:00:5e:00:01:08"));
    REQUIRE(t.command("set interface promiscuous n off") == "");
    CHECK(t.command_json("show interface n")["interfaces"][0]["promiscuous"] == false);
    REQUIRE(t.command("interface delete n") == "");
    REQUIRE(t.command("interface create null n") == "");
    CHECK(t.command_json("show interface n")["interfaces"][0]["secondary_macaddresses"].empty());
    REQUIRE(t.command("interface create loopback lo") == "");
    CHECK_THAT(t.command("interface mac add lo 02:00:00:00:09:07"), Contains("by a loopback"));
}

} // namespace weft::test::filters_tests
