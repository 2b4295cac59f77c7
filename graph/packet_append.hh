// SPDX-License-Identifier: Apache-2.0
// Filling packets whose bytes may be more than one buffer holds.
#pragma once

#include "graph/packet.hh"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

namespace weft {

// Puts bytes behind those of a packet. What its last buffer has no room for goes into further ones
// of the same pool, each filled before the next. False if that has none: the packet is as it was.
inline bool append(packet& p, const std::byte* from, uint32_t bytes) noexcept
{
    rte_mbuf* const first = p.mbuf();
    rte_mbuf* const old_last = rte_pktmbuf_lastseg(first);
    const uint32_t old_length = first->pkt_len;
    const uint16_t old_segments = first->nb_segs;
    const uint16_t old_end = old_last->data_len;
    rte_mbuf* last = old_last;
    while (bytes > 0) {
        const auto part = std::min<uint32_t>(bytes, rte_pktmbuf_tailroom(last));
        std::memcpy(rte_pktmbuf_mtod_offset(last, std::byte*, last->data_len), from, part);
        last->data_len = static_cast<uint16_t>(last->data_len + part);
        first->pkt_len += part;
        from += part;
        bytes -= part;
        if (bytes == 0)
            break;
        rte_mbuf* const more = rte_pktmbuf_alloc(first->pool);
        if (more == nullptr) {
            first->pkt_len = old_length;
            first->nb_segs = old_segments;
            old_last->data_len = old_end;
            rte_pktmbuf_free(std::exchange(old_last->next, nullptr));
            return false;
        }
        last = last->next = more;
        ++first->nb_segs;
    }
    return true;
}

} // namespace weft
