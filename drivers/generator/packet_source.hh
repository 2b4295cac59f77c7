// SPDX-License-Identifier: Apache-2.0
// What a stream of the packet generator sends: packets from a specification or from a capture file.
#pragma once

#include "base/net/address.hh"
#include "base/net/headers.hh"
#include "base/result.hh"
#include "graph/packet.hh"

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace weft {
class process;
}

namespace weft::drivers {

// Writes packets one after the other, over and over. Used by one thread at a time.
class packet_source {
public:
    virtual ~packet_source() = default;
    // Begins with the first packet again.
    virtual void restart() noexcept = 0;
    // Writes the next packets into fresh buffers; returns their bytes.
    virtual uint64_t fill(std::span<packet*> packets) noexcept = 0;
    // Bytes of memory for what it is made from.
    [[nodiscard]] virtual size_t memory() const noexcept = 0;
};

struct value_range {
    uint32_t first = 0;
    uint32_t last = 0; // not below first
};

struct packet_specification {
    net::mac_address to;
    net::mac_address from{{2, 0, 0, 0, 0xfe, 1}};
    value_range source; // IPv4 addresses, host order
    value_range destination;
    std::vector<net::ip4_address>
        destinations;                    // taken one after the other instead, if there are any
    value_range source_port{1024, 1024}; // TCP and UDP
    value_range destination_port{9, 9};  // discard (RFC 863)
    value_range size{60, 60};            // bytes of the frame without its checksum; 60 at least
    uint8_t protocol = net::ip_protocol::udp; // or TCP, or ICMP: an echo request
    uint8_t ttl = 64;
    bool random = false; // ranges are drawn from, not stepped through
};

// The payload is zero, checksums are right; UDP's is left out (RFC 768).
[[nodiscard]] std::unique_ptr<packet_source> make_specified(packet_specification what);

struct capture {
    struct place {
        uint32_t offset;
        uint16_t length;
    };
    std::vector<std::byte> bytes; // of all frames
    std::vector<place> frames;    // at least one
};
[[nodiscard]] std::unique_ptr<packet_source> make_captured(capture what);

inline constexpr size_t max_captured_frames = 262'144;
inline constexpr size_t max_captured_bytes = 64 << 20;
inline constexpr size_t max_destinations = 1 << 20;

// Reads a capture file (pcap or pcapng, Ethernet) whose frames are from `least` to `most` bytes
// long. Lets others run meanwhile where there is a process.
[[nodiscard]] result<capture> read_capture(const std::string& path, uint32_t least, uint32_t most,
                                           process* self);

// Reads a file that begins each line with an IPv4 address or prefix, and draws 16 addresses for
// each line from all of them, in random order, most_destinations at most. Lets others run as
// read_capture does.
[[nodiscard]] result<std::vector<net::ip4_address>> read_destinations(const std::string& path,
                                                                      process* self);

} // namespace weft::drivers
