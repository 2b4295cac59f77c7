// SPDX-License-Identifier: Apache-2.0
// What the generator sends and what it may expect back: destinations, frames, next hops.
#pragma once

#include "base/net/address.hh"
#include "base/net/headers.hh"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace weft::bench {

inline constexpr uint32_t min_frame = 60;
inline constexpr uint32_t max_frame = 1514;
inline constexpr uint8_t sent_ttl = 64;
inline constexpr uint32_t frame_mark = 0x74666577; // tells test frames from a device's own

struct [[gnu::packed]] test_payload {
    uint32_t index;  // of the destination
    uint64_t due_at; // TSC
    uint32_t mark;
};

// A test frame up to what it carries for the check; zeros follow up to its size.
struct test_frame {
    net::ethernet_header ethernet;
    net::ip4_header ip;
    net::port_pair ports;
    net::be16 udp_length;
    net::be16 udp_checksum; // zero: none, as RFC 768 allows
    test_payload payload;
};
static_assert(sizeof(test_frame) == 58 && alignof(test_frame) == 1);
static_assert(sizeof(test_frame) <= min_frame);

struct destination {
    net::be32 address;
    net::be16 checksum; // of a frame's IP header that leads there
};

// One side of the device under test: its own MAC address, and the generator's beyond it.
struct side {
    net::mac_address device;
    net::mac_address generator;
    net::ip4_address source;
};
inline constexpr side side_a{{{2, 0, 0, 0, 0x0a, 1}}, {{2, 0, 0, 0, 0x0a, 2}}, {0x0a000002}};
inline constexpr side side_b{{{2, 0, 0, 0, 0x0b, 1}}, {{2, 0, 0, 0, 0x0b, 2}}, {0x0a000102}};

// `count` different addresses of the first one's /8, that one first.
[[nodiscard]] std::vector<net::ip4_address> spread(net::ip4_address first, uint32_t count);
// The addresses of a file, one a line.
[[nodiscard]] std::vector<net::ip4_address> read_addresses(const std::string& file);
// `count` random addresses, each in a random prefix of a file (the first word of each line): the
// same ones each time.
[[nodiscard]] std::vector<net::ip4_address> random_addresses(const std::string& file,
                                                             uint32_t count);

// A frame of `size` bytes that enters the device on `from`, without destination.
[[nodiscard]] std::vector<uint8_t> make_frame(const side& from, uint32_t size);
[[nodiscard]] std::vector<destination> destinations_of(std::span<const net::ip4_address> addresses,
                                                       std::span<const uint8_t> frame);

// For each destination the MAC addresses that its next hop may have.
class next_hops {
public:
    // Every destination has the one next hop.
    next_hops(const net::mac_address& only, size_t destinations);
    // From a file of lines `PREFIX MAC[,MAC...]`: those of the longest prefix that matches; none
    // for an address without any.
    next_hops(const std::string& file, std::span<const net::ip4_address> addresses);

    [[nodiscard]] bool allows(uint32_t destination, const net::mac_address& mac) const noexcept
    {
        for (const auto& allowed : sets_[set_of_[destination]])
            if (allowed == mac)
                return true;
        return false;
    }

private:
    std::vector<std::vector<net::mac_address>> sets_;
    std::vector<uint32_t> set_of_;
};

} // namespace weft::bench
