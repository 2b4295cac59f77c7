// SPDX-License-Identifier: Apache-2.0
// ip4-input: every check of RFC 1812 section 5.2.2 at its bounds, and any bytes at all.
#include "nodes/interface/interface.hh"
#include "tests/nodes/node_tester.hh"

#include <random>
#include <rte_mbuf.h>

using namespace weft;
using namespace weft::test;

namespace {

// A header alone: 34 bytes of frame.
packet_builder bare()
{
    return packet_builder{}.ethernet().ip4();
}

} // namespace

TEST_CASE("a frame one byte short of a header is too short", "[nodes]")
{
    node_tester t;
    CHECK(t.verdict_of(bare().frame_bytes(33)) == "ip4-input: too_short");
    CHECK(t.verdict_of(bare()) == "-> b");
}

TEST_CASE("only version 4 is taken", "[nodes]")
{
    node_tester t;
    for (uint8_t version = 0; version < 16; ++version)
        CHECK(t.verdict_of(bare().version(version)) ==
              (version == 4 ? "-> b" : "ip4-input: bad_version"));
}

TEST_CASE("a header length is from 20 bytes to the frame's end", "[nodes]")
{
    node_tester t;
    for (uint8_t words = 0; words < 5; ++words)
        CHECK(t.verdict_of(bare().header_words(words)) == "ip4-input: bad_header_length");
    CHECK(t.verdict_of(bare().header_words(6)) == "ip4-input: bad_header_length");
    CHECK(t.verdict_of(bare().options(40)) == "-> b");
    CHECK(t.verdict_of(bare().options(40).frame_bytes(14 + 59)) == "ip4-input: bad_header_length");
    CHECK(t.verdict_of(bare().options(40).header_words(14)) == "-> b");
}

TEST_CASE("options are forwarded as they are", "[nodes]")
{
    node_tester t;
    const auto sent = bare().options(8).payload(5).ttl(9).bytes();
    CHECK(t.verdict_of(bare().options(8).payload(5).ttl(9)) == "-> b");
    const auto out = t.take_one();
    CHECK(out.ip4().header_bytes() == 28);
    CHECK(byte_string(out.bytes.begin() + 26, out.bytes.end()) ==
          byte_string(sent.begin() + 26, sent.end()));
    CHECK(reference_checksum({out.bytes.data() + 14, 28}) == 0);
}

TEST_CASE("a total length is from the header's to the frame's end", "[nodes]")
{
    node_tester t;
    CHECK(t.verdict_of(bare().payload(10).total_length(0)) == "ip4-input: bad_total_length");
    CHECK(t.verdict_of(bare().payload(10).total_length(19)) == "ip4-input: bad_total_length");
    CHECK(t.verdict_of(bare().payload(10).total_length(20)) == "-> b");
    CHECK(t.verdict_of(bare().options(4).total_length(23)) == "ip4-input: bad_total_length");
    CHECK(t.verdict_of(bare().options(4).total_length(24)) == "-> b");
    CHECK(t.verdict_of(bare().payload(10).total_length(30)) == "-> b");
    CHECK(t.verdict_of(bare().payload(10).total_length(31)) == "ip4-input: bad_total_length");
    CHECK(t.verdict_of(bare().payload(10).total_length(65535)) == "ip4-input: bad_total_length");
}

TEST_CASE("what is behind the packet in its frame is not forwarded", "[nodes]")
{
    node_tester t;
    for (size_t bytes : {51, 60, 1442}) {
        CHECK(t.verdict_of(udp_packet().ttl(9).frame_bytes(bytes, 0xee)) == "-> b");
        CHECK(t.take_one().bytes ==
              udp_packet().ethernet(mac_of(1, 2), mac_of(1, 1)).ttl(8).bytes());
    }
    const auto small = packet_builder{}.ip4().payload(1).ttl(9);
    CHECK(t.verdict_of(packet_builder{small}.frame_bytes(60, 0xee)) == "-> b");
    CHECK(t.take_one().bytes.size() == 35);
}

TEST_CASE("what is behind the packet is sent back in no answer", "[nodes]")
{
    node_tester t;
    const auto echo = packet_builder{}.ip4("10.0.0.2", "10.0.0.1").icmp_echo().payload(4);
    CHECK(t.verdict_of(packet_builder{echo}.frame_bytes(1046, 0xee)) == "-> a");
    CHECK(t.take_one().bytes.size() == 46);
    CHECK(t.verdict_of(udp_packet().ttl(1).frame_bytes(1000, 0xee)) ==
          "ip4-input: ttl_expired -> a");
    CHECK(t.take_one().bytes.size() == 14 + 28 + 36);
}

