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

// The way that a route's packet takes, which is its flow's among several. `paths` are forwarding's.
[[nodiscard, gnu::always_inline]] inline path pick(const forwarding& hops, const atomic_path* paths,
                                                   load_balance_index route, const packet& p) noexcept
{
    const path only = paths[route].load(std::memory_order_acquire);
    if (!only.is_several()) [[likely]]
        return only;
    const load_balance& balance = hops.balance_at(route);
    const uint32_t hash = flow_hash(p, p.network<net::ip4_header>());
    return balance.buckets[hash & balance.mask].load(std::memory_order_acquire);
}

// The fate of a packet whose adjacency is known.
[[nodiscard]] fate decide(node_run& run, const forwarding& hops, packet& p) noexcept;

} // namespace weft::ip4::lookup
