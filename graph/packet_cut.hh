// SPDX-License-Identifier: Apache-2.0
// Taking off what is behind a packet in its frame.
#pragma once

#include "graph/packet.hh"

#include <utility>

namespace weft {

// Leaves the first `length` bytes of a packet that has as many or more; segments that are empty
// then are freed.
inline void cut(packet& p, uint32_t length) noexcept
{
    rte_mbuf* last = p.mbuf();
    last->pkt_len = length;
    uint16_t segments = 1;
    for (; length > last->data_len; ++segments) {
        length -= last->data_len;
        last = last->next;
    }
    last->data_len = static_cast<uint16_t>(length);
    p.mbuf()->nb_segs = segments;
    if (last->next != nullptr)
        rte_pktmbuf_free(std::exchange(last->next, nullptr));
}

} // namespace weft
