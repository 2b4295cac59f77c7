// SPDX-License-Identifier: Apache-2.0
// ttl-guard: drops packets that come from too far away (the idea of RFC 5082).
#include "base/net/headers.hh"
#include "graph/node_run.hh"

namespace weft::sample {

namespace {

constexpr uint8_t min_ttl = 250;

enum next : next_index { to_lookup };
enum reasons : uint16_t { too_far };

void ttl_guard(node_run& run, frame& in) noexcept
{
    run.each(in, [](packet& p) noexcept -> verdict {
        if (p.network<net::ip4_header>().ttl < min_ttl)
            return drop(too_far);
        return to_lookup;
    });
}

const node_registration registration{{
    .name = "ttl-guard",
    .function = ttl_guard,
    .nexts = {{to_lookup, "ip4-lookup"}},
    .reasons = {{too_far, "too_far", "the packet has crossed more than five routers"}},
    .joined_later = true,
}};

} // namespace

} // namespace weft::sample
