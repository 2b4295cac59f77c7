// SPDX-License-Identifier: Apache-2.0
// What the variants of ip4-rewrite share.
#pragma once

#include "base/net/headers.hh"
#include "graph/node_run.hh"
#include "nodes/ip4/ip4.hh"

#include <bit>
#include <cstring>

namespace weft::ip4 {

namespace rewrite {
enum next : next_index { to_output, to_icmp_error };
enum reasons : uint16_t { too_big, no_room };

struct context {
    explicit context(const node_setup& setup) : ip4{setup.engine.module<tables>()} {}
    const tables& ip4;
};

// One packet's verdict; unless it is dropped or refused, the packet is ready to be sent.
[[nodiscard]] verdict decide(node_run& run, const forwarding& hops, packet& p) noexcept;

// The TTL is the high byte of its 16-bit word, so one less is 0x0100 less there, and RFC 1624's sum
// is the old checksum plus 0x0100 with the carry put back. TTL, protocol and checksum are one
// little-endian word: in its high half 0x0100 in wire order is 1.
[[gnu::always_inline]] inline void decrement_ttl(net::ip4_header& header) noexcept
{
    static_assert(std::endian::native == std::endian::little);
    uint32_t word;
    std::memcpy(&word, &header.ttl, sizeof word);
    const uint32_t carry = word >= 0xfffe'0000 ? 0x1'0000 : 0;
    word += 0x1'0000 - 1 + carry;
    std::memcpy(&header.ttl, &word, sizeof word);
}
} // namespace rewrite

} // namespace weft::ip4
