// SPDX-License-Identifier: Apache-2.0
// The packets of specifications and capture files, byte by byte, and the files that are refused.
#include "drivers/generator/packet_source.hh"
#include "tests/nodes/node_tester.hh"

#include <filesystem>
#include <fstream>
#include <set>
#include <unistd.h>

using namespace weft;
using namespace weft::drivers;
using namespace weft::test;

namespace {

// What a source writes into so many buffers.
std::vector<byte_string> packets_of(packet_source& source, size_t count)
{
    node_tester t;
    std::vector<packet*> buffers(count);
    for (auto& p : buffers)
        p = t.make({});
    const uint64_t bytes = source.fill(buffers);
    std::vector<byte_string> written;
    uint64_t sum = 0;
    for (auto* p : buffers) {
        const auto* begin = reinterpret_cast<const uint8_t*>(p->data());
        written.emplace_back(begin, begin + p->length());
        sum += p->length();
        CHECK(p->contiguous() == p->length());
        rte_pktmbuf_free(p->mbuf());
    }
    CHECK(bytes == sum);
    return written;
}

packet_specification plain()
{
    packet_specification what;
    what.to = mac_of(0, 1);
    what.from = mac_of(0, 2);
    what.source = {ip("10.0.0.2").value, ip("10.0.0.2").value};
    what.destination = {ip("10.0.1.2").value, ip("10.0.1.2").value};
    return what;
}

byte_string expected(std::string_view from, std::string_view to, uint16_t source_port,
                     uint16_t destination_port, size_t size)
{
    return packet_builder{}
        .ethernet()
        .ip4(from, to)
        .id(0)
        .udp(source_port, destination_port)
        .payload(byte_string(size - 42))
        .transport_checksum(0)
        .bytes();
}

uint16_t half(const byte_string& bytes, size_t at)
{
    return static_cast<uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

// A file that is gone at the end of the test.
class file {
public:
    explicit file(const byte_string& bytes)
    {
        std::ofstream{path}.write(reinterpret_cast<const char*>(bytes.data()),
                                  static_cast<std::streamsize>(bytes.size()));
    }
    explicit file(std::string_view text) : file{byte_string(text.begin(), text.end())} {}
    ~file() { std::filesystem::remove(path); }
    const std::string path =
        std::filesystem::temp_directory_path() / fmt::format("weft-packets-{}", getpid());
};

void put32(byte_string& to, uint32_t value)
{
    for (int shift = 0; shift < 32; shift += 8)
        to.push_back(static_cast<uint8_t>(value >> shift));
}

// A capture file as tcpdump writes them; `missing`: bytes that each frame had on the wire and the
// file has not.
byte_string pcap(const std::vector<byte_string>& frames, uint32_t link = 1, uint32_t missing = 0)
{
    byte_string all;
    for (const uint32_t word : {0xa1b2c3d4u, 0x0004'0002u, 0u, 0u, 65535u, link})
        put32(all, word);
    for (const auto& frame : frames) {
        const auto size = static_cast<uint32_t>(frame.size());
        for (const uint32_t word : {1u, 0u, size, size + missing})
            put32(all, word);
        all.insert(all.end(), frame.begin(), frame.end());
    }
    return all;
}

std::string refusal(const byte_string& bytes)
{
    const file f{bytes};
    const auto read = read_capture(f.path, 0, 2048, nullptr);
    return read ? "none" : read.error().message.substr(f.path.size());
}

} // namespace

TEST_CASE("ranges step by one for each packet and begin again", "[drivers]")
{
    auto what = plain();
    what.source.last += 2;
    what.destination_port = {5, 6};
    what.size = {60, 61};
    const auto source = make_specified(what);
    for (int lap = 0; lap < 2; ++lap) {
        CAPTURE(lap);
        CHECK(packets_of(*source, 7) ==
              std::vector<byte_string>{expected("10.0.0.2", "10.0.1.2", 1024, 5, 60),
                                       expected("10.0.0.3", "10.0.1.2", 1024, 6, 61),
                                       expected("10.0.0.4", "10.0.1.2", 1024, 5, 60),
                                       expected("10.0.0.2", "10.0.1.2", 1024, 6, 61),
                                       expected("10.0.0.3", "10.0.1.2", 1024, 5, 60),
                                       expected("10.0.0.4", "10.0.1.2", 1024, 6, 61),
                                       expected("10.0.0.2", "10.0.1.2", 1024, 5, 60)});
        source->restart();
    }
}

TEST_CASE("a list of destinations is gone through in order", "[drivers]")
{
    auto what = plain();
    what.destinations = {ip("10.7.0.1"), ip("10.8.0.1")};
    const auto packets = packets_of(*make_specified(what), 3);
    CHECK(packets[0] == expected("10.0.0.2", "10.7.0.1", 1024, 9, 60));
    CHECK(packets[1] == expected("10.0.0.2", "10.8.0.1", 1024, 9, 60));
    CHECK(packets[2] == packets[0]);
}

TEST_CASE("checksums are right for all protocols and sizes", "[drivers]")
{
    const uint8_t protocol = GENERATE(net::ip_protocol::tcp, net::ip_protocol::icmp);
    auto what = plain();
    what.protocol = protocol;
    what.source.last += 1000;
    what.source_port = {0, 65535};
    what.size = {60, 1514};
    what.random = true;
    for (const auto& bytes : packets_of(*make_specified(what), 500)) {
        const std::span<const uint8_t> all{bytes};
        CHECK(half(bytes, 16) == bytes.size() - 14);
        CHECK(reference_checksum(all.subspan(14, 20)) == 0);
        uint32_t pseudo = 0;
        if (protocol == net::ip_protocol::tcp) {
            for (size_t at = 26; at < 34; at += 2)
                pseudo += half(bytes, at);
            pseudo += protocol + static_cast<uint32_t>(bytes.size() - 34);
        }
        CHECK(reference_checksum(all.subspan(34), pseudo) == 0);
    }
}

TEST_CASE("random values reach every value of a range and no other", "[drivers]")
{
    auto what = plain();
    what.random = true;
    what.source = {0, UINT32_MAX};
    what.source_port = {100, 109};
    std::set<uint16_t> ports;
    std::set<byte_string> all;
    for (const auto& bytes : packets_of(*make_specified(what), 500)) {
        ports.insert(half(bytes, 34));
        all.insert(bytes);
    }
    CHECK(ports.size() == 10);
    CHECK((*ports.begin() == 100 && *ports.rbegin() == 109));
    CHECK(all.size() == 500);
}

TEST_CASE("a capture is sent frame by frame, over and over", "[drivers]")
{
    const std::vector<byte_string> frames{udp_packet().bytes(), byte_string(1514, 7), {}, {1}};
    const file f{pcap(frames)};
    auto read = read_capture(f.path, 0, 2048, nullptr);
    REQUIRE(read);
    const auto source = make_captured(std::move(*read));
    auto twice = frames;
    twice.insert(twice.end(), frames.begin(), frames.end());
    CHECK(packets_of(*source, 8) == twice);
    CHECK(packets_of(*source, 1).front() == frames[0]);
    source->restart();
    CHECK(packets_of(*source, 2)[1] == frames[1]);
}

TEST_CASE("captures that cannot be sent as they were are refused", "[drivers]")
{
    const byte_string frame = udp_packet().bytes();
    byte_string cut = pcap({frame, frame});
    cut.resize(cut.size() - 1);
    CHECK(refusal({}).find("truncated dump file") != std::string::npos);
    CHECK(refusal(frame) == ": unknown file format");
    CHECK(refusal(pcap({})) == ": it contains no frame");
    CHECK(refusal(cut).find("truncated dump file") != std::string::npos);
    CHECK(refusal(pcap({frame}, 1, 4)) ==
          ": frame 1 was truncated when it was captured: 50 of its 54 bytes");
    CHECK(refusal(pcap({frame, byte_string(2049)})) ==
          ": frame 2 has 2049 bytes, expected 0 to 2048");
    CHECK(refusal(pcap({frame}, 101)) == ": its link type is 12, not Ethernet (1)");
    CHECK(refusal(pcap(std::vector<byte_string>(max_captured_frames + 1))) ==
          ": more than 262144 frames or 64 MB");
    CHECK(read_capture("/dev/zero", 0, 2048, nullptr).error().message ==
          "/dev/zero: expected a regular file, found a device");
    CHECK(read_capture("/nowhere", 0, 2048, nullptr).error().message ==
          "/nowhere: No such file or directory");
}

TEST_CASE("a capture of blocks without a frame is not read for ever", "[drivers]")
{
    byte_string blocks; // pcapng (draft-ietf-opsawg-pcapng section 4): a section, an Ethernet
                        // interface, names
    for (const uint32_t word :
         {0x0a0d0d0au, 28u, 0x1a2b3c4du, 1u, ~0u, ~0u, 28u, 1u, 20u, 1u, 65535u, 20u})
        put32(blocks, word);
    while (blocks.size() < 2 << 20)
        for (const uint32_t word : {4u, 12u, 12u})
            put32(blocks, word);
    CHECK(refusal(blocks) == ": more than 1048576 bytes without a frame");
}

TEST_CASE("destinations are drawn from the addresses and prefixes of a file", "[drivers]")
{
    const file f{"# a comment\n10.1.2.3\n\n10.2.0.0/30 via 10.0.0.1\n"};
    const auto drawn = read_destinations(f.path, nullptr);
    REQUIRE(drawn);
    CHECK(drawn->size() == 32);
    std::set<net::ip4_address> seen{drawn->begin(), drawn->end()};
    CHECK(seen == std::set<net::ip4_address>{ip("10.1.2.3"), ip("10.2.0.0"), ip("10.2.0.1"),
                                             ip("10.2.0.2"), ip("10.2.0.3")});
}

TEST_CASE("a file of destinations with a wrong line is refused", "[drivers]")
{
    const file wrong{"10.1.2.3\n10.2.0.1/30\n"};
    const auto message = read_destinations(wrong.path, nullptr).error().message;
    CHECK(message.starts_with(wrong.path + ":2:1: expected an address"));
    CHECK(message.find("10.2") ==
          std::string::npos); // the file may be none that the operator can read
    const file endless{std::string(100'000, '1')};
    CHECK(read_destinations(endless.path, nullptr)
              .error()
              .message.starts_with(endless.path + ":1:1: expected"));
    const file empty{"# nothing\n"};
    CHECK(read_destinations(empty.path, nullptr).error().message ==
          empty.path + ": it contains no address");
}
