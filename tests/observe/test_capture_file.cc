// SPDX-License-Identifier: Apache-2.0
// Capture files: what is written is read again, and what makes no sense is refused by byte.
#include "graph/packet.hh"
#include "observe/capture_file.hh"

#include <catch2/catch.hpp>
#include <cstring>

using namespace weft;
using Catch::Contains;

namespace {

const std::vector<std::byte> five_bytes(5, std::byte{0xab});

recorded_packet sample_packet()
{
    recorded_packet p;
    p.nanoseconds = 1'700'000'000'123'456'789;
    p.node = "ip4-glean";
    p.thread = 2;
    p.vector = 17;
    p.place = 3;
    p.size = 256;
    p.interface = 1;
    p.length = 9;
    p.l3_offset = 4;
    p.flags = packet_metadata::aimed | packet_metadata::layer3_broadcast;
    p.adjacency = 70;
    p.adjacency_text = "rewrite b (mtu 1500) ff -> ee";
    p.next_hop = 0x0a000102;
    p.out_interface = "b";
    p.reason = "ip4-input:bad_checksum";
    p.icmp_type = 3;
    p.icmp_code = 4;
    p.icmp_mtu = 1400;
    p.bytes = five_bytes;
    return p;
}

std::vector<std::byte> sample_file()
{
    std::vector<std::byte> file;
    append_header(file);
    append_interface(file, {"a", {{2, 0, 0, 0, 0, 1}}}, 65535);
    append_interface(file, {"b", {{2, 0, 0, 0, 0, 2}}}, 65535);
    append_packet(file, sample_packet());
    append_packet(file, sample_packet());
    return file;
}

std::string fault_of(std::vector<std::byte> file)
{
    const auto read = parse_recording(std::move(file));
    return read ? "read" : read.error().message;
}

template <class T>
void poke(std::vector<std::byte>& file, size_t at, T value)
{
    REQUIRE(at + sizeof value <= file.size());
    std::memcpy(file.data() + at, &value, sizeof value);
}

// Where the blocks of the sample begin.
struct blocks {
    std::vector<size_t> at;
    explicit blocks(const std::vector<std::byte>& file)
    {
        for (size_t i = 0; i < file.size();) {
            at.push_back(i);
            uint32_t length = 0;
            std::memcpy(&length, file.data() + i + 4, 4);
            i += length;
        }
    }
};

} // namespace

TEST_CASE("a capture file is read as it was written", "[capture]")
{
    const auto read = parse_recording(sample_file());
    REQUIRE(read);
    REQUIRE(read->interfaces.size() == 2);
    CHECK(read->interfaces[1].name == "b");
    CHECK(read->interfaces[1].mac == net::mac_address{{2, 0, 0, 0, 0, 2}});
    REQUIRE(read->packets.size() == 2);
    const auto& p = read->packets[1];
    const auto want = sample_packet();
    CHECK(p.nanoseconds == want.nanoseconds);
    CHECK(p.length == 9);
    CHECK(std::vector(p.bytes.begin(), p.bytes.end()) == five_bytes);
    CHECK(comment_of(p) == comment_of(want));
    CHECK(p.adjacency_text == want.adjacency_text);
    CHECK(p.at > read->packets[0].at);
}

TEST_CASE("a comment says all that is needed and no more", "[capture]")
{
    recorded_packet p;
    p.node = "ethernet-input";
    p.thread = 1;
    p.vector = 1;
    p.size = 32;
    CHECK(comment_of(p) ==
          "weft: node=ethernet-input thread=1 vector=1 place=0 size=32 l3=0 flags=0");
    CHECK(comment_of(sample_packet()) ==
          "weft: node=ip4-glean thread=2 vector=17 place=3 size=256 l3=4 flags=20 "
          "next_hop=10.0.1.2 out=b reason=ip4-input:bad_checksum icmp_type=3 icmp_code=4 "
          "icmp_mtu=1400 adjacency=70 (rewrite b (mtu 1500) ff -> ee)");
}

