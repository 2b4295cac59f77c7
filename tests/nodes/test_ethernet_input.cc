// SPDX-License-Identifier: Apache-2.0
// ethernet-input: which frames are taken, and where they go.
#include "graph/dispatch_table.hh"
#include "graph/node_run.hh"
#include "nodes/interface/interface.hh"
#include "tests/nodes/node_tester.hh"

using namespace weft;
using namespace weft::test;

namespace {

enum reasons : uint16_t { heard };

// What a plugin might have: takes all that comes.
void take_frame(node_run& run, frame& in) noexcept
{
    run.each(in, [](packet&) noexcept { return drop(heard); });
}

const node_registration listener{{.name = "test-frames",
                                  .function = take_frame,
                                  .reasons = {{heard, "heard", "a packet for this node"}},
                                  .joined_later = true}};

} // namespace

TEST_CASE("a frame to the router goes on by its EtherType", "[nodes]")
{
    node_tester t;
    CHECK(t.verdict_of(udp_packet()) == "-> b");
    CHECK(t.went("ethernet-input", "ip4-input") == 1);
    CHECK(t.verdict_of(
              packet_builder{}.ethernet().arp(1, mac_of(0, 9), "10.0.0.9", {}, "10.0.0.7")) == "");
    CHECK(t.went("ethernet-input", "arp-input") == 1);
}

TEST_CASE("a frame below an Ethernet header is too short", "[nodes]")
{
    node_tester t;
    for (size_t bytes : {0, 1, 13})
        CHECK(t.verdict_of(udp_packet().frame_bytes(bytes)) == "ethernet-input: too_short");
    CHECK(t.verdict_of(udp_packet().frame_bytes(14)) == "ip4-input: too_short");
}

TEST_CASE("a frame to another station is not for the router", "[nodes]")
{
    node_tester t;
    for (const auto& other : {mac_of(0, 3), mac_of(1, 1), net::mac_address{}})
        CHECK(t.verdict_of(udp_packet().ethernet(other)) == "ethernet-input: not_for_us");
    CHECK(t.verdict_of(udp_packet().ethernet(mac_of(1, 1)), 1) == "-> b");
}

TEST_CASE("frames to groups are taken and known as such", "[nodes]")
{
    node_tester t;
    CHECK(t.verdict_of(udp_packet().ethernet(net::broadcast_mac)) == "ip4-input: link_broadcast");
    const net::mac_address group{{1, 0, 0x5e, 0, 0, 1}};
    CHECK(t.verdict_of(udp_packet().ethernet(group)) == "ip4-input: link_broadcast");
    CHECK(t.verdict_of(udp_packet("10.0.0.2", "224.0.0.1").ethernet(group)) ==
          "ip4-lookup: multicast");
}

TEST_CASE("an EtherType without a node is dropped", "[nodes]")
{
    node_tester t;
    for (uint16_t type : {0x0000, 0x05dc, 0x0801, 0x86dd, 0x88cc})
        CHECK(t.verdict_of(udp_packet().ether_type(type)) == "ethernet-input: unknown_ethertype");
}

TEST_CASE("a node takes the EtherType that it registers for", "[nodes]")
{
    const dispatch_registration lldp{"ethertype", 0x88cc, "LLDP", "test-frames"};
    for (const bool ip4 : {true, false}) {
        node_tester t{{.addresses = ip4}};
        for (const auto which : {variant::plain, variant::baseline}) {
            t.use_variant(which);
            const auto frame = udp_packet().ether_type(0x88cc);
            CHECK(t.verdict_of(frame) == "test-frames: heard");
            CHECK(t.verdict_of(packet_builder{frame}.tag(0)) == "test-frames: heard");
            CHECK(t.verdict_of(packet_builder{frame}.ethernet(mac_of(0, 3))) ==
                  "ethernet-input: not_for_us");
            CHECK(t.verdict_of(udp_packet()) == (ip4 ? "-> b" : "ethernet-input: ip4_off"));
            CHECK(t.verdict_of(udp_packet().ethernet(mac_of(0, 3))) ==
                  "ethernet-input: not_for_us");
        }
    }
}

TEST_CASE("EtherTypes are shown with the nodes that take them", "[nodes][cli]")
{
    const dispatch_registration lldp{"ethertype", 0x88cc, "LLDP", "test-frames"};
    node_tester t;
    CHECK_THAT(t.command("show ethertypes"),
               Catch::Matches("(?:.*\n)*0x0806 +ARP +arp-input +arp_input.cc:[0-9]+\n"
                              "0x8100 +802.1Q +ethernet-input +ethernet_input.cc:[0-9]+\n"
                              "0x88a8 +802.1ad +ethernet-input +ethernet_input.cc:[0-9]+\n"
                              "0x88cc +LLDP +test-frames +test_ethernet_input.cc:[0-9]+"));
    const auto keys = t.command_json("show ethertypes")["keys"];
    CHECK(keys[0]["number"] == 0x800);
    CHECK(keys[0]["name"] == "IP4");
    CHECK(keys[0]["node"] == "ip4-input");
}

