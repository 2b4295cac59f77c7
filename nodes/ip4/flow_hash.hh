// SPDX-License-Identifier: Apache-2.0
// The hash that keeps a flow on one path: addresses, protocol, and ports where the packet has them.
#pragma once

#include "graph/net/headers.hh"
#include "graph/packet.hh"

#include <cstdint>

namespace weft::ip4 {

// All fragments of a packet hash alike, so none of them uses ports: they would go different ways.
[[nodiscard, gnu::always_inline]] inline uint32_t flow_hash(const packet& p,
                                                             const net::ip4_header& header) noexcept
{
    uint64_t key = uint64_t{header.source.wire()} << 32 | header.destination.wire();
    uint64_t more = header.protocol;
    const bool has_ports =
        header.protocol == net::ip_protocol::tcp || header.protocol == net::ip_protocol::udp;
    const size_t at = p.mark().l3_offset + header.header_bytes();
    if (has_ports && !header.is_fragment() && p.contiguous() >= at + sizeof(net::port_pair)) {
        const auto& ports = p.header<net::port_pair>(at);
        more |= uint64_t{ports.source.wire()} << 8 | uint64_t{ports.destination.wire()} << 24;
    }
    // Two rounds of multiply and fold; every input bit reaches every bit of the result.
    key ^= more * 0x9e37'79b9'7f4a'7c15u;
    key ^= key >> 32;
    key *= 0xd6e8'feb8'6659'fd93u;
    key ^= key >> 32;
    key *= 0xd6e8'feb8'6659'fd93u;
    return static_cast<uint32_t>(key >> 32);
}

} // namespace weft::ip4
