// SPDX-License-Identifier: Apache-2.0
// ip4-rewrite: TTL, checksum, the new Ethernet header, and the MTU.
#include "nodes/interface/interface.hh"
#include "tests/nodes/node_tester.hh"

#include <numeric>

using namespace weft;
using namespace weft::test;

namespace {

// The header with one hop less, its checksum computed over the whole.
byte_string one_hop_on(byte_string packet)
{
    packet[14 + 8] = static_cast<uint8_t>(packet[14 + 8] - 1);
    packet[14 + 10] = packet[14 + 11] = 0;
    const uint16_t sum = reference_checksum({packet.data() + 14, 20});
    packet[14 + 10] = static_cast<uint8_t>(sum >> 8);
    packet[14 + 11] = static_cast<uint8_t>(sum);
    return {packet.begin() + 14, packet.end()};
}

// Sends what `make` gives for 0 to 65535 and counts what is not what a full computation gives.
template <class Make>
unsigned wrong_of_all(node_tester& t, Make&& make)
{
    unsigned wrong = 0;
    std::vector<byte_string> expected;
    for (uint32_t i = 0; i <= 0xffff; ++i) {
        const packet_builder p = make(static_cast<uint16_t>(i));
        expected.push_back(one_hop_on(p.bytes()));
        t.inject("ip4-lookup", p);
        if (expected.size() < vector_size)
            continue;
        t.run();
        const auto out = t.take();
        REQUIRE(out.size() == expected.size());
        for (size_t k = 0; k < out.size(); ++k)
            wrong += byte_string(out[k].bytes.begin() + 14, out[k].bytes.end()) != expected[k];
        expected.clear();
    }
    return wrong;
}

// A tester whose nodes have each variant in turn that this processor runs.
void in_each_form(node_tester& t)
{
    const variant which =
        GENERATE(variant::plain, variant::baseline, variant::avx2, variant::avx512);
    if (is_supported(which))
        t.use_variant(which);
}

// As an interface of another kind would have it.
void set_rewrite(node_tester& t, std::string_view next_hop, const byte_string& header)
{
    for (auto index : t.hops().next_hops())
        if (t.hops().at(index).address == ip(next_hop))
            const_cast<fib::adjacency&>(t.hops().adjacency_at(t.hops().at(index).adjacency))
                .set_rewrite(std::as_bytes(std::span{header}));
}

packet_builder sized(uint16_t bytes)
{
    return packet_builder{}.ip4().udp().payload(bytes - 28u);
}

} // namespace

TEST_CASE("the checksum is right for every TTL and protocol", "[nodes]")
{
    node_tester t;
    in_each_form(t);
    CHECK(wrong_of_all(t, [](uint16_t word) {
              const auto ttl = static_cast<uint8_t>(word >> 8);
              return packet_builder{}
                  .ip4()
                  .ttl(ttl == 0 ? 1 : ttl) // zero never comes here
                  .protocol(static_cast<uint8_t>(word));
          }) == 0);
}

TEST_CASE("the checksum is right for every checksum before", "[nodes]")
{
    node_tester t;
    in_each_form(t);
    CHECK(wrong_of_all(t, [](uint16_t id) { return packet_builder{}.ip4().id(id).ttl(2); }) == 0);
}

TEST_CASE("the next hop's Ethernet header is written, and no byte behind the header", "[nodes]")
{
    node_tester t;
    t.add_route("16.0.0.0/8", {"10.0.1.2"});
    const auto sent = udp_packet("10.0.0.2", "16.0.0.1").payload(99);
    CHECK(t.verdict_of(sent) == "-> b");
    const auto out = t.take_one();
    CHECK(out.ethernet().destination == mac_of(1, 2));
    CHECK(out.ethernet().source == mac_of(1, 1));
    CHECK(out.ethernet().type == net::ether_type::ip4);
    CHECK(byte_string(out.bytes.begin() + 14, out.bytes.end()) == one_hop_on(sent.bytes()));
}

