// SPDX-License-Identifier: Apache-2.0
// The ring that a thread copies vectors into.
#include "graph/thread/capture_buffer.hh"
#include "tests/graph/graph_tester.hh"

#include <catch2/catch.hpp>
#include <thread>

using namespace weft;

namespace {

constexpr node_id wanted = 7;

struct vector_maker {
    graph_tester tester{{source("in", {"end"}), sink("end")}};
    capture_buffer buffer{3, std::array{wanted}, 65535};
    std::vector<packet*> packets;

    // So many packets with so many bytes, which all have one value.
    void make(size_t count, uint16_t bytes, int value)
    {
        for (size_t i = 0; i < count; ++i) {
            packets.push_back(tester.engine.make_packet());
            auto* data = rte_pktmbuf_append(packets.back()->mbuf(), bytes);
            REQUIRE(data != nullptr);
            std::memset(data, value, bytes);
        }
    }
    ~vector_maker()
    {
        for (packet* p : packets)
            rte_pktmbuf_free(p->mbuf());
    }
};

} // namespace

TEST_CASE("a copied packet is told with its vector and metadata", "[capture]")
{
    vector_maker v;
    v.make(2, 60, 9);
    v.packets[1]->metadata() = {.adjacency = 5, .interface = 2, .l3_offset = 14, .flags = 4};
    v.packets[1]->note().next_hop = 77;
    CHECK(!v.buffer.oldest());
    v.buffer.record(wanted, v.packets, 1000);
    CHECK(v.buffer.oldest() == 1000);
    captured_packet what;
    std::vector<std::byte> bytes;
    REQUIRE(v.buffer.take(what, bytes));
    CHECK(what.place == 0);
    REQUIRE(v.buffer.take(what, bytes));
    CHECK(what.node == wanted);
    CHECK(what.thread == 3);
    CHECK(what.vector == 1);
    CHECK(what.place == 1);
    CHECK(what.size == 2);
    CHECK(what.tsc == 1000);
    CHECK(what.metadata.adjacency == 5);
    CHECK(what.metadata.l3_offset == 14);
    CHECK(what.note.next_hop == 77);
    CHECK(what.length == 60);
    CHECK(bytes == std::vector<std::byte>(60, std::byte{9}));
    CHECK(!v.buffer.take(what, bytes));
    CHECK(!v.buffer.oldest());
}

TEST_CASE("only chosen nodes are wanted", "[capture]")
{
    const capture_buffer buffer{0, std::array<node_id, 2>{0, 4095}, 64};
    CHECK(buffer.wants(0));
    CHECK(buffer.wants(4095));
    CHECK(!buffer.wants(1));
    CHECK(!buffer.wants(no_node));
}

TEST_CASE("a packet's first bytes are copied where no more is asked for", "[capture]")
{
    vector_maker v;
    v.make(1, 100, 1);
    capture_buffer buffer{0, std::array{wanted}, 64};
    buffer.record(wanted, v.packets, 0);
    captured_packet what;
    std::vector<std::byte> bytes;
    REQUIRE(buffer.take(what, bytes));
    CHECK(what.length == 100);
    CHECK(what.captured == 64);
    CHECK(bytes.size() == 64);
}

TEST_CASE("a packet in several segments is copied whole", "[capture]")
{
    vector_maker v;
    v.make(1, 70, 1);
    packet* tail = v.tester.engine.make_packet();
    std::memset(rte_pktmbuf_append(tail->mbuf(), 33), 2, 33);
    REQUIRE(rte_pktmbuf_chain(v.packets[0]->mbuf(), tail->mbuf()) == 0);
    v.buffer.record(wanted, v.packets, 0);
    captured_packet what;
    std::vector<std::byte> bytes;
    REQUIRE(v.buffer.take(what, bytes));
    REQUIRE(bytes.size() == 103);
    CHECK(bytes[69] == std::byte{1});
    CHECK(bytes[70] == std::byte{2});
    CHECK(bytes[102] == std::byte{2});
}

TEST_CASE("a vector for which there is no room is missed whole and counted", "[capture]")
{
    vector_maker v;
    v.make(256, 128, 1);
    captured_packet what;
    std::vector<std::byte> bytes;
    size_t taken = 0;
    for (int i = 0; i < 100; ++i)
        v.buffer.record(wanted, v.packets, 0);
    uint32_t last = 0;
    for (; v.buffer.take(what, bytes); ++taken)
        last = what.vector;
    CHECK(taken % 256 == 0);
    CHECK(taken + v.buffer.missed() == 25600);
    CHECK(v.buffer.missed() > 0);
    CHECK(last == taken / 256);
    v.buffer.record(wanted, v.packets, 0); // there is room again
    REQUIRE(v.buffer.take(what, bytes));
    CHECK(what.vector == 101); // missed ones have their numbers too
}

TEST_CASE("what goes round the ring's end stays whole", "[capture]")
{
    vector_maker v;
    captured_packet what;
    std::vector<std::byte> bytes;
    v.make(1, 117, 0);
    bool whole = true;
    for (int i = 0; i < 60'000; ++i) { // more than twice round
        std::memset(v.packets[0]->data(), i, 117);
        v.buffer.record(wanted, v.packets, static_cast<uint64_t>(i));
        whole = whole && v.buffer.take(what, bytes) && what.tsc == static_cast<uint64_t>(i) &&
                bytes == std::vector<std::byte>(117, static_cast<std::byte>(i));
    }
    CHECK(whole);
    CHECK(v.buffer.missed() == 0);
}

TEST_CASE("a thread records while another one takes", "[capture][thread]")
{
    vector_maker v;
    v.make(16, 100, 5);
    constexpr uint32_t vectors = 20'000;
    std::thread recorder{[&] {
        for (uint32_t i = 1; i <= vectors; ++i)
            v.buffer.record(wanted, v.packets, i);
    }};
    captured_packet what;
    std::vector<std::byte> bytes;
    uint64_t taken = 0;
    bool sound = true;
    while (taken + v.buffer.missed() < uint64_t{16} * vectors || v.buffer.oldest())
        if (v.buffer.take(what, bytes)) {
            sound = sound && what.place == taken % 16 && what.vector == what.tsc &&
                    bytes == std::vector<std::byte>(100, std::byte{5});
            ++taken;
        }
    recorder.join();
    CHECK(sound);
    CHECK(taken > 0);
}
