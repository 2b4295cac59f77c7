// SPDX-License-Identifier: Apache-2.0
// The hash that keeps a flow on one path and on one worker: addresses, protocol, and ports where
// the packet has them.
#pragma once

#include "base/net/headers.hh"
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

// What the packets of one direction of a flow share.
struct flow_key {
    net::be32 source;
    net::be32 destination;
    net::port_pair ports{}; // zero where not known
    uint8_t protocol = 0;

    // Of the packets that answer.
    [[nodiscard]] flow_key reversed() const noexcept
    {
        return {destination, source, {ports.destination, ports.source}, protocol};
    }
    // Whoever chooses among several by this hash has a seed of its own, of which all bits matter:
    // two that choose one after the other do so independently then.
    [[nodiscard, gnu::always_inline]] uint32_t hash(uint64_t seed) const noexcept
    {
        const uint64_t addresses = uint64_t{source.wire()} << 32 | destination.wire();
        const uint64_t rest = protocol | uint64_t{ports.source.wire()} << 8 |
                              uint64_t{ports.destination.wire()} << 24;
        return fold_hash(addresses ^ rest * 0x9e37'79b9'7f4a'7c15u ^ seed);
    }
};

// The seed of a router that has the number `number`: those of two numbers have nothing in common.
[[nodiscard]] uint64_t flow_seed(uint64_t number) noexcept;

[[nodiscard, gnu::always_inline]] inline bool has_ports(uint8_t protocol) noexcept
{
    return protocol == net::ip_protocol::tcp || protocol == net::ip_protocol::udp;
}

// Of an ICMP packet. An error belongs to the flow that it is about, and goes the way of the packets
// that answer it, so that it reaches the one of several hosts of one address that sends them; any
// other to its addresses.
[[nodiscard]] flow_key icmp_flow(const packet& p, const net::ip4_header& header,
                                 size_t offset) noexcept;

// Of a packet whose IPv4 header lies `offset` bytes from its beginning. All fragments of a packet
// have one key, so none of them has ports: they would go different ways.
[[nodiscard, gnu::always_inline]] inline flow_key
flow_of(const packet& p, const net::ip4_header& header, size_t offset) noexcept
{
    if (header.protocol == net::ip_protocol::icmp) [[unlikely]]
        return icmp_flow(p, header, offset);
    flow_key key{header.source, header.destination, {}, header.protocol};
    const size_t at = offset + header.header_bytes();
    if (has_ports(header.protocol) && !header.is_fragment() &&
        p.contiguous() >= at + sizeof(net::port_pair))
        key.ports = p.header<net::port_pair>(at);
    return key;
}

// Of a frame that nobody has looked at yet, for a choice among workers: an IPv4 packet's flow, else
// its stations.
[[nodiscard]] uint32_t frame_hash(const packet& p) noexcept;

} // namespace weft
