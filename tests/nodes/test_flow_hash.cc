// SPDX-License-Identifier: Apache-2.0
// The flow hash: what belongs to a flow, what does not, and how evenly it spreads.
#include "nodes/ip4/flow_hash.hh"

#include "tests/nodes/node_tester.hh"

#include <set>

using namespace weft;
using namespace weft::test;

namespace {

uint32_t hash_of(node_tester& t, const packet_builder& builder)
{
    packet* p = t.make(builder.bytes());
    p->mark().l3_offset = 14;
    const uint32_t hash = ip4::flow_hash(*p, p->network<net::ip4_header>());
    rte_pktmbuf_free(p->mbuf());
    return hash;
}

} // namespace

TEST_CASE("each part of a flow changes its hash", "[nodes]")
{
    node_tester t;
    const auto base = [] { return packet_builder{}.ip4("10.0.0.2", "16.0.0.1"); };
    const std::set<uint32_t> hashes{
        hash_of(t, base().udp(1, 2)),
        hash_of(t, base().udp(2, 1)),
        hash_of(t, base().udp(1, 3)),
        hash_of(t, base().udp(3, 2)),
        hash_of(t, base().udp(0x100, 2)),
        hash_of(t, base().tcp(1, 2)),
        hash_of(t, base().ip4("10.0.0.3", "16.0.0.1").udp(1, 2)),
        hash_of(t, base().ip4("10.0.0.2", "16.0.0.2").udp(1, 2)),
        hash_of(t, base().ip4("16.0.0.1", "10.0.0.2").udp(1, 2)),
        hash_of(t, base().icmp_echo()),
        hash_of(t, base()),
    };
    CHECK(hashes.size() == 11);
}

TEST_CASE("what does not belong to a flow leaves its hash", "[nodes]")
{
    node_tester t;
    const auto base = [] { return packet_builder{}.ip4("10.0.0.2", "16.0.0.1").tcp(5, 6); };
    const uint32_t hash = hash_of(t, base());
    CHECK(hash_of(t, base().ttl(3)) == hash);
    CHECK(hash_of(t, base().tos(0xff)) == hash);
    CHECK(hash_of(t, base().id(77)) == hash);
    CHECK(hash_of(t, base().dont_fragment()) == hash);
    CHECK(hash_of(t, base().payload(1000)) == hash);
    CHECK(hash_of(t, base().options(40)) == hash);
}

TEST_CASE("fragments, and packets too short for ports, hash without them", "[nodes]")
{
    node_tester t;
    const auto base = [](uint16_t port) {
        return packet_builder{}.ip4("10.0.0.2", "16.0.0.1").udp(port, port);
    };
    const uint32_t hash = hash_of(t, base(1).fragment(0, true));
    CHECK(hash_of(t, base(2).fragment(0, true)) == hash);
    CHECK(hash_of(t, base(3).fragment(185, false)) == hash);
    CHECK(hash_of(t, base(4).frame_bytes(34 + 3)) == hash);
    CHECK(hash_of(t, base(4).frame_bytes(34 + 4)) != hash);
    CHECK(hash_of(t, packet_builder{}.ip4("10.0.0.2", "16.0.0.1").icmp_echo(1)) ==
          hash_of(t, packet_builder{}.ip4("10.0.0.2", "16.0.0.1").icmp_echo(2)));
}

TEST_CASE("low bits are even when one field alone counts up", "[nodes]")
{
    node_tester t;
    for (int field = 0; field < 4; ++field) {
        std::array<unsigned, 8> share{};
        constexpr unsigned count = 2000;
        for (uint16_t i = 0; i < count; ++i) {
            const auto counting = fmt::format("16.0.{}.{}", i >> 8, i & 0xff);
            auto p = packet_builder{}.ip4(field == 0 ? counting : "10.0.0.2",
                                          field == 1 ? counting : "17.0.0.1");
            p.udp(field == 2 ? i : uint16_t{7}, field == 3 ? i : uint16_t{9});
            ++share[hash_of(t, p) & 7];
        }
        for (unsigned bucket : share) {
            INFO("field " << field);
            CHECK(bucket > count / 8 * 3 / 4); // four standard deviations
            CHECK(bucket < count / 8 * 5 / 4);
        }
    }
}
