// SPDX-License-Identifier: Apache-2.0
// VLAN sub-interfaces: which frames are theirs, with which tags theirs leave, and how they follow
// the port that they lie on.
#include "nodes/interface/link.hh"
#include "tests/nodes/node_tester.hh"

using namespace weft;
using namespace weft::test;
using Catch::Contains;

namespace {

// a.100: 10.1.0.1/24, with the station 10.1.0.2 behind it.
struct vlan_tester : node_tester {
    vlan_tester()
    {
        make("vlan a.100 link a vlan 100 addresses 10.1.0.1/24");
        REQUIRE(command("ip neighbor add a.100 10.1.0.2 02:00:00:00:01:02") == "");
    }
    // What it announces is thrown away.
    void make(const std::string& what)
    {
        REQUIRE(command("interface create " + what) == "");
        run();
        interfaces_of(engine).clear_counters();
    }
    [[nodiscard]] interface_table::totals count(std::string_view name)
    {
        return interfaces_of(engine).count(port(name).index);
    }
    [[nodiscard]] bool up(std::string_view name)
    {
        return is_up(interfaces_of(engine), port(name).index);
    }
};

packet_builder to_b()
{
    return packet_builder{}.ip4("10.1.0.2", "10.0.1.2").udp();
}

} // namespace

TEST_CASE("a frame with a sub-interface's tag comes in by that interface", "[vlan]")
{
    vlan_tester t;
    for (uint16_t priority : {0x0000, 0x2000, 0xf000}) {
        CHECK(t.verdict_of(to_b().ttl(9).tag(priority | 100)) == "-> b");
        CHECK(t.take_one().bytes == to_b().ethernet(mac_of(1, 2), mac_of(1, 1)).ttl(8).bytes());
    }
    CHECK(t.count("a.100").rx_packets == 3);
    CHECK(t.count("a.100").rx_bytes == 3 * to_b().tag(100).bytes().size());
}

TEST_CASE("what goes out by a sub-interface has its tag", "[vlan]")
{
    vlan_tester t;
    const auto p = packet_builder{}.ip4("10.0.1.2", "10.1.0.2").udp().payload(30);
    CHECK(t.verdict_of(packet_builder{p}.ttl(9).ethernet(mac_of(1, 1)), 1) == "-> a");
    const auto expected =
        packet_builder{p}.ethernet({{2, 0, 0, 0, 1, 2}}, mac_of(0, 1)).ttl(8).tag(100).bytes();
    CHECK(t.take_one().bytes == expected);
    CHECK(t.count("a.100").tx_packets == 1);
    CHECK(t.count("a.100").tx_bytes == expected.size());
}

TEST_CASE("a tag that no interface has is dropped", "[vlan]")
{
    vlan_tester t;
    CHECK(t.verdict_of(to_b().tag(101)) == "ethernet-input: unknown_vlan");
    CHECK(t.verdict_of(to_b().tag(100), 1) == "ethernet-input: not_for_us");
    CHECK(t.verdict_of(to_b().ethernet(mac_of(1, 1)).tag(100), 1) ==
          "ethernet-input: unknown_vlan");
    CHECK(t.verdict_of(to_b().outer_tag(100)) == "ethernet-input: unknown_vlan"); // 802.1ad
    CHECK(t.verdict_of(to_b().outer_tag(100, net::ether_type::vlan).tag(7)) ==
          "ethernet-input: unknown_vlan");
    CHECK(t.verdict_of(to_b().tag(100).frame_bytes(17)) == "ethernet-input: too_short");
}

TEST_CASE("a VLAN lies on a VLAN, and its frames have both tags", "[vlan]")
{
    vlan_tester t;
    t.make("vlan a.7 link a vlan 7 protocol 802.1ad");
    t.make("vlan a.7.8 link a.7 vlan 8 addresses 10.2.0.1/24");
    REQUIRE(t.command("ip neighbor add a.7.8 10.2.0.2 02:00:00:00:02:02") == "");
    CHECK(t.verdict_of(to_b().ip4("10.2.0.2", "10.0.1.2").outer_tag(7).tag(8)) == "-> b");
    const auto p = packet_builder{}.ip4("10.0.1.2", "10.2.0.2").udp();
    CHECK(t.verdict_of(packet_builder{p}.ethernet(mac_of(1, 1)), 1) == "-> a");
    CHECK(t.take_one().bytes == packet_builder{p}
                                    .ethernet({{2, 0, 0, 0, 2, 2}}, mac_of(0, 1))
                                    .ttl(63)
                                    .outer_tag(7)
                                    .tag(8)
                                    .bytes());
    CHECK(t.count("a.7").rx_packets == 1);
    CHECK(t.count("a.7").tx_packets == 1);
    CHECK(t.count("a.7.8").tx_packets == 1);
    CHECK(interfaces_of(t.engine).hot(t.port("a.7.8").index).mtu == 1496);
    CHECK_THAT(t.command("interface create vlan x link a.7.8 vlan 9"),
               Contains("already has 2 tags"));
}