TEST_CASE("what is behind a packet in several buffers goes, wherever it begins", "[nodes]")
{
    const auto bytes = udp_packet().payload(100).ttl(9).bytes();
    const auto right =
        udp_packet().ethernet(mac_of(1, 2), mac_of(1, 1)).payload(100).ttl(8).bytes();
    for (size_t end : {40, 100, 141, 142, 143, 150}) { // of the first buffer
        node_tester t;
        byte_string all = bytes;
        all.resize(200, 0xee);
        packet* head = t.make({all.begin(), all.begin() + static_cast<long>(end)});
        packet* middle = t.make({all.begin() + static_cast<long>(end), all.begin() + 180});
        packet* tail = t.make({all.begin() + 180, all.end()});
        REQUIRE(rte_pktmbuf_chain(head->mbuf(), middle->mbuf()) == 0);
        REQUIRE(rte_pktmbuf_chain(head->mbuf(), tail->mbuf()) == 0);
        t.inject("ethernet-input", head);
        t.run();
        CHECK(t.take_one().bytes == right);
    }
}

TEST_CASE("no fragment hides TCP's flags from a filter", "[nodes]")
{
    node_tester t;
    const auto part = [](uint16_t offset, bool more, size_t bytes) {
        return packet_builder{}
            .ip4()
            .protocol(net::ip_protocol::tcp)
            .fragment(offset, more)
            .payload(bytes);
    };
    for (bool more : {false, true})
        CHECK(t.verdict_of(part(1, more, 16)) == "ip4-input: tcp_fragment");
    CHECK(t.verdict_of(part(0, true, 8)) == "ip4-input: tcp_fragment");
    CHECK(t.verdict_of(part(0, true, 8).frame_bytes(60)) == "ip4-input: tcp_fragment");
    CHECK(t.verdict_of(part(0, true, 8).options(8)) == "ip4-input: tcp_fragment");
    CHECK(t.verdict_of(part(0, true, 16)) == "-> b");
    CHECK(t.verdict_of(part(2, false, 8)) == "-> b");
    CHECK(t.verdict_of(part(0, false, 8)) == "-> b"); // no fragment
    CHECK(t.verdict_of(part(0, true, 8).protocol(17)) == "-> b");
    CHECK(t.verdict_of(part(1, true, 8).protocol(17)) == "-> b");
}

TEST_CASE("any one bit of the header that is wrong is noticed", "[nodes]")
{
    node_tester t;
    const auto good = udp_packet().bytes();
    for (size_t bit = 0; bit < 160; ++bit) {
        auto bytes = good;
        bytes[14 + bit / 8] = static_cast<uint8_t>(bytes[14 + bit / 8] ^ (1u << bit % 8));
        t.inject("ethernet-input", t.make(bytes));
        t.run();
        INFO("bit " << bit);
        CHECK(t.take().empty());
        const auto counted = t.counted();
        REQUIRE(counted.size() == 1);
        CHECK(counted.begin()->first.starts_with("ip4-input: bad_"));
        if (bit >= 32)
            CHECK(counted.begin()->first == "ip4-input: bad_checksum");
    }
}

TEST_CASE("a packet is forwarded while its TTL is above one", "[nodes]")
{
    node_tester t;
    CHECK(t.verdict_of(udp_packet().ttl(0)) == "ip4-input: ttl_expired -> a");
    CHECK(t.verdict_of(udp_packet().ttl(1)) == "ip4-input: ttl_expired -> a");
    const auto message = t.take_one().icmp();
    CHECK(message.type == net::icmp4::time_exceeded);
    CHECK(message.code == 0);
    CHECK(t.verdict_of(udp_packet().ttl(2)) == "-> b");
    CHECK(t.take_one().ip4().ttl == 1);
    CHECK(t.verdict_of(udp_packet().ttl(255)) == "-> b");
}

TEST_CASE("the TTL does not matter where nothing is forwarded to", "[nodes]")
{
    node_tester t;
    for (uint8_t ttl : {0, 1, 64}) {
        for (const char* to :
             {"0.0.0.0", "0.255.255.255", "127.0.0.1", "127.255.255.255", "240.0.0.1"})
            CHECK(t.verdict_of(udp_packet("10.0.0.2", to).ttl(ttl)) ==
                  "ip4-lookup: martian_destination");
        CHECK(t.verdict_of(udp_packet("10.0.0.2", "224.0.0.5").ttl(ttl)) ==
              "ip4-lookup: multicast");
        for (const char* to : {"255.255.255.255", "10.0.0.255", "10.0.1.0"})
            CHECK(t.verdict_of(udp_packet("10.0.0.2", to).ttl(ttl)) == "ip4-lookup: broadcast");
    }
}

