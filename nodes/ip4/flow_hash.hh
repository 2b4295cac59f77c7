// SPDX-License-Identifier: Apache-2.0
// The flow of a packet whose network header is an IPv4 one.
#pragma once

#include "nodes/interface/flow_hash.hh"

namespace weft::ip4 {

[[nodiscard, gnu::always_inline]] inline flow_key flow_of(const packet& p) noexcept
{
    return weft::flow_of(p, p.network<net::ip4_header>(), p.metadata().l3_offset);
}

} // namespace weft::ip4
