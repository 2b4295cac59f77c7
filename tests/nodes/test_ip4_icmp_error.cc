// SPDX-License-Identifier: Apache-2.0
// ip4-icmp-error: the messages byte for byte, and about what none is sent (RFC 1812 section 4.3).
#include "tests/nodes/node_tester.hh"

#include <rte_mbuf.h>

using namespace weft;
using namespace weft::test;

namespace {

packet_builder expiring()
{
    return packet_builder{}.ethernet().ip4().ttl(1);
}

// What a message about a packet looks like on interface a.
byte_string message_about(const byte_string& frame, uint8_t type, uint8_t code, size_t quoted)
{
    return packet_builder{}
        .ethernet(mac_of(0, 2), mac_of(0, 1))
        .ip4("10.0.0.1", "10.0.0.2")
        .tos(0xc0)
        .id(0)
        .icmp(type, code)
        .payload(byte_string(frame.begin() + 14, frame.begin() + 14 + static_cast<long>(quoted)))
        .bytes();
}

// Straight to the node, as if another had found fault with the packet.
std::string fate_of_fault(node_tester& t, const packet_builder& p, uint8_t flags, uint8_t type = 3)
{
    packet* made = t.make(p.bytes());
    made->mark().flags = flags;
    made->note().icmp_type = type;
    t.inject("ip4-icmp-error", made);
    t.run();
    std::string words = t.take().empty() ? "" : "sent";
    for (const auto& [what, count] : t.counted())
        words += what;
    return words;
}

} // namespace

TEST_CASE("a time exceeded message is right byte for byte", "[nodes]")
{
    node_tester t;
    const auto sent = expiring().udp().payload(32);
    CHECK(t.fate_of(sent) == "ip4-input: ttl_expired -> a");
    CHECK(t.take_one().bytes == message_about(sent.bytes(), 11, 0, 60));
}

TEST_CASE("an unreachable message is right byte for byte", "[nodes]")
{
    node_tester t;
    const auto sent = packet_builder{}.ip4("10.0.0.2", "99.1.2.3").options(8).tcp().payload(3);
    CHECK(t.fate_of(sent) == "ip4-lookup: no_route -> a");
    CHECK(t.take_one().bytes == message_about(sent.bytes(), 3, 0, 28 + 20 + 3));
}

TEST_CASE("a message is 576 bytes at most", "[nodes]")
{
    node_tester t;
    for (size_t payload : {520, 521, 1472}) {
        const auto sent = expiring().udp().payload(payload);
        CHECK(t.fate_of(sent) == "ip4-input: ttl_expired -> a");
        const auto out = t.take_one();
        CHECK(out.ip4().total_length.host() == 576);
        CHECK(out.bytes == message_about(sent.bytes(), 11, 0, 548));
    }
    CHECK(t.fate_of(expiring().udp().payload(519)) == "ip4-input: ttl_expired -> a");
    CHECK(t.take_one().ip4().total_length.host() == 575);
}

TEST_CASE("padding is not quoted", "[nodes]")
{
    node_tester t;
    const auto sent = expiring().udp().payload(1).frame_bytes(60);
    CHECK(t.fate_of(sent) == "ip4-input: ttl_expired -> a");
    CHECK(t.take_one().bytes == message_about(sent.bytes(), 11, 0, 29));
}

TEST_CASE("of a packet in several buffers the first is quoted", "[nodes]")
{
    node_tester t;
    const auto bytes = expiring().udp().payload(1000).bytes();
    packet* head = t.make({bytes.begin(), bytes.begin() + 114});
    packet* tail = t.make({bytes.begin() + 114, bytes.end()});
    REQUIRE(rte_pktmbuf_chain(head->mbuf(), tail->mbuf()) == 0);
    t.inject("ethernet-input", head);
    t.run();
    CHECK(t.take_one().bytes == message_about(bytes, 11, 0, 100));
}

TEST_CASE("a message speaks with an address of the interface the packet came in by", "[nodes]")
{
    node_tester t;
    REQUIRE(t.ip4().add_address(0, own_address("10.9.0.1/16")));
    t.run(); // announces it
    t.add_route("16.0.0.0/8", {"10.0.1.2"});
    const auto source_for = [&](std::string_view from, interface_index in) {
        [[maybe_unused]] const auto fate =
            t.fate_of(packet_builder{}.ethernet(mac_of(in, 1)).ip4(from, "99.0.0.1").udp(), in);
        return net::to_string(net::from_wire(t.take_one().ip4().source));
    };
    CHECK(source_for("10.0.0.2", 0) == "10.0.0.1");
    CHECK(source_for("10.0.1.2", 1) == "10.0.1.1");
    CHECK(source_for("16.0.0.2", 0) == "10.0.0.1"); // of no network of a's: its first
    t.hear_from("10.0.0.2", mac_of(0, 2), 0);
    REQUIRE(t.neighbours().add_permanent(0, ip("10.9.0.2"), mac_of(0, 9)));
    CHECK(source_for("10.9.0.2", 0) == "10.9.0.1");
}

