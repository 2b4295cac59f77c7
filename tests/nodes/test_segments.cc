// SPDX-License-Identifier: Apache-2.0
// Packets that lie in several buffers go the way of all others.
#include "graph/packet_append.hh"
#include "graph/packet_cut.hh"
#include "graph/packet_sum.hh"
#include "tests/nodes/node_tester.hh"

namespace weft::test::segments_tests {

namespace {

// Both ports carry 9,000 bytes; buffers hold 2,048.
struct jumbo_tester : node_tester {
    jumbo_tester()
    {
        set_mtu("a", 9000);
        set_mtu("b", 9000);
    }
    [[nodiscard]] std::string verdict_of_parts(const byte_string& bytes,
                                               const std::vector<size_t>& sizes)
    {
        [[maybe_unused]] const auto before = counted();
        inject("ethernet-input", make_in_parts(bytes, sizes));
        run();
        std::string words;
        for (const auto& [what, count] : counted())
            words += what + " ";
        return words;
    }
};

packet_builder big(size_t payload = 8000)
{
    return packet_builder{}.ethernet().ip4("10.0.0.2", "10.0.1.2").udp().payload(payload);
}

const std::vector<std::vector<size_t>> shapes{{}, {34}, {2048, 1, 1, 33}, {101, 777, 1}};

} // namespace

TEST_CASE("a packet in several buffers is forwarded byte for byte", "[segments]")
{
    for (const variant which :
         {variant::plain, variant::baseline, variant::avx2, variant::avx512}) {
        if (!is_supported(which))
            continue;
        jumbo_tester t;
        t.use_variant(which);
        for (const auto& shape : shapes) {
            CHECK(t.verdict_of_parts(big().ttl(9).bytes(), shape) == "");
            const auto out = t.take_one();
            CHECK(out.interface == 1);
            CHECK((out.bytes == big().ethernet(mac_of(1, 2), mac_of(1, 1)).ttl(8).bytes()));
        }
    }
}

TEST_CASE("the lengths of a packet in several buffers are those of all", "[segments]")
{
    jumbo_tester t;
    for (const auto& shape : shapes) {
        auto padded = big(4000).bytes();
        const size_t whole = padded.size();
        padded.resize(whole + 3000, 0xee);
        CHECK(t.verdict_of_parts(padded, shape) == "");
        CHECK(t.take_one().bytes.size() == whole);
        auto short_one = big().bytes();
        short_one.resize(short_one.size() - 1);
        CHECK(t.verdict_of_parts(short_one, shape) == "ip4-input: bad_total_length ");
    }
    CHECK(t.verdict_of_parts(big().bytes(), {33}) == "ip4-input: too_short ");
    CHECK(t.verdict_of_parts(big().bytes(), {13}) == "ethernet-input: too_short ");
}

TEST_CASE("a big ping is answered, whatever its buffers", "[segments]")
{
    jumbo_tester t;
    const auto of = [](size_t payload) {
        return packet_builder{}
            .ethernet()
            .ip4("10.0.0.2", "10.0.0.1")
            .icmp_echo(9, 3)
            .payload(payload);
    };
    for (const size_t payload : {size_t{3000}, size_t{8900}, size_t{8971}})
        for (const auto& shape :
             std::vector<std::vector<size_t>>{{}, {42}, {43, 1, 2, 3}, {2047}}) {
            CHECK(t.verdict_of_parts(of(payload).bytes(), shape) == "");
            const auto out = t.take_one().bytes;
            REQUIRE(out.size() == 42 + payload);
            CHECK(reference_checksum({out.data() + 34, out.size() - 34}) == 0);
            CHECK(std::equal(out.begin() + 42, out.end(), of(payload).bytes().begin() + 42));
        }
    auto wrong = of(8900).bytes();
    wrong.back() ^= 1;
    CHECK(t.verdict_of_parts(wrong, {}) == "ip4-icmp-echo: bad_checksum ");
}

TEST_CASE("errors about a packet in several buffers quote its beginning", "[segments]")
{
    jumbo_tester t;
    for (const auto& shape : shapes) {
        CHECK(t.verdict_of_parts(big().ttl(1).bytes(), shape) == "ip4-input: ttl_expired ");
        const auto out = t.take_one();
        CHECK(out.icmp().type == net::icmp4::time_exceeded);
        CHECK(reference_checksum({out.bytes.data() + 34, out.bytes.size() - 34}) == 0);
        t.advance(1s);
    }
    t.set_mtu("b", 1500);
    CHECK(t.verdict_of_parts(big().dont_fragment().bytes(), {}) == "ip4-rewrite: too_big ");
    CHECK(t.take_one().icmp().code == net::icmp4::fragmentation_needed);
    CHECK(t.verdict_of_parts(big().bytes(), {}) == "ip4-rewrite: too_big ");
}

TEST_CASE("a packet in several buffers waits for its neighbour", "[segments]")
{
    jumbo_tester t;
    CHECK(t.verdict_of_parts(big().ip4("10.0.0.2", "10.0.1.77").bytes(), {}) == "");
    CHECK(t.take_one().is_arp());
    t.hear_from("10.0.1.77", mac_of(1, 77), 1);
    CHECK(t.take_one().bytes.size() == big().bytes().size());
}

TEST_CASE("appending fills buffers one by one, or leaves a packet as it was", "[segments]")
{
    jumbo_tester t;
    packet* p = t.make(byte_string(100, 1));
    const byte_string more(5000, 2);
    REQUIRE(append(*p, reinterpret_cast<const std::byte*>(more.data()), 5000));
    CHECK(p->length() == 5100);
    CHECK(p->mbuf()->nb_segs == 3);
    CHECK(p->contiguous() == 2048);
    CHECK(rte_pktmbuf_lastseg(p->mbuf())->data_len == 5100 - 2 * 2048);
    std::vector<packet*> all;
    while (packet* one = t.engine.make_packet())
        all.push_back(one);
    CHECK_FALSE(append(*p, reinterpret_cast<const std::byte*>(more.data()), 5000));
    CHECK(p->length() == 5100);
    CHECK(p->mbuf()->nb_segs == 3);
    for (packet* one : all)
        rte_pktmbuf_free(one->mbuf());
    cut(*p, 2048);
    CHECK(p->mbuf()->nb_segs == 1);
    rte_pktmbuf_free(p->mbuf());
}

} // namespace weft::test::segments_tests
