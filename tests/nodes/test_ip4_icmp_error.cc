// SPDX-License-Identifier: Apache-2.0
// ip4-icmp-error: the messages byte for byte, and about what none is sent (RFC 1812 section 4.3).
#include "nodes/ip4/ip4_icmp_limit.hh"
#include "nodes/ip4/ip4_interfaces.hh"
#include "nodes/ip4/ip4_settings.hh"
#include "tests/nodes/node_tester.hh"

#include <rte_cycles.h>
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
    made->metadata().flags = flags;
    made->note().error_type = type;
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
    CHECK(t.verdict_of(sent) == "ip4-input: ttl_expired -> a");
    CHECK(t.take_one().bytes == message_about(sent.bytes(), 11, 0, 60));
}

TEST_CASE("an unreachable message is right byte for byte", "[nodes]")
{
    node_tester t;
    const auto sent = packet_builder{}.ip4("10.0.0.2", "99.1.2.3").options(8).tcp().payload(3);
    CHECK(t.verdict_of(sent) == "ip4-lookup: no_route -> a");
    CHECK(t.take_one().bytes == message_about(sent.bytes(), 3, 0, 28 + 20 + 3));
}

TEST_CASE("a message is as long as the interface that it leaves by carries, at most", "[nodes]")
{
    node_tester t;
    for (uint16_t mtu : {68, 296, 575, 576, 577}) {
        t.set_mtu("a", mtu);
        const auto sent = expiring().udp().payload(700);
        CHECK(t.verdict_of(sent) == "ip4-input: ttl_expired -> a");
        const auto size = std::min<uint16_t>(mtu, 576);
        CHECK(t.take_one().bytes == message_about(sent.bytes(), 11, 0, size - size_t{28}));
    }
    t.set_mtu("a", 296);
    t.set_mtu("b", 1000);
    CHECK(t.verdict_of(udp_packet().payload(1072).dont_fragment()) == "ip4-rewrite: too_big -> a");
    const auto out = t.take_one();
    CHECK(out.ip4().total_length.host() == 296);
    CHECK(out.icmp().sequence.host() == 1000);
}

TEST_CASE("a message is 576 bytes at most", "[nodes]")
{
    node_tester t;
    for (size_t payload : {520, 521, 1472}) {
        const auto sent = expiring().udp().payload(payload);
        CHECK(t.verdict_of(sent) == "ip4-input: ttl_expired -> a");
        const auto out = t.take_one();
        CHECK(out.ip4().total_length.host() == 576);
        CHECK(out.bytes == message_about(sent.bytes(), 11, 0, 548));
    }
    CHECK(t.verdict_of(expiring().udp().payload(519)) == "ip4-input: ttl_expired -> a");
    CHECK(t.take_one().ip4().total_length.host() == 575);
}

