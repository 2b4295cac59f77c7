// SPDX-License-Identifier: Apache-2.0
// ip4-local: what the router takes for itself and what it says to the rest.
#include "graph/dispatch_table.hh"
#include "graph/node_run.hh"
#include "tests/nodes/node_tester.hh"

using namespace weft;
using namespace weft::test;

namespace {

enum reasons : uint16_t { heard };

// What a plugin might have: takes all that comes.
void take_packet(node_run& run, frame& in) noexcept
{
    run.each(in, [](packet&) noexcept { return drop(heard); });
}

const node_registration listener{{.name = "test-packets",
                                  .function = take_packet,
                                  .reasons = {{heard, "heard", "a packet for this node"}},
                                  .joined_later = true}};

packet_builder to_router()
{
    return packet_builder{}.ethernet().ip4("10.0.0.2", "10.0.0.1");
}

} // namespace

TEST_CASE("ICMP to the router goes to its node", "[nodes]")
{
    node_tester t;
    CHECK(t.verdict_of(to_router().icmp_echo()) == "-> a");
    CHECK(t.went("ip4-local", "ip4-icmp-echo") == 1);
}

TEST_CASE("a UDP port nobody listens on is unreachable", "[nodes]")
{
    node_tester t;
    CHECK(t.verdict_of(to_router().udp(5, 33434)) == "ip4-local: no_listener -> a");
    const auto message = t.take_one().icmp();
    CHECK(message.type == net::icmp4::unreachable);
    CHECK(message.code == net::icmp4::port_unreachable);
}

TEST_CASE("other protocols are unreachable", "[nodes]")
{
    node_tester t;
    for (uint8_t protocol : {0, 2, 6, 47, 89, 255}) {
        CHECK(t.verdict_of(to_router().protocol(protocol).payload(20)) ==
              "ip4-local: no_listener -> a");
        CHECK(t.take_one().icmp().code == net::icmp4::protocol_unreachable);
    }
}

TEST_CASE("a node takes the IP protocol that it registers for", "[nodes]")
{
    const dispatch_registration ospf{"ip4-protocol", 89, "OSPF", "test-packets"};
    node_tester t;
    const auto packet = to_router().protocol(89).payload(20);
    CHECK(t.verdict_of(packet) == "test-packets: heard");
    CHECK(t.verdict_of(packet_builder{packet}.fragment(0, true)) == "ip4-local: fragment");
    CHECK(t.verdict_of(to_router().protocol(88).payload(20)) == "ip4-local: no_listener -> a");
    CHECK_THAT(t.command("show ip local"),
               Catch::Matches("(?:.*\n) +1 +ICMP +ip4-icmp-echo +ip4_icmp_echo.cc:[0-9]+\n"
                              " +89 +OSPF +test-packets +test_ip4_local.cc:[0-9]+"));
}

TEST_CASE("fragments to the router are dropped, first and later ones", "[nodes]")
{
    node_tester t;
    CHECK(t.verdict_of(to_router().icmp_echo().fragment(0, true)) == "ip4-local: fragment");
    CHECK(t.verdict_of(to_router().udp().fragment(1, false)) == "ip4-local: fragment");
    CHECK(t.verdict_of(to_router().icmp_echo().dont_fragment()) == "-> a");
}
