// SPDX-License-Identifier: Apache-2.0
// The flow hash: what belongs to a flow, what does not, and how evenly it spreads.
#include "nodes/ip4/flow_hash.hh"

#include "nodes/ip4/ip4_settings.hh"
#include "tests/nodes/node_tester.hh"

#include <set>

using namespace weft;
using namespace weft::test;

namespace {

uint32_t hash_of(node_tester& t, const packet_builder& builder, uint64_t seed = flow_seed(1))
{
    packet* p = t.make(builder.bytes());
    p->metadata().l3_offset = 14;
    const uint32_t hash = ip4::flow_of(*p).hash(seed);
    rte_pktmbuf_free(p->mbuf());
    return hash;
}

// What quotes a packet, on its way back to who sent that.
packet_builder error_about(const packet_builder& p, size_t quoted = 28, uint8_t type = 3)
{
    const auto bytes = p.bytes();
    return packet_builder{}
        .ip4("10.9.9.9", "10.0.0.2")
        .icmp(type, 0)
        .payload(byte_string{bytes.begin() + 14, bytes.begin() + 14 + static_cast<long>(quoted)});
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

TEST_CASE("an ICMP error goes the way of the packets that answer the one it is about", "[nodes]")
{
    node_tester t;
    const auto there = packet_builder{}.ip4("10.0.0.2", "16.0.0.1").payload(20);
    const auto back = packet_builder{}.ip4("16.0.0.1", "10.0.0.2").payload(20);
    for (uint8_t type : {3, 11, 12}) {
        CHECK(hash_of(t, error_about(packet_builder{there}.udp(5, 6), 28, type)) ==
              hash_of(t, packet_builder{back}.udp(6, 5)));
        CHECK(hash_of(t, error_about(packet_builder{there}.tcp(5, 6).options(8), 36, type)) ==
              hash_of(t, packet_builder{back}.tcp(6, 5)));
    }
    CHECK(hash_of(t, error_about(packet_builder{there}.icmp_echo())) ==
          hash_of(t, packet_builder{back}.icmp_echo()));
    const auto fragment = packet_builder{back}.udp(6, 5).fragment(0, true);
    CHECK(hash_of(t, error_about(packet_builder{there}.udp(5, 6).fragment(0, true))) ==
          hash_of(t, fragment));
    CHECK(hash_of(t, error_about(packet_builder{there}.udp(5, 6), 23)) ==
          hash_of(t, fragment)); // no ports quoted
}

TEST_CASE("an ICMP message that is no error, or quotes no packet, goes by its own addresses",
          "[nodes]")
{
    node_tester t;
    const auto about = packet_builder{}.ip4("10.0.0.2", "16.0.0.1").udp(5, 6);
    const uint32_t own = hash_of(t, packet_builder{}.ip4("10.9.9.9", "10.0.0.2").icmp_echo());
    CHECK(hash_of(t, error_about(about, 28, 8)) == own);
    CHECK(hash_of(t, error_about(about, 19)) == own);
    CHECK(hash_of(t, error_about(packet_builder{about}.version(6))) == own);
    CHECK(hash_of(t, error_about(packet_builder{about}.header_words(4))) == own);
    CHECK(hash_of(t, error_about(about).fragment(0, true)) == own);
}

namespace {

// Flows whose ports or addresses count up, as those of a test or of a network do.
flow_key numbered_flow(int field, uint32_t i)
{
    const auto counting = [&](int which, uint32_t base) {
        return net::be32{base + (field == which ? i : 0)};
    };
    const auto port = [&](int which, uint16_t base) {
        return net::be16{static_cast<uint16_t>(base + (field == which ? i : 0))};
    };
    return {counting(0, 0x0a000002),
            counting(1, 0x11000001),
            {port(2, 1024), port(3, 9)},
            net::ip_protocol::udp};
}

// Whether `part` of `whole` lies within five standard deviations of half.
bool is_half(unsigned part, unsigned whole)
{
    const double off = part - whole / 2.0;
    return off * off < 25 * whole / 4.0;
}

} // namespace

TEST_CASE("routers with other seeds choose independently, whatever their numbers", "[nodes]")
{
    constexpr unsigned many = 4096;
    for (int field = 0; field < 4; ++field)
        for (const auto& [first, second] :
             {std::pair{0u, 1u}, {1u, 2u}, {7u, 0x8000'0007u}, {100u, 10'000u}}) {
            std::array<unsigned, 2> sent{}, of_those{};
            for (uint32_t i = 0; i < many; ++i) {
                const auto key = numbered_flow(field, i);
                const auto bucket = key.hash(flow_seed(first)) & 1;
                ++sent[bucket];
                of_those[bucket] += key.hash(flow_seed(second)) & 1;
            }
            INFO("field " << field << ", seeds " << first << " and " << second);
            for (unsigned bucket : {0, 1}) {
                CHECK(is_half(sent[bucket], many));
                CHECK(is_half(of_those[bucket], sent[bucket]));
            }
        }
}

TEST_CASE("the choice among workers says nothing of the choice among paths", "[nodes]")
{
    node_tester t;
    constexpr unsigned many = 2048;
    std::array<unsigned, 2> of_worker{}, of_those{};
    for (uint16_t i = 0; i < many; ++i) {
        packet* p =
            t.make(packet_builder{}.ethernet().ip4("10.0.0.2", "16.0.0.1").udp(i, 9).bytes());
        p->metadata().l3_offset = 14;
        const auto worker = frame_hash(*p) >> 31; // of two, as the hand-off chooses
        ++of_worker[worker];
        of_those[worker] += ip4::flow_of(*p).hash(t.engine.module<ip4::settings>().flow_seed) & 1;
        rte_pktmbuf_free(p->mbuf());
    }
    for (unsigned worker : {0, 1}) {
        CHECK(is_half(of_worker[worker], many));
        CHECK(is_half(of_those[worker], of_worker[worker]));
    }
}

TEST_CASE("a priority tag leaves a flow on its worker", "[nodes]")
{
    node_tester t;
    const auto hash = [&](const packet_builder& b) {
        packet* p = t.make(b.bytes());
        const uint32_t found = frame_hash(*p);
        rte_pktmbuf_free(p->mbuf());
        return found;
    };
    CHECK(hash(udp_packet().tag(0xa000)) == hash(udp_packet()));
    CHECK(hash(udp_packet().tag(0xa000).frame_bytes(37)) ==
          hash(udp_packet().tag(0xa000).frame_bytes(17)));
}