TEST_CASE("padding is not quoted", "[nodes]")
{
    node_tester t;
    const auto sent = expiring().udp().payload(1).frame_bytes(60);
    CHECK(t.verdict_of(sent) == "ip4-input: ttl_expired -> a");
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

namespace {

// Whose address a message to `from` has, about a packet that came in by `in`.
std::string source_for(node_tester& t, std::string_view from, interface_index in)
{
    [[maybe_unused]] const auto verdict =
        t.verdict_of(packet_builder{}.ethernet(mac_of(in, 1)).ip4(from, "99.0.0.1").udp(), in);
    return net::to_string(net::from_wire(t.take_one().ip4().source));
}

} // namespace

TEST_CASE("a message speaks with an address of the interface by which it leaves", "[nodes]")
{
    node_tester t{{.interfaces = 3}};
    REQUIRE(t.ip4().add_address(1, own_address("10.9.0.1/16")));
    t.run(); // announces it
    REQUIRE(t.neighbours().add_permanent(1, ip("10.9.0.2"), mac_of(1, 9)));
    t.add_route("16.0.0.0/8", {"10.0.1.2"});
    t.add_route("17.0.0.0/8", {"10.9.0.2"});
    for (interface_index in : {0, 1, 2}) {
        CHECK(source_for(t, "10.0.0.2", in) == "10.0.0.1");
        CHECK(source_for(t, "10.0.1.2", in) == "10.0.1.1");
        CHECK(source_for(t, "16.0.0.2", in) == "10.0.1.1"); // as its next hop knows the router
        CHECK(source_for(t, "17.0.0.2", in) == "10.9.0.1");
        CHECK(source_for(t, "10.9.0.2", in) == "10.9.0.1");
    }
}

TEST_CASE("a message speaks with an address of the interface the packet came in by where that is "
          "asked for",
          "[nodes]")
{
    node_tester t;
    t.engine.module<ip4::settings>().icmp_from_rx = true;
    REQUIRE(t.ip4().add_address(0, own_address("10.9.0.1/16")));
    t.run(); // announces it
    t.add_route("16.0.0.0/8", {"10.0.1.2"});
    CHECK(source_for(t, "10.0.0.2", 0) == "10.0.0.1");
    CHECK(source_for(t, "10.0.0.2", 1) == "10.0.1.1");
    CHECK(source_for(t, "16.0.0.2", 0) == "10.0.0.1"); // of no network of a's: its first
    REQUIRE(t.neighbours().add_permanent(0, ip("10.9.0.2"), mac_of(0, 9)));
    CHECK(source_for(t, "10.9.0.2", 0) == "10.9.0.1");
}

TEST_CASE("an interface without an address speaks with another one of the router", "[nodes]")
{
    node_tester t{{.interfaces = 3}};
    REQUIRE(t.ip4().remove_address(2, own_address("10.0.2.1/24")));
    t.engine.module<ip4::ip4_interfaces>().enable(t.port("c"), true);
    t.add_route("16.0.0.0/8", {"10.0.1.2"});
    CHECK(source_for(t, "10.0.1.2", 2) == "10.0.1.1"); // it leaves by b
    t.engine.module<ip4::settings>().icmp_from_rx = true;
    CHECK(source_for(t, "10.0.1.2", 2) == "10.0.0.1"); // the first that was configured
}

TEST_CASE("no message is sent about an ICMP error", "[nodes]")
{
    node_tester t;
    for (uint8_t type : {3, 4, 5, 11, 12})
        CHECK(t.verdict_of(expiring().icmp(type, 0)) ==
              "ip4-icmp-error: not_eligible, ip4-input: ttl_expired");
    for (uint8_t type : {0, 8, 13, 17})
        CHECK(t.verdict_of(expiring().icmp(type, 0)) == "ip4-input: ttl_expired -> a");
    // without a type it could be one
    CHECK(t.verdict_of(expiring().protocol(1)) ==
          "ip4-icmp-error: not_eligible, ip4-input: ttl_expired");
}

TEST_CASE("no message is sent about a later fragment", "[nodes]")
{
    node_tester t;
    CHECK(t.verdict_of(expiring().udp().fragment(0, true)) == "ip4-input: ttl_expired -> a");
    for (bool more : {false, true})
        CHECK(t.verdict_of(expiring().udp().fragment(1, more)) ==
              "ip4-icmp-error: not_eligible, ip4-input: ttl_expired");
}

TEST_CASE("no message is sent about a packet to many", "[nodes]")
{
    node_tester t;
    for (const char* to : {"224.0.0.1", "255.255.255.255", "10.0.1.255", "10.0.1.0", "10.0.0.255",
                           "0.0.0.0", "0.1.2.3", "127.0.0.1", "240.0.0.1"})
        CHECK(fate_of_fault(t, udp_packet("10.0.0.2", to), 0) == "ip4-icmp-error: not_eligible");
    CHECK(fate_of_fault(t, udp_packet(), packet_metadata::layer3_broadcast) ==
          "ip4-icmp-error: not_eligible");
}

TEST_CASE("no message is sent about what the router made", "[nodes]")
{
    node_tester t;
    CHECK(fate_of_fault(t, udp_packet(), packet_metadata::locally_made) ==
          "ip4-icmp-error: not_eligible");
    CHECK(fate_of_fault(t, udp_packet(), 0) == "sent");
}

TEST_CASE("a router without an address sends no message", "[nodes]")
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
        p->note().error_type = 3;
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
        p->note().error_type = type;
        p->note().error_code = type == 3 ? 4 : 0;
        p->note().error_value = 999;
        t.inject("ip4-icmp-error", p);
        t.run();
        CHECK(t.take_one().icmp().sequence.host() == (type == 3 ? 999 : 0));
    }
}

