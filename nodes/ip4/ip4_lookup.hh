// SPDX-License-Identifier: Apache-2.0
// What the forms of ip4-lookup share.
#pragma once

#include "graph/net/headers.hh"
#include "graph/node_run.hh"
#include "nodes/ip4/flow_hash.hh"
#include "nodes/ip4/ip4.hh"
#include "nodes/ip4/lookup_fates.hh"

namespace weft::ip4::lookup {

struct context {
    explicit context(const node_setup& setup) : ip4{setup.host.room<tables>()} {}
    const tables& ip4;
};

// The packet's way among those of its route, which its flow keeps.
[[nodiscard, gnu::always_inline]] inline path pick(const load_balance& balance,
                                                   const packet& p) noexcept
{
    if (balance.buckets == nullptr) [[likely]]
        return balance.single.load(std::memory_order_acquire);
    const uint32_t hash = flow_hash(p, p.network<net::ip4_header>());
    return balance.buckets[hash & balance.mask].load(std::memory_order_acquire);
}

// The fate of a packet whose adjacency is known.
[[nodiscard]] fate decide(node_run& run, const forwarding& hops, packet& p) noexcept;

} // namespace weft::ip4::lookup