TEST_CASE("the router itself takes a packet with any TTL", "[nodes]")
{
    node_tester t;
    for (const char* own : {"10.0.0.1", "10.0.1.1"})
        for (uint8_t ttl : {0, 1, 2})
            CHECK(t.verdict_of(packet_builder{}.ip4("10.0.0.2", own).ttl(ttl).icmp_echo()) ==
                  "-> a");
}

TEST_CASE("no packet with a source that cannot be one passes", "[nodes]")
{
    node_tester t;
    for (const char* source : {"0.0.0.0", "0.255.255.255", "127.0.0.1", "127.255.255.255",
                               "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"})
        CHECK(t.verdict_of(udp_packet(source)) == "ip4-input: martian_source");
    for (const char* source : {"1.0.0.0", "126.255.255.255", "128.0.0.1", "223.255.255.255"})
        CHECK(t.verdict_of(udp_packet(source)) == "-> b");
}

TEST_CASE("no packet from a broadcast address of the router's networks passes", "[nodes]")
{
    node_tester t;
    for (const char* source : {"10.0.0.0", "10.0.0.255", "10.0.1.0", "10.0.1.255"})
        for (uint8_t ttl : {1, 64})
            CHECK(t.verdict_of(udp_packet(source).ttl(ttl)) == "ip4-input: martian_source");
    CHECK(t.verdict_of(udp_packet("10.0.2.255")) ==
          "-> b"); // of somebody else's network nobody here knows
    REQUIRE(t.ip4().add_address(0, own_address("10.7.0.0/31")));
    REQUIRE(t.ip4().add_address(0, own_address("10.8.0.1/30")));
    t.run();
    CHECK(t.verdict_of(udp_packet("10.7.0.1")) == "-> b");
    CHECK(t.verdict_of(udp_packet("10.8.0.0")) == "ip4-input: martian_source");
    CHECK(t.verdict_of(udp_packet("10.8.0.3")) == "ip4-input: martian_source");
    REQUIRE(t.ip4().remove_address(0, own_address("10.8.0.1/30")));
    CHECK(t.verdict_of(udp_packet("10.8.0.3")) == "-> b");
}

TEST_CASE("no packet from an address of the router's own passes", "[nodes]")
{
    node_tester t;
    CHECK(t.verdict_of(udp_packet("10.0.0.1")) == "ip4-input: own_source");
    CHECK(t.verdict_of(udp_packet("10.0.1.1")) == "ip4-input: own_source");
    CHECK(t.verdict_of(udp_packet("10.0.0.1", "10.0.1.1")) == "ip4-input: own_source");
    CHECK(t.verdict_of(udp_packet("10.0.2.1")) == "-> b");
    REQUIRE(t.ip4().remove_address(1, own_address("10.0.1.1/24")));
    CHECK(t.verdict_of(udp_packet("10.0.1.1", "10.0.0.2")) == "-> a");
}

TEST_CASE("what came as a link-layer broadcast is not forwarded", "[nodes]")
{
    node_tester t;
    const auto broadcast = [](std::string_view to) {
        return udp_packet("10.0.0.2", to).ethernet(net::broadcast_mac);
    };
    CHECK(t.verdict_of(broadcast("10.0.1.2")) == "ip4-input: link_broadcast");
    CHECK(t.verdict_of(broadcast("10.0.0.1")) == "ip4-input: link_broadcast");
    CHECK(t.verdict_of(broadcast("10.0.1.2").ttl(1)) == "ip4-input: link_broadcast");
    CHECK(t.verdict_of(broadcast("224.0.0.5")) == "ip4-lookup: multicast");
    CHECK(t.verdict_of(broadcast("255.255.255.255")) == "ip4-lookup: broadcast");
}

TEST_CASE("what is lost counts once for the interface that it came in by, and nothing else does",
          "[nodes]")
{
    node_tester t;
    t.add_route("16.0.0.0/8", {"10.0.0.2"});
    const auto drops_of = [&](const packet_builder& p) {
        const auto before = interfaces_of(t.engine).count(1).drops;
        [[maybe_unused]] const auto verdict =
            t.verdict_of(packet_builder{p}.ethernet(mac_of(1, 1), mac_of(1, 2)), 1);
        CHECK(interfaces_of(t.engine).count(0).drops == 0);
        return interfaces_of(t.engine).count(1).drops - before;
    };
    for (const auto& lost :
         {udp_packet("10.0.1.255"), udp_packet("10.0.0.1"), udp_packet().header_checksum(1),
          udp_packet().version(6), bare().protocol(6).fragment(1, true),
          udp_packet("10.0.1.2", "127.0.0.1").ttl(1), udp_packet().tag(7),
          udp_packet("10.0.1.2", "10.0.0.2").payload(1500),         // no fragments are made
          packet_builder{}.ip4("10.0.1.2", "99.0.0.1").icmp(3, 1)}) // nobody is told
        CHECK(drops_of(lost) == 1);
    for (const auto& kept :
         {udp_packet("10.0.1.2", "16.0.0.1"), udp_packet("10.0.1.2", "16.0.0.1").frame_bytes(900),
          packet_builder{}.ip4("10.0.1.2", "10.0.0.1").icmp_echo(), udp_packet("10.0.1.2").tag(0)})
        CHECK(drops_of(kept) == 0);
}

