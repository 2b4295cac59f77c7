// SPDX-License-Identifier: Apache-2.0
// memif-tx: what a peer gets, and what is counted of what it does not.
#include "tests/drivers/memif_peer.hh"

namespace weft::test::memif_tx_tests {

namespace {

const std::string node = "memif-tx-m: ";
const uint64_t frame_bytes = memif_peer::to_peer().bytes().size();

void forward(memif_peer& p, uint32_t packets, size_t payload = 18)
{
    for (uint32_t i = 0; i < packets; ++i)
        p.router.inject("ethernet-input", memif_peer::to_peer(payload));
    p.router.run();
}

memif_peer::counts sent(uint64_t packets, uint64_t full)
{
    return {.rx_packets = 0,
            .rx_bytes = 0,
            .tx_packets = packets,
            .tx_bytes = packets * frame_bytes,
            .tx_full = full};
}

} // namespace

TEST_CASE("memif-tx: frames reach the peer whole, and are counted")
{
    memif_peer p;
    forward(p, 3);
    const auto frames = p.take();
    REQUIRE(frames.size() == 3);
    const auto original = memif_peer::to_peer().bytes();
    CHECK(frames[2].size() == original.size());
    CHECK(std::equal(original.begin() + 34, original.end(), frames[2].begin() + 34));
    CHECK(p.counted() == sent(3, 0));
    CHECK(p.router.counted().empty());
}

TEST_CASE("memif-tx: a packet in several buffers is one frame in several of the peer's")
{
    memif_peer p;
    REQUIRE(p.router.command("set interface mtu m 9000") == "");
    p.router.run(); // what it announces is looked past
    static_cast<void>(p.take());
    forward(p, 1, 8900);
    const auto frames = p.take();
    REQUIRE(frames.size() == 1);
    const auto original = memif_peer::to_peer(8900).bytes();
    CHECK(frames[0].size() == original.size());
    CHECK(std::equal(original.begin() + 34, original.end(), frames[0].begin() + 34));
}

TEST_CASE("memif-tx: of a full ring, bytes and packets are counted that were sent, and the rest as "
          "tx_full")
{
    memif_peer p;
    forward(p, memif_peer::size + 5);
    CHECK(p.take().size() == memif_peer::size);
    CHECK(p.counted() == sent(memif_peer::size, 5));
    CHECK(p.router.counted() == counts{{node + "tx_full", 5}});
    forward(p, 2);
    CHECK(p.counted() == sent(0, 2));
    p.header(1).head.fetch_add(1); // one is offered again
    p.at(1, 0) = {.flags = 0,
                  .region = 0,
                  .length = 2048,
                  .offset = static_cast<uint32_t>(p.shape.buffer_offset(1, 0)),
                  .metadata = 0};
    forward(p, 2);
    CHECK(p.counted() == sent(1, 1));
}

TEST_CASE("memif-tx: what meets a bad descriptor is not counted as tx_full")
{
    for (const auto& edit :
         {+[](memif::descriptor& d) { d.region = 9; }, +[](memif::descriptor& d) { d.length = 0; },
          +[](memif::descriptor& d) { d.offset = UINT32_MAX; }}) {
        memif_peer p;
        edit(p.at(1, 2));
        forward(p, 5);
        CHECK(p.router.counted() == counts{{node + "bad_descriptor", 3}});
        CHECK(p.counted() == sent(2, 0));
        const auto frames = p.take();
        REQUIRE(frames.size() == 3);
        CHECK(frames[2].empty()); // given back as it was
        forward(p, 1);
        CHECK(p.counted() == sent(1, 0));
    }
}

TEST_CASE("memif-tx: a packet longer than a buffer goes in parts")
{
    memif_peer p;
    for (uint32_t i = 0; i < memif_peer::size; ++i)
        p.at(1, i).length = 100;
    const auto whole = memif_peer::to_peer(400).bytes();
    forward(p, 1, 400);
    const auto frames = p.take();
    REQUIRE(frames.size() == 1);
    CHECK(std::equal(whole.begin() + 34, whole.end(), frames[0].begin() + 34, frames[0].end()));
    forward(p, 3, 400); // of 5 parts each, with 11 places left
    CHECK(p.router.counted() == counts{{node + "tx_full", 1}});
    CHECK(p.take().size() == 2);
}

TEST_CASE("memif-tx: a part that does not lie in the memory drops the packet")
{
    memif_peer p;
    for (uint32_t i = 0; i < memif_peer::size; ++i)
        p.at(1, i).length = 100;
    p.at(1, 2).region = 1;
    forward(p, 1, 400);
    CHECK(p.router.counted() == counts{{node + "bad_descriptor", 1}});
    CHECK(p.counted() == sent(0, 0));
}

TEST_CASE("memif-tx: without a peer packets are dropped, and its bell is rung for a peer that "
          "sleeps only")
{
    memif_peer p;
    const int bell = p.made->transmit.front().bell();
    eventfd_t rung = 0;
    forward(p, 1);
    CHECK(eventfd_read(bell, &rung) < 0);
    p.header(1).flags.store(0);
    forward(p, 1);
    CHECK((eventfd_read(bell, &rung) == 0 && rung == 1));
    p.device->detach();
    forward(p, 2);
    CHECK(p.router.counted() == counts{{node + "no_peer", 2}});
}

} // namespace weft::test::memif_tx_tests