namespace {

// Sends packets that expire, all at a time of the test's, and returns to how many of them a message
// was sent.
size_t messages_at(node_tester& t, uint64_t tsc, unsigned packets,
                   std::string_view from = "10.0.0.2", interface_index in = 0)
{
    t.engine.main().set_replayed_time(tsc);
    [[maybe_unused]] const auto before = t.counted();
    for (unsigned i = 0; i < packets; ++i)
        t.inject("ip4-input", expiring().ip4(from, "99.0.0.1").udp(), in);
    t.run();
    const auto sent = t.take().size();
    const auto counted = t.counted();
    CHECK(counted.at("ip4-input: ttl_expired") == packets);
    CHECK((counted.contains("ip4-icmp-error: rate_limited")
               ? counted.at("ip4-icmp-error: rate_limited")
               : 0) == packets - sent);
    return sent;
}

} // namespace

TEST_CASE("one sender is told so much at once and so much in a second", "[nodes]")
{
    using limit = ip4::icmp_limit;
    node_tester t;
    const uint64_t second = rte_get_tsc_hz(), begin = 1000 * second;
    CHECK(messages_at(t, begin, 200) == 50);
    CHECK(messages_at(t, begin, 1) == 0);
    const uint64_t interval = second / limit::sender_rate;
    CHECK(messages_at(t, begin + interval - 1000, 1) == 0);
    CHECK(messages_at(t, begin + interval + 1000, 2) == 1);
    CHECK(messages_at(t, begin + second / 2, 200) == limit::sender_rate / 2 - 1);
    CHECK(messages_at(t, begin + 10 * second, 200) == 50);
}

TEST_CASE("what comes in by one interface is told so much at once, and silences no other",
          "[nodes]")
{
    node_tester t;
    t.add_route("16.0.0.0/8", {"10.0.0.2"});
    const uint64_t begin = 1000 * rte_get_tsc_hz();
    size_t told = 0;
    for (unsigned engine = 1; engine <= 100;
         ++engine) // as many senders as there are messages, each a few times
        told += messages_at(t, begin, 4, fmt::format("16.0.{}.1", engine));
    CHECK(told == 100);
    CHECK(messages_at(t, begin, 1, "16.0.200.1") == 0);
    CHECK(messages_at(t, begin, 1, "10.0.1.2", 1) == 1);
}

TEST_CASE("one sender leaves most of what its interface is told to the others", "[nodes]")
{
    using limit = ip4::icmp_limit;
    constexpr uint64_t hz = 1'000'000, key = 1;
    limit l{hz, key};
    unsigned of_loud = 0, of_others = 0;
    for (uint64_t now = 1000 * hz; now < 1010 * hz; now += hz / 5000) { // 10 s
        of_loud += l.take(ip("10.0.0.2"), 0, now);
        if (now % (hz / 100) == 0)
            of_others += l.take(ip("16.0.0.9"), 0, now);
    }
    CHECK(of_loud == limit::sender_burst + 10 * limit::sender_rate - 1);
    CHECK(of_others == 10 * 100);
    CHECK(l.take(ip("16.0.0.9"), no_interface, 1010 * hz)); // of a packet that came from nowhere
}

TEST_CASE("a clock that goes back does not silence the router", "[nodes]")
{
    ip4::icmp_limit l{1'000'000, 1};
    CHECK(l.take(ip("10.0.0.2"), 0, ~uint64_t{0} - 5));
    CHECK(l.take(ip("10.0.0.2"), 0, 7'000'000));
}