namespace {

class packet_noise {
public:
    explicit packet_noise(uint32_t seed) : random_{seed} {}

    [[nodiscard]] uint32_t below(uint32_t bound) { return random_() % bound; }

    [[nodiscard]] byte_string bytes()
    {
        if (below(4) == 0)
            return noise(below(200));
        byte_string p = almost_valid().bytes();
        for (uint32_t changes = below(4); changes > 0 && !p.empty(); --changes)
            p[below(static_cast<uint32_t>(p.size()))] = static_cast<uint8_t>(below(256));
        if (below(8) == 0)
            p.resize(below(static_cast<uint32_t>(p.size()) + 1));
        return p;
    }

private:
    byte_string noise(size_t size)
    {
        byte_string p(size);
        for (auto& byte : p)
            byte = static_cast<uint8_t>(below(256));
        return p;
    }

    packet_builder almost_valid()
    {
        constexpr std::array destinations{"10.0.0.1",   "10.0.1.1",  "10.0.1.2",        "10.0.1.77",
                                          "10.0.1.255", "16.0.0.1",  "17.0.0.1",        "99.0.0.1",
                                          "127.0.0.1",  "224.0.0.9", "255.255.255.255", "10.0.0.9"};
        const auto* to = destinations[below(destinations.size())];
        if (below(10) == 0)
            return packet_builder{}.arp(static_cast<uint16_t>(below(4)), mac_of(0, below(9)),
                                        "10.0.0.7", {}, to);
        auto p = packet_builder{}.ip4("10.0.0.2", to).payload(below(1400));
        p.ttl(static_cast<uint8_t>(below(4))).options(4 * below(11)).version(below(9) ? 4 : 6);
        if (below(3) == 0)
            p.fragment(static_cast<uint16_t>(below(3)), below(2) == 0);
        switch (below(4)) {
        case 0:
            return p.udp();
        case 1:
            return p.tcp();
        case 2:
            return p.icmp(static_cast<uint8_t>(below(20)), 0);
        default:
            return p;
        }
    }

    std::mt19937 random_;
};

// The bytes behind `at` go into a buffer of their own, as a scattering driver leaves them.
packet* split(node_tester& t, const byte_string& bytes, size_t at, interface_index from)
{
    const auto middle = bytes.begin() + static_cast<ptrdiff_t>(at);
    packet* head = t.make({bytes.begin(), middle}, from);
    packet* tail = t.make({middle, bytes.end()}, from);
    REQUIRE(rte_pktmbuf_chain(head->mbuf(), tail->mbuf()) == 0);
    return head;
}

} // namespace

TEST_CASE("whatever comes in meets one fate and leaves", "[nodes]")
{
    node_tester t;
    t.add_route("16.0.0.0/8", {"10.0.1.2"});
    t.add_route("17.0.0.0/8", {"10.0.1.2", "10.0.0.2", "10.0.1.99"});
    t.set_mtu("b", 900);
    packet_noise noise{20220127};
    for (unsigned i = 0; i < 10'000; ++i) {
        const auto bytes = noise.bytes();
        const auto from = static_cast<interface_index>(noise.below(2));
        const bool whole = bytes.size() < 2 || noise.below(4) != 0;
        t.inject("ethernet-input",
                 whole ? t.make(bytes, from)
                       : split(t, bytes, noise.below(static_cast<uint32_t>(bytes.size())), from));
        if (i % 300 == 299)
            t.run();
        if (i % 1000 == 999)
            t.advance(1s);
    }
    t.advance(10s); // neighbours that never answer give their packets back
    CHECK(t.neighbours().waiting() == 0);
    CHECK(t.engine.packets_in_flight() == 0);
    const auto reasons = t.counted();
    for (const char* name : {"too_short", "bad_version", "bad_header_length", "bad_total_length",
                             "bad_checksum", "ttl_expired"})
        CHECK(reasons.contains(fmt::format("ip4-input: {}", name)));
    CHECK(t.take().size() >
          200); // forwarded, or messages, of which each sender gets so many a second
}