TEST_CASE("a comment that makes no sense is refused by its word", "[capture]")
{
    const auto fault = [](std::string_view text) {
        recorded_packet p;
        const auto done = parse_comment(text, p);
        return done ? "read" : done.error().message;
    };
    CHECK(fault("weft: node=a vector=1") == "read");
    CHECK(fault("weft: node=a vector=1 colour=red later") == "read");
    CHECK_THAT(fault("weft: vector=1"), Contains("has no node"));
    CHECK_THAT(fault("weft: node=a"), Contains("has no vector"));
    CHECK_THAT(fault("weft: node=a vector=1 l3=256"),
               Contains("l3=256 is not a number from 0 to 255"));
    CHECK_THAT(fault("weft: node=a vector=-1"), Contains("vector=-1"));
    CHECK_THAT(fault("weft: node=a vector=1 next_hop=10.0.0"), Contains("10.0.0"));
    CHECK_THAT(fault("weft: node=a vector=1 adjacency=3 (open"), Contains("`('"));
    CHECK_THAT(fault("a remark"), Contains("does not begin"));
}

TEST_CASE("a file that is cut off anywhere but between blocks is refused", "[capture]")
{
    const auto file = sample_file();
    const blocks whole{file};
    for (size_t size = 0; size < file.size(); ++size) {
        const bool between =
            size > 0 && std::find(whole.at.begin(), whole.at.end(), size) != whole.at.end();
        const auto fault = fault_of({file.begin(), file.begin() + static_cast<ptrdiff_t>(size)});
        INFO(size);
        CHECK((fault == "read") == between);
        if (!between)
            CHECK_THAT(fault, Contains("at byte "));
    }
}

TEST_CASE("a damaged file is refused or read, never worse", "[capture]")
{
    const auto file = sample_file();
    for (size_t at = 0; at < file.size(); ++at)
        for (const int value : {0, 1, 0x7f, 0xff}) {
            auto damaged = file;
            damaged[at] = static_cast<std::byte>(value);
            const auto read = parse_recording(std::move(damaged));
            if (read)
                for (const auto& p : read->packets)
                    CHECK(p.interface < read->interfaces.size());
        }
}

TEST_CASE("what is wrong with a file is said with its byte", "[capture]")
{
    const auto file = sample_file();
    const blocks b{file};
    auto bad = file;
    poke(bad, 0, uint32_t{0xa1b2c3d4}); // the other format
    CHECK(fault_of(bad) == "at byte 0: not a pcapng file (it begins with 0xa1b2c3d4)");
    bad = file;
    poke(bad, 8, uint32_t{0x4d3c2b1a});
    CHECK_THAT(fault_of(bad), Contains("at byte 0: a section with a different byte order"));
    bad = file;
    poke(bad, b.at[1] + 8, uint16_t{101});
    CHECK_THAT(fault_of(bad),
               Contains(fmt::format("at byte {}: an interface of link type 101", b.at[1])));
    bad = file;
    poke(bad, b.at[3] + 8, uint32_t{2});
    CHECK_THAT(fault_of(bad),
               Contains(fmt::format("at byte {}: a packet of interface 2, but only 2", b.at[3])));
    bad = file;
    poke(bad, b.at[3] + 20, uint32_t{10'000});
    CHECK_THAT(fault_of(bad), Contains("a packet of 10000 bytes is larger than its block"));
    bad = file;
    poke(bad, b.at[4] + 4, uint32_t{13});
    CHECK_THAT(fault_of(bad), Contains(fmt::format("at byte {}: a block of 13 bytes", b.at[4])));
    bad = file;
    poke(bad, b.at[3] + 28 + 8, uint16_t{2}); // the comment is another option
    CHECK_THAT(fault_of(bad), Contains("without a weft comment"));
}

TEST_CASE("a file that is none, or too much, is refused by name", "[capture]")
{
    CHECK_THAT(read_recording("/nowhere/x").error().message, Contains("/nowhere/x: No such file"));
    CHECK_THAT(read_recording("/tmp").error().message,
               Contains("/tmp: expected a regular file, found a directory"));
    CHECK_THAT(read_recording("/dev/null").error().message, Contains("found a device"));
}
