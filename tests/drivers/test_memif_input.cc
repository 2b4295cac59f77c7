// SPDX-License-Identifier: Apache-2.0
// memif-input: what it makes of a peer's descriptors.
#include "tests/drivers/memif_peer.hh"

namespace weft::test::memif_input_tests {

using memif::descriptor_goes_on;

namespace {

// From the peer to a host behind `a`.
byte_string from_peer(size_t payload = 18)
{
    return packet_builder{}
        .ethernet(memif_peer::mac, memif_peer::peer_mac)
        .ip4("10.9.0.2", "10.0.0.2")
        .udp(5, 7)
        .payload(payload)
        .bytes();
}

const std::string node = "memif-input-m-0: ";

} // namespace

TEST_CASE("memif-input: frames come in, and are counted")
{
    memif_peer p;
    const auto whole = from_peer();
    for (int i = 0; i < 3; ++i)
        p.put(whole);
    p.send();
    const auto sent = p.router.take();
    REQUIRE(sent.size() == 3);
    CHECK(sent[2].bytes.size() == whole.size());
    CHECK(p.header(0).tail.load() == 3); // its buffers are the peer's again
    CHECK(p.counted() == memif_peer::counts{.rx_packets = 3,
                                            .rx_bytes = 3 * whole.size(),
                                            .tx_packets = 0,
                                            .tx_bytes = 0,
                                            .tx_full = 0});
    CHECK(p.router.counted().empty());
}

TEST_CASE("memif-input: a frame in parts is one packet")
{
    memif_peer p;
    const auto whole = from_peer(1000);
    for (size_t cut : {size_t{1}, size_t{14}, size_t{700}}) {
        p.put({whole.begin(), whole.begin() + static_cast<long>(cut)}, descriptor_goes_on);
        p.put({whole.begin() + static_cast<long>(cut), whole.end()});
        p.send();
        const auto sent = p.router.take_one();
        CHECK(
            std::equal(sent.bytes.begin() + 34, sent.bytes.end(), whole.begin() + 34, whole.end()));
    }
}

TEST_CASE("memif-input: parts that each fit, but not together, are no frame")
{
    memif_peer p;
    const uint32_t room =
        rte_pktmbuf_data_room_size(p.router.engine.pools().front()) - RTE_PKTMBUF_HEADROOM;
    for (const uint32_t last : {room, room - 1, 2u}) { // from far too many to one byte too many
        p.put(byte_string(room - 1, 0x5a), descriptor_goes_on);
        p.put(byte_string(last, 0xa5));
        p.put(from_peer());
        p.send();
        CHECK(p.router.counted() == counts{{node + "too_long", 1}});
        CHECK(p.router.take().size() == 1); // the next one is as good as ever
    }
    p.put(byte_string(room - 1, 0x5a), descriptor_goes_on);
    p.put(byte_string(1, 0xa5));
    p.send();
    CHECK(p.router.counted().count(node + "too_long") == 0);
    CHECK(p.counted().rx_bytes == 3 * from_peer().size() + room);
}

TEST_CASE("memif-input: a frame as long as the MTU lies in several buffers")
{
    memif_peer p;
    REQUIRE(p.router.command("set interface mtu m 9000") == "");
    p.router.set_mtu("a", 9000);
    const auto whole = from_peer(8900);
    const auto put = [&](const byte_string& bytes) {
        for (size_t at = 0; at < bytes.size(); at += 2000) {
            const size_t end = std::min(bytes.size(), at + 2000);
            p.put({bytes.begin() + static_cast<long>(at), bytes.begin() + static_cast<long>(end)},
                  end < bytes.size() ? descriptor_goes_on : uint16_t{0});
        }
        p.send();
    };
    put(whole);
    const auto sent = p.router.take_one();
    CHECK(std::equal(sent.bytes.begin() + 34, sent.bytes.end(), whole.begin() + 34, whole.end()));
    put(from_peer(8990));
    CHECK(p.router.counted() == counts{{node + "too_long", 1}});
}

TEST_CASE("memif-input: a frame for which there are not enough buffers is counted")
{
    memif_peer p;
    REQUIRE(p.router.command("set interface mtu m 9000") == "");
    std::vector<packet*> all;
    while (packet* one = p.router.engine.make_packet())
        all.push_back(one);
    for (int spare = 0; spare < 3; ++spare, all.pop_back())
        rte_pktmbuf_free(all.back()->mbuf());
    for (int part = 0; part < 4; ++part)
        p.put(byte_string(2000, 1), part < 3 ? descriptor_goes_on : uint16_t{0});
    p.put(from_peer());
    p.send();
    CHECK(p.router.counted()[node + "no_buffers"] > 0);
    for (packet* one : all)
        rte_pktmbuf_free(one->mbuf());
}

TEST_CASE("memif-input: descriptors that lie are counted, and take no other frame with them")
{
    memif_peer p;
    const auto counted = [&](const std::string& reason, auto&& edit) {
        edit(p.put(from_peer()));
        p.put(from_peer());
        p.send();
        CHECK(p.router.counted() == counts{{node + reason, 1}});
        CHECK(p.router.take().size() == 1);
    };
    counted("bad_descriptor", [](auto& d) { d.region = 1; });
    counted("bad_descriptor", [](auto& d) { d.offset = UINT32_MAX; });
    counted("bad_descriptor",
            [&](auto& d) { d.offset = static_cast<uint32_t>(p.made->regions[0].bytes() - 10); });
    counted("bad_descriptor", [](auto& d) { d.length = 0; });
    counted("bad_descriptor", [](auto& d) { d.length = UINT32_MAX; });
    counted("too_long", [](auto& d) {
        d.length = 4000;
        d.offset = 0;
    });
    CHECK(p.counted().rx_packets == 6);
}

TEST_CASE("memif-input: one bad part makes a frame bad")
{
    memif_peer p;
    for (const bool first : {true, false}) {
        auto& one = p.put(byte_string(100, 1), descriptor_goes_on);
        auto& two = p.put(byte_string(100, 2));
        (first ? one : two).region = 9;
        p.send();
        CHECK(p.router.counted() == counts{{node + "bad_descriptor", 1}});
    }
    p.put(byte_string(100, 1), descriptor_goes_on);
    p.send(); // and no more of it
    CHECK(p.router.counted() == counts{{node + "broken_chain", 1}});
    CHECK(p.counted().rx_packets == 0);
    CHECK(p.header(0).tail.load() == p.header(0).head.load());
}

} // namespace weft::test::memif_input_tests
