// SPDX-License-Identifier: Apache-2.0
// ip4-icmp-echo: the answer to a ping, byte for byte, and what gets none.
#include "tests/nodes/node_tester.hh"

using namespace weft;
using namespace weft::test;

namespace {

packet_builder ping(size_t bytes = 56)
{
    return packet_builder{}.ethernet().ip4("10.0.0.2", "10.0.0.1").icmp_echo(9, 3).payload(bytes);
}

packet_builder pong(size_t bytes)
{
    return packet_builder{}
        .ethernet(mac_of(0, 2), mac_of(0, 1))
        .ip4("10.0.0.1", "10.0.0.2")
        .icmp(net::icmp4::echo_reply, 0, 9, 3)
        .payload(bytes);
}

} // namespace

TEST_CASE("an echo is answered byte for byte", "[nodes]")
{
    node_tester t;
    for (size_t bytes : {0, 1, 55, 56, 57, 1471, 1472}) {
        CHECK(t.verdict_of(ping(bytes).ttl(3)) == "-> a");
        CHECK(t.take_one().bytes == pong(bytes).bytes());
    }
}

TEST_CASE("an echo whose answer is all zeros has a checksum that is right", "[nodes]")
{
    node_tester t;
    CHECK(t.verdict_of(ping().icmp_echo(0, 0).payload(byte_string(4, 0))) == "-> a");
    const auto out = t.take_one().bytes;
    CHECK(reference_checksum({out.data() + 34, out.size() - 34}) == 0);
    CHECK(out[36] == 0xff); // RFC 1071: over zeros alone
    CHECK(out[37] == 0xff);
}

TEST_CASE("every checksum of an echo turns into a right one", "[nodes]")
{
    node_tester t;
    unsigned wrong = 0;
    for (uint32_t id = 0; id <= 0xffff; ++id) {
        t.inject("ethernet-input", ping().icmp_echo(static_cast<uint16_t>(id), 1).payload(0));
        if (id % vector_size != vector_size - 1)
            continue;
        t.run();
        const auto all = t.take();
        REQUIRE(all.size() == vector_size);
        for (const auto& out : all)
            wrong += reference_checksum({out.bytes.data() + 34, 8}) != 0;
    }
    CHECK(wrong == 0);
}

TEST_CASE("padding is no part of an echo", "[nodes]")
{
    node_tester t;
    CHECK(t.verdict_of(ping(1).frame_bytes(60)) == "-> a");
    const auto out = t.take_one();
    CHECK(out.ip4().total_length.host() == 29);
    CHECK(reference_checksum({out.bytes.data() + 34, 9}) == 0);
}

TEST_CASE("the answer goes back by a route, to the neighbour there", "[nodes]")
{
    node_tester t;
    t.add_route("16.0.0.0/8", {"10.0.1.2"});
    CHECK(t.verdict_of(packet_builder{}.ip4("16.0.0.5", "10.0.0.1").icmp_echo()) == "-> b");
    CHECK(t.take_one().ethernet().destination == mac_of(1, 2));
    CHECK(t.verdict_of(packet_builder{}.ip4("99.0.0.5", "10.0.0.1").icmp_echo()) ==
          "ip4-icmp-error: not_eligible, ip4-lookup: no_route");
}

TEST_CASE("the answer speaks with the address that was asked", "[nodes]")
{
    node_tester t;
    CHECK(t.verdict_of(packet_builder{}.ip4("10.0.0.2", "10.0.1.1").icmp_echo()) == "-> a");
    const auto out = t.take_one();
    CHECK(out.ip4().source == ip("10.0.1.1").wire());
    CHECK(out.ip4().ttl == 64);
    CHECK(out.ethernet().source == mac_of(0, 1));
}

TEST_CASE("an echo with a wrong ICMP checksum is dropped", "[nodes]")
{
    node_tester t;
    CHECK(t.verdict_of(ping().transport_checksum(0x1234)) == "ip4-icmp-echo: bad_checksum");
    auto bytes = ping(57).bytes();
    bytes.back() ^= 1; // the odd byte at the end counts too
    t.inject("ethernet-input", t.make(bytes));
    t.run();
    CHECK(t.counted() == counts{{"ip4-icmp-echo: bad_checksum", 1}});
}

TEST_CASE("a message below an ICMP header is too short", "[nodes]")
{
    node_tester t;
    const auto cut = [](size_t bytes) {
        return packet_builder{}.ip4("10.0.0.2", "10.0.0.1").protocol(1).payload(bytes);
    };
    CHECK(t.verdict_of(cut(0)) == "ip4-icmp-echo: too_short");
    CHECK(t.verdict_of(cut(7)) == "ip4-icmp-echo: too_short");
    CHECK(t.verdict_of(cut(7).frame_bytes(60)) == "ip4-icmp-echo: too_short");
    CHECK(t.verdict_of(ping(0)) == "-> a");
}

TEST_CASE("other ICMP messages are not answered", "[nodes]")
{
    node_tester t;
    for (uint8_t type : {0, 3, 5, 9, 11, 13, 17, 255})
        CHECK(t.verdict_of(ping().icmp(type, 0)) == "ip4-icmp-echo: unhandled_type");
}

TEST_CASE("an answer to nobody known yet waits for the neighbour", "[nodes]")
{
    node_tester t;
    CHECK(t.verdict_of(packet_builder{}.ip4("10.0.0.77", "10.0.0.1").icmp_echo()) == "-> a (ARP)");
    CHECK(t.neighbours().waiting() == 1);
    t.hear_from("10.0.0.77", mac_of(0, 77), 0);
    const auto all = t.take();
    REQUIRE(all.size() == 2);
    CHECK(all[1].ethernet().destination == mac_of(0, 77));
    CHECK(all[1].icmp().type == net::icmp4::echo_reply);
    CHECK(all[1].ip4().ttl == 64);
}