TEST_CASE("a link's header of any length is written in front of the network header", "[nodes]")
{
    const size_t bytes = GENERATE(0, 4, 14, 18, 22, 64, 96);
    const size_t came_behind = GENERATE(14, 18, 22);
    node_tester t;
    in_each_form(t);
    t.add_route("16.0.0.0/8", {"10.0.1.2"});
    byte_string header(bytes, 0);
    std::iota(header.begin(), header.end(), uint8_t{1});
    set_rewrite(t, "10.0.1.2", header);
    const auto whole = udp_packet("10.0.0.2", "16.0.0.1").payload(99).bytes();
    packet* p = t.make(whole);
    REQUIRE(rte_pktmbuf_prepend(p->mbuf(), static_cast<uint16_t>(came_behind - 14)) != nullptr);
    t.inject("ip4-lookup", p);
    p->metadata().l3_offset = static_cast<uint8_t>(came_behind);
    t.run();
    const auto out = t.take_one();
    INFO(bytes << " bytes behind " << came_behind);
    REQUIRE(out.bytes.size() == bytes + whole.size() - 14);
    CHECK(std::equal(header.begin(), header.end(), out.bytes.begin()));
    CHECK(std::equal(out.bytes.begin() + static_cast<ptrdiff_t>(bytes), out.bytes.end(),
                     one_hop_on(whole).begin()));
}

TEST_CASE("a link's header that the buffer has no room for is a counted drop", "[nodes]")
{
    node_tester t;
    t.add_route("16.0.0.0/8", {"10.0.1.2"});
    set_rewrite(t, "10.0.1.2", byte_string(96, 7));
    packet* p = t.make(udp_packet("10.0.0.2", "16.0.0.1").bytes());
    REQUIRE(rte_pktmbuf_prepend(p->mbuf(), rte_pktmbuf_headroom(p->mbuf())) != nullptr);
    rte_pktmbuf_adj(p->mbuf(), 81); // with 14 bytes of Ethernet one byte too few
    std::memmove(p->data(), p->data() + (RTE_PKTMBUF_HEADROOM - 81), 14 + 28);
    t.inject("ip4-lookup", p);
    t.run();
    CHECK(t.counted() == counts{{"ip4-rewrite: no_room", 1}});
}

TEST_CASE("a packet of the MTU passes, one byte more does not", "[nodes]")
{
    node_tester t;
    t.set_mtu("b", 600);
    CHECK(t.verdict_of(sized(600)) == "-> b");
    CHECK(t.verdict_of(sized(600).dont_fragment()) == "-> b");
    CHECK(t.verdict_of(sized(601)) == "ip4-rewrite: too_big");
    CHECK(t.verdict_of(sized(601).dont_fragment()) == "ip4-rewrite: too_big -> a");
    t.set_mtu("b", 601);
    CHECK(t.verdict_of(sized(601)) == "-> b");
}

TEST_CASE("who may not fragment is told the MTU", "[nodes]")
{
    node_tester t;
    t.set_mtu("b", 1280);
    const auto sent = sized(1281).dont_fragment();
    CHECK(t.verdict_of(sent) == "ip4-rewrite: too_big -> a");
    const auto out = t.take_one();
    CHECK(out.icmp().type == net::icmp4::unreachable);
    CHECK(out.icmp().code == net::icmp4::fragmentation_needed);
    CHECK(out.icmp().id.host() == 0);
    CHECK(out.icmp().sequence.host() == 1280);
    CHECK(out.ip4().source == ip("10.0.0.1").wire());
    // quoted as it came, its TTL not decremented
    const auto bytes = sent.bytes();
    CHECK(byte_string(out.bytes.begin() + 42, out.bytes.end()) ==
          byte_string(bytes.begin() + 14, bytes.begin() + 14 + 548));
}

TEST_CASE("what pads a frame does not count for the MTU", "[nodes]")
{
    node_tester t;
    t.set_mtu("b", 68);
    CHECK(t.verdict_of(sized(68).frame_bytes(100)) == "-> b");
}

TEST_CASE("a packet that the router made keeps its TTL", "[nodes]")
{
    node_tester t;
    packet* p = t.make(udp_packet().ttl(5).bytes());
    p->metadata().flags = packet_metadata::locally_made;
    t.inject("ip4-lookup", p);
    t.run();
    const auto out = t.take_one();
    CHECK(out.ip4().ttl == 5);
    CHECK(reference_checksum({out.bytes.data() + 14, 20}) == 0);
}

TEST_CASE("a packet that the router made and that is too big is only counted", "[nodes]")
{
    node_tester t;
    t.set_mtu("b", 100);
    packet* p = t.make(sized(101).dont_fragment().bytes());
    p->metadata().flags = packet_metadata::locally_made;
    t.inject("ip4-lookup", p);
    t.run();
    CHECK(t.take().empty());
    CHECK(t.counted() == counts{{"ip4-icmp-error: not_eligible", 1}, {"ip4-rewrite: too_big", 1}});
}

TEST_CASE("no packet leaves by an interface that is down", "[nodes]")
{
    node_tester t;
    interfaces_of(t.engine).hot(1).set_up(false); // before the routes have heard of it
    CHECK(t.verdict_of(udp_packet()) == "interface-output: interface_down");
}