TEST_CASE("stations on a VLAN are asked and answered with its tag", "[vlan]")
{
    vlan_tester t;
    const auto request =
        packet_builder{}.arp(1, mac_of(0, 9), "10.1.0.9", {}, "10.1.0.1").tag(0xa000 | 100);
    CHECK(t.verdict_of(request) == "-> a");
    auto answer = t.take_one();
    CHECK(answer.header<net::be16>(12) == net::ether_type::vlan);
    CHECK((answer.header<net::be16>(14).host() & 0xfff) == 100);
    CHECK(answer.header<net::arp_header>(18).operation == net::arp_operation::reply);
    CHECK(t.verdict_of(packet_builder{}.ethernet(mac_of(1, 1)).ip4("10.0.1.2", "10.1.0.77").udp(),
                       1) == "-> a");
    answer = t.take_one();
    CHECK(answer.header<net::be16>(14).host() == 100);
    CHECK(answer.header<net::arp_header>(18).target_ip == ip("10.1.0.77").wire());
}

TEST_CASE("the router answers pings and sends errors on a VLAN", "[vlan]")
{
    vlan_tester t;
    CHECK(t.verdict_of(packet_builder{}.ip4("10.1.0.2", "10.1.0.1").icmp_echo().tag(100)) ==
          "-> a");
    auto sent = t.take_one();
    CHECK(sent.header<net::be16>(14).host() == 100);
    CHECK(sent.header<net::icmp4_header>(38).type == net::icmp4::echo_reply);
    CHECK(t.verdict_of(to_b().ttl(1).tag(100)) == "ip4-input: ttl_expired -> a");
    sent = t.take_one();
    CHECK(sent.header<net::be16>(14).host() == 100);
    CHECK(sent.header<net::icmp4_header>(38).type == net::icmp4::time_exceeded);
}

TEST_CASE("a priority tag behind a VLAN's is taken off", "[vlan]")
{
    vlan_tester t;
    CHECK(t.verdict_of(to_b().outer_tag(100, net::ether_type::vlan).tag(0x6000)) == "-> b");
    CHECK(t.verdict_of(packet_builder{}
                           .ip4("10.1.0.2", "10.1.0.1")
                           .icmp_echo()
                           .outer_tag(100, net::ether_type::vlan)
                           .tag(0)) == "-> a");
    CHECK(t.take_one().header<net::be16>(16) == net::ether_type::ip4);
}

TEST_CASE("a port's untagged packets are not routed where IPv4 is not enabled", "[vlan]")
{
    node_tester t{{.addresses = false}};
    const auto p = packet_builder{}.ip4("10.0.0.2", "10.0.1.2").udp();
    CHECK(t.verdict_of(p) == "ethernet-input: ip4_off");
    REQUIRE(t.ip4().add_address(0, own_address("10.0.0.1/24")));
    CHECK(t.verdict_of(p) != "ethernet-input: ip4_off");
    REQUIRE(t.ip4().remove_address(0, own_address("10.0.0.1/24")));
    CHECK(t.verdict_of(p) == "ethernet-input: ip4_off");
    REQUIRE(t.command("interface create vlan a.5 link a vlan 5 ip4 true") == "");
    REQUIRE(t.command("interface create vlan a.6 link a vlan 6") == "");
    CHECK(t.verdict_of(packet_builder{p}.tag(5)) != "ethernet-input: ip4_off");
    CHECK(t.verdict_of(packet_builder{p}.tag(6)) == "ethernet-input: ip4_off");
    CHECK(t.verdict_of(packet_builder{p}.ether_type(0x86dd).tag(6)) ==
          "ethernet-input: unknown_ethertype");
}

