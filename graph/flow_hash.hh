// SPDX-License-Identifier: Apache-2.0
// The hash that keeps a flow on one path and on one worker: addresses, protocol, and ports where the packet has them.
#pragma once

#include "graph/net/headers.hh"
#include "graph/packet.hh"

#include <cstdint>

namespace weft {

// Two rounds of multiply and fold; every input bit reaches every bit of the result.
[[nodiscard, gnu::always_inline]] inline uint32_t fold_hash(uint64_t key) noexcept
{
    key ^= key >> 32;
    key *= 0xd6e8'feb8'6659'fd93u;
    key ^= key >> 32;
    key *= 0xd6e8'feb8'6659'fd93u;
    return static_cast<uint32_t>(key >> 32);
}

// Of a packet whose IPv4 header lies `offset` bytes from its beginning. All fragments of a packet hash alike, so none
// of them uses ports: they would go different ways.
[[nodiscard, gnu::always_inline]] inline uint32_t
flow_hash(const packet& p, const net::ip4_header& header, size_t offset) noexcept
{
    const uint64_t key = uint64_t{header.source.wire()} << 32 | header.destination.wire();
    uint64_t more = header.protocol;
    const bool has_ports =
        header.protocol == net::ip_protocol::tcp || header.protocol == net::ip_protocol::udp;
    const size_t at = offset + header.header_bytes();
    if (has_ports && !header.is_fragment() && p.contiguous() >= at + sizeof(net::port_pair)) {
        const auto& ports = p.header<net::port_pair>(at);
        more |= uint64_t{ports.source.wire()} << 8 | uint64_t{ports.destination.wire()} << 24;
    }
    return fold_hash(key ^ more * 0x9e37'79b9'7f4a'7c15u);
}

// Of a frame that nobody has looked at yet: an IPv4 packet's flow, else its stations.
[[nodiscard]] inline uint32_t frame_hash(const packet& p) noexcept
{
    constexpr size_t link = sizeof(net::ethernet_header);
    if (p.contiguous() < link)
        return 0;
    const auto& frame = p.header<net::ethernet_header>(0);
    if (frame.type == net::ether_type::ip4 && p.contiguous() >= link + sizeof(net::ip4_header)) {
        const auto& header = p.header<net::ip4_header>(link);
        return flow_hash(p, header, link);
    }
    uint64_t stations[2] = {};
    std::memcpy(stations, &frame, link);
    return fold_hash(stations[0] ^ stations[1] * 0x9e37'79b9'7f4a'7c15u);
}

} // namespace weft
