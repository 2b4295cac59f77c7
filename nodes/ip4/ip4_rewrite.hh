// SPDX-License-Identifier: Apache-2.0
// What the forms of ip4-rewrite share.
#pragma once

#include "graph/net/headers.hh"
#include "graph/node_run.hh"
#include "nodes/ip4/ip4.hh"

namespace weft::ip4 {

namespace rewrite {
enum next : fate { to_output, to_icmp_error };
enum reasons : uint16_t { too_big };

struct context {
    explicit context(const node_setup& setup) : ip4{setup.host.room<tables>()} {}
    const tables& ip4;
};

// One packet's fate; unless it is dropped or refused, the packet is ready to be sent.
[[nodiscard]] fate decide(node_run& run, const forwarding& hops, packet& p) noexcept;

// The TTL is the high byte of its 16-bit word, so one less is 0x0100 less there, and RFC 1624's sum
// is the old checksum plus 0x0100 with the carry put back.
[[gnu::always_inline]] inline void decrement_ttl(net::ip4_header& header) noexcept
{
    const uint32_t sum = uint32_t{header.checksum.wire()} + net::be16{0x0100}.wire();
    header.checksum = net::be16::from_wire(static_cast<uint16_t>(sum + (sum >= 0xffff)));
    --header.ttl;
}
} // namespace rewrite

} // namespace weft::ip4