TEST_CASE("a priority tag is taken off, and the rest is as if it had never been there", "[nodes]")
{
    node_tester t;
    for (uint16_t control : {0x0000, 0x1000, 0xe000, 0xf000}) { // priority and drop eligible
        CHECK(t.verdict_of(udp_packet().ttl(9).tag(control)) == "-> b");
        CHECK(t.take_one().bytes ==
              udp_packet().ethernet(mac_of(1, 2), mac_of(1, 1)).ttl(8).bytes());
    }
    CHECK(t.verdict_of(packet_builder{}.ip4("10.0.0.2", "10.0.0.1").icmp_echo().tag(0)) == "-> a");
    const auto request =
        packet_builder{}.arp(1, mac_of(0, 9), "10.0.0.9", {}, "10.0.0.1").tag(0xa000);
    CHECK(t.verdict_of(request) == "-> a (ARP)");
    CHECK(t.take_one().ethernet().destination == mac_of(0, 9));
    CHECK(t.verdict_of(udp_packet().ether_type(0x88cc).tag(0)) ==
          "ethernet-input: unknown_ethertype");
    CHECK(t.verdict_of(udp_packet().ethernet(mac_of(0, 3)).tag(0)) == "ethernet-input: not_for_us");
    CHECK(t.verdict_of(udp_packet().tag(0).frame_bytes(17)) == "ethernet-input: too_short");
    CHECK(t.verdict_of(udp_packet().tag(0).frame_bytes(18)) == "ip4-input: too_short");
}

TEST_CASE("a frame of a VLAN is another network's", "[nodes]")
{
    node_tester t;
    for (uint16_t control : {0x0001, 0x0064, 0x0fff, 0xe001})
        CHECK(t.verdict_of(udp_packet().tag(control)) == "ethernet-input: unknown_vlan");
    CHECK(t.verdict_of(udp_packet().ethernet(mac_of(0, 3)).tag(1)) == "ethernet-input: not_for_us");
    CHECK(t.verdict_of(udp_packet().ether_type(0x8100).tag(0)) == "ethernet-input: unknown_vlan");
}

TEST_CASE("an interface that is down takes no frame", "[nodes]")
{
    node_tester t;
    t.set_up("a", false);
    CHECK(t.verdict_of(udp_packet()) == "ethernet-input: interface_down");
    t.set_up("a", true);
    CHECK(t.verdict_of(udp_packet()) == "-> b");
}

TEST_CASE("drops are counted for the interface they came in by", "[nodes]")
{
    node_tester t;
    CHECK(t.verdict_of(udp_packet().ether_type(0), 1) == "ethernet-input: not_for_us");
    CHECK(interfaces_of(t.engine).count(0).drops == 0);
    CHECK(interfaces_of(t.engine).count(1).drops == 1);
}

TEST_CASE("drops of several interfaces in one vector are counted each for its own", "[nodes]")
{
    node_tester t;
    for (const interface_index from : {0, 0, 1, 0, 1, 1, 1})
        t.inject("ethernet-input", udp_packet().ethernet(mac_of(0, 3)), from);
    t.run();
    CHECK(t.counted() == counts{{"ethernet-input: not_for_us", 7}});
    CHECK(interfaces_of(t.engine).count(0).drops == 3);
    CHECK(interfaces_of(t.engine).count(1).drops == 4);
}

TEST_CASE("a full mixed vector keeps its order and loses nobody", "[nodes]")
{
    node_tester t;
    for (uint16_t i = 0; i < 3 * vector_size; ++i) {
        auto p = udp_packet().id(i);
        if (i % 3 == 1)
            p.ethernet(mac_of(0, 3));
        else if (i % 3 == 2)
            p.ether_type(0x86dd);
        t.inject("ethernet-input", p);
    }
    t.run();
    const auto out = t.take();
    REQUIRE(out.size() == vector_size);
    for (uint16_t i = 0; i < vector_size; ++i)
        CHECK(out[i].ip4().id.host() == 3 * i);
    CHECK(t.counted() == counts{{"ethernet-input: not_for_us", vector_size},
                                {"ethernet-input: unknown_ethertype", vector_size}});
}
