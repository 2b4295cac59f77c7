// SPDX-License-Identifier: Apache-2.0
// What the variants of ip4-lookup share.
#pragma once

#include "base/net/headers.hh"
#include "graph/node_run.hh"
#include "nodes/ip4/flow_hash.hh"
#include "nodes/ip4/ip4.hh"
#include "nodes/ip4/ip4_settings.hh"
#include "nodes/ip4/lookup_ways.hh"

namespace weft::ip4::lookup {

struct context {
    explicit context(const node_setup& setup)
        : ip4{setup.engine.module<tables>()},
          how{setup.engine.module<settings>()},
          kinds{setup.engine.module<ways>()}
    {}
    [[nodiscard]] uint64_t seed() const noexcept
    {
        return how.flow_seed.load(std::memory_order_relaxed);
    }
    const tables& ip4;
    const settings& how;
    const ways& kinds;
};

// The way that a route's packet takes, which is its flow's among several. `paths` are forwarding's;
// `flow` gives the packet's flow_key where it is asked for.
template <class Flow>
[[nodiscard, gnu::always_inline]] inline path pick(const forwarding& hops, const atomic_path* paths,
                                                   load_balance_index route, uint64_t seed,
                                                   Flow&& flow) noexcept
{
    const path only = paths[route].load(std::memory_order_acquire);
    if (!only.is_several()) [[likely]]
        return only;
    return hops.balance_at(route).of(flow().hash(seed));
}

// The same for a node that asks for few packets, of one that came in by an interface.
[[nodiscard]] inline path pick(const tables& ip4, interface_index rx, net::ip4_address to,
                               uint64_t seed, const flow_key& flow) noexcept
{
    return pick(ip4.hops(), ip4.hops().paths(), ip4.view_of(rx).table.lookup(to), seed,
                [&]() noexcept { return flow; });
}

// The verdict of a packet whose adjacency is known.
[[nodiscard]] verdict decide(node_run& run, const context& ctx, packet& p) noexcept;

} // namespace weft::ip4::lookup