TEST_CASE("a sub-interface follows its port: state, link, MAC address and MTU", "[vlan]")
{
    vlan_tester t;
    CHECK(t.up("a.100"));
    t.set_carrier("a", false);
    CHECK_FALSE(t.up("a.100"));
    t.set_carrier("a", true);
    t.set_up("a", false);
    CHECK_FALSE(t.up("a.100"));
    t.set_up("a", true);
    CHECK(t.up("a.100"));
    const net::mac_address other{{2, 0, 0, 0, 0, 0x55}};
    REQUIRE(t.command("set interface mac a 02:00:00:00:00:55") == "");
    t.run(); // announcements
    CHECK(t.verdict_of(to_b().ethernet(other).tag(100)) == "-> b");
    const auto& hot = interfaces_of(t.engine).hot(t.port("a.100").index);
    t.set_mtu("a", 1200);
    CHECK(hot.mtu == 1200);
    t.set_mtu("a", 1500);
    CHECK(hot.mtu == 1500);
    CHECK_THAT(t.command("set interface mtu a.100 1501"), Contains("above 1500"));
    CHECK(t.command("set interface mtu a.100 1000") == "");
    t.set_mtu("a", 1400);
    CHECK(hot.mtu == 1000);
}

TEST_CASE("a sub-interface that is down takes and sends nothing", "[vlan]")
{
    vlan_tester t;
    t.set_up("a.100", false);
    CHECK(t.verdict_of(to_b().tag(100)) == "ethernet-input: interface_down");
    CHECK(t.up("a"));
    t.set_up("a.100", true);
    CHECK(t.verdict_of(to_b().tag(100)) == "-> b");
}

TEST_CASE("with a port its sub-interfaces are deleted, and its tags are unknown again", "[vlan]")
{
    node_tester t;
    REQUIRE(t.command("interface create null n") == "");
    REQUIRE(t.command("interface create vlan n.5 link n vlan 5 addresses 10.5.0.1/24") == "");
    REQUIRE(t.command("interface create vlan n.5.6 link n.5 vlan 6") == "");
    REQUIRE(t.command("interface delete n") == "");
    CHECK(interfaces_of(t.engine).all().size() == 2);
    REQUIRE(t.command("interface create vlan b.5 link b vlan 5") == "");
    REQUIRE(t.command("interface delete b.5") == "");
    t.run(); // what was about to leave
    CHECK(t.verdict_of(to_b().ethernet(mac_of(1, 1)).tag(5), 1) == "ethernet-input: unknown_vlan");
}

TEST_CASE("what cannot be a VLAN is told", "[vlan]")
{
    vlan_tester t;
    for (const auto& [what, words] : std::map<std::string, std::string>{
             {"vlan x link a vlan 100",
              "VLAN 100 of interface a is already used by interface a.100"},
             {"vlan x link nowhere vlan 1", "no interface `nowhere'"},
             {"vlan x link a", "needs `vlan'"},
             {"vlan x vlan 9", "needs `link'"},
             {"vlan x link a vlan 4095", "4095 is above 4094"},
             {"vlan x link a vlan 0", "0 is below 1"},
             {"vlan x link a vlan 9 mtu 1501", "above 1500"},
             {"vlan x link a vlan 9 queues 2", "an interface of kind vlan has no `queues'"},
             {"vlan x link a vlan 9 protocol 802.1x", "802.1ad"}}) {
        INFO(what);
        CHECK_THAT(t.command("interface create " + what), Contains(words));
        CHECK(interfaces_of(t.engine).find("x") == nullptr);
    }
}

TEST_CASE("a loopback is up, and its address is reached through every port", "[interface]")
{
    vlan_tester t;
    t.make("loopback lo0 addresses 10.255.0.1/32");
    CHECK(t.up("lo0"));
    CHECK(t.verdict_of(packet_builder{}.ip4("10.0.0.2", "10.255.0.1").icmp_echo()) == "-> a");
    CHECK(t.verdict_of(
              packet_builder{}.ethernet(mac_of(1, 1)).ip4("10.0.1.2", "10.255.0.1").icmp_echo(),
              1) == "-> b");
    CHECK(t.verdict_of(packet_builder{}.ip4("10.1.0.2", "10.255.0.1").icmp_echo().tag(100)) ==
          "-> a");
    REQUIRE(t.command("interface delete lo0") == "");
    CHECK(t.verdict_of(packet_builder{}.ip4("10.0.0.2", "10.255.0.1").icmp_echo()) ==
          "ip4-lookup: no_route -> a");
}
