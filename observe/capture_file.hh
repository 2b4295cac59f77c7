// SPDX-License-Identifier: Apache-2.0
// Capture files of vectors: pcapng (IETF draft-ietf-opsawg-pcapng) with one comment for each
// packet, which says at which node and in which vector it stood and what its metadata was.
// Wireshark shows and keeps the comments, so what it has filtered can be replayed too.
#pragma once

#include "base/net/address.hh"
#include "base/result.hh"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft {

// An interface as the file knows it.
struct recorded_interface {
    std::string name;
    net::mac_address mac;
};

// One packet in one vector, by names, so that another daemon understands it. The bytes begin with
// the link layer's header.
struct recorded_packet {
    uint64_t nanoseconds = 0; // since 1970
    std::string node;
    unsigned thread = 0;
    uint32_t vector = 0;
    uint16_t place = 0;
    uint16_t size = 0;     // of the vector when it was recorded
    size_t interface = 0;  // index into the file's interfaces
    uint32_t length = 0;   // of the whole packet
    uint8_t l3_offset = 0; // bytes to the network header
    uint8_t flags = 0;     // packet_metadata's
    uint32_t adjacency = 0;
    std::string adjacency_text; // what it was then, in words; empty if 0
    uint32_t next_hop = 0;      // host order; the next two if packet_metadata::aimed
    std::string out_interface;
    std::string reason; // why it was dropped, NODE:REASON, for packets at the node that drops
    uint8_t icmp_type = 0;
    uint8_t icmp_code = 0;
    uint16_t icmp_mtu = 0;
    std::span<const std::byte> bytes; // as many as were recorded
    size_t at = 0;                    // read: where in the file its block begins
};

// The comment's words, and back. `what` is filled but for what a block holds itself: time,
// interface, length, bytes.
[[nodiscard]] std::string comment_of(const recorded_packet& what);
[[nodiscard]] result<void> parse_comment(std::string_view comment, recorded_packet& what);

// Appends blocks to `to`.
void append_header(std::vector<std::byte>& to);
void append_interface(std::vector<std::byte>& to, const recorded_interface& what, uint32_t snap);
void append_packet(std::vector<std::byte>& to, const recorded_packet& what);

// A file's contents, in its order.
struct recording {
    std::vector<std::byte> file; // what the packets' bytes lie in
    std::vector<recorded_interface> interfaces;
    std::vector<recorded_packet> packets;
};

inline constexpr uint32_t whole_packets = 65535;         // bytes of each packet that are kept: all
inline constexpr size_t max_recording = size_t{1} << 30; // bytes

// Reads a whole file. An error names the file, and the byte from which on it makes no sense or what
// a packet lacks.
[[nodiscard]] result<recording> read_recording(const std::string& path);
[[nodiscard]] result<recording> parse_recording(std::vector<std::byte> file);

} // namespace weft
