// SPDX-License-Identifier: Apache-2.0
// The hash that keeps a flow on one path.
#pragma once

#include "graph/flow_hash.hh"

namespace weft::ip4 {

// Of a packet whose network header `header` is.
[[nodiscard, gnu::always_inline]] inline uint32_t flow_hash(const packet& p,
                                                             const net::ip4_header& header) noexcept
{
    return weft::flow_hash(p, header, p.mark().l3_offset);
}

} // namespace weft::ip4