TEST_CASE("no message is sent about an ICMP error", "[nodes]")
{
    node_tester t;
    for (uint8_t type : {3, 4, 5, 11, 12})
        CHECK(t.fate_of(expiring().icmp(type, 0)) ==
              "ip4-icmp-error: not_eligible, ip4-input: ttl_expired");
    for (uint8_t type : {0, 8, 13, 17})
        CHECK(t.fate_of(expiring().icmp(type, 0)) == "ip4-input: ttl_expired -> a");
    // without a type it could be one
    CHECK(t.fate_of(expiring().protocol(1)) ==
          "ip4-icmp-error: not_eligible, ip4-input: ttl_expired");
}

TEST_CASE("no message is sent about a later fragment", "[nodes]")
{
    node_tester t;
    CHECK(t.fate_of(expiring().udp().fragment(0, true)) == "ip4-input: ttl_expired -> a");
    for (bool more : {false, true})
        CHECK(t.fate_of(expiring().udp().fragment(1, more)) ==
              "ip4-icmp-error: not_eligible, ip4-input: ttl_expired");
}

TEST_CASE("no message is sent about a packet to many", "[nodes]")
{
    node_tester t;
    for (const char* to : {"224.0.0.1", "255.255.255.255", "10.0.1.255", "10.0.1.0", "10.0.0.255"})
        CHECK(t.fate_of(expiring().ip4("10.0.0.2", to).udp()) ==
              "ip4-icmp-error: not_eligible, ip4-input: ttl_expired");
    CHECK(fate_of_fault(t, udp_packet(), packet_mark::layer3_broadcast) ==
          "ip4-icmp-error: not_eligible");
}

TEST_CASE("no message is sent about what the router made", "[nodes]")
{
    node_tester t;
    CHECK(fate_of_fault(t, udp_packet(), packet_mark::locally_made) ==
          "ip4-icmp-error: not_eligible");
    CHECK(fate_of_fault(t, udp_packet(), 0) == "sent");
}

TEST_CASE("an interface without an address sends no message", "[nodes]")
{
    node_tester t{{.addresses = false}};
    CHECK(fate_of_fault(t, udp_packet(), 0) == "ip4-icmp-error: no_source");
}

TEST_CASE("a message needs room for two headers in front of the packet", "[nodes]")
{
    node_tester t;
    for (uint16_t room : {27, 28}) {
        packet* p = t.make(udp_packet().bytes());
        REQUIRE(rte_pktmbuf_headroom(p->mbuf()) > room);
        std::memmove(static_cast<std::byte*>(p->mbuf()->buf_addr) + room, p->data(), p->length());
        p->mbuf()->data_off = room;
        p->note().icmp_type = 3;
        t.inject("ip4-icmp-error", p);
        t.run();
        CHECK(t.take().size() == (room == 27 ? 0 : 1));
        CHECK(t.counted() == (room == 27 ? counts{{"ip4-icmp-error: no_room", 1}} : counts{}));
    }
}

TEST_CASE("an MTU is told with fragmentation needed only", "[nodes]")
{
    node_tester t;
    for (uint8_t type : {3, 11}) {
        packet* p = t.make(udp_packet().bytes());
        p->note().icmp_type = type;
        p->note().icmp_code = type == 3 ? 4 : 0;
        p->note().icmp_mtu = 999;
        t.inject("ip4-icmp-error", p);
        t.run();
        CHECK(t.take_one().icmp().sequence.host() == (type == 3 ? 999 : 0));
    }
}

TEST_CASE("messages are limited in rate", "[nodes]")
{
    node_tester t;
    constexpr unsigned sent = 2 * vector_size;
    for (unsigned i = 0; i < sent; ++i)
        t.inject("ip4-input", expiring().udp());
    t.run();
    const auto counted = t.counted();
    const uint64_t limited = counted.at("ip4-icmp-error: rate_limited");
    CHECK(counted.at("ip4-input: ttl_expired") == sent);
    // a burst of 100, and one more for each millisecond that this took
    CHECK(limited <= sent - 100);
    CHECK(limited > 0);
    CHECK(t.take().size() == sent - limited);
}
