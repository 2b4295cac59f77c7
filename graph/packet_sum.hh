// SPDX-License-Identifier: Apache-2.0
// The Internet checksum of a part of a packet, which may lie in several buffers.
#pragma once

#include "base/net/checksum.hh"
#include "graph/packet.hh"

#include <algorithm>
#include <cstdint>

namespace weft {

// The one's complement sum of `bytes` bytes from `offset` on, folded: 0xffff if they are intact and
// have their checksum among them. The packet has as many.
[[nodiscard]] inline uint16_t sum_of(const packet& p, uint32_t offset, uint32_t bytes) noexcept
{
    uint32_t sum = 0;
    bool odd = false; // whether what comes begins with the second byte of a word (RFC 1071 2B)
    for (const rte_mbuf* part = p.mbuf(); part != nullptr && bytes > 0; part = part->next) {
        if (offset >= part->data_len) {
            offset -= part->data_len;
            continue;
        }
        const auto here = std::min<uint32_t>(bytes, part->data_len - offset);
        const uint16_t of_part =
            net::fold(net::sum_of(rte_pktmbuf_mtod_offset(part, const std::byte*, offset), here));
        sum += odd ? static_cast<uint16_t>(of_part << 8 | of_part >> 8) : of_part;
        odd ^= (here & 1) != 0;
        bytes -= here;
        offset = 0;
    }
    return net::fold(sum);
}

} // namespace weft
