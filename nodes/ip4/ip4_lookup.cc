// SPDX-License-Identifier: Apache-2.0
// ip4-lookup: finds every packet's route and adjacency, the whole vector at once.
#include "graph/net/headers.hh"
#include "graph/node_run.hh"
#include "nodes/ip4/flow_hash.hh"
#include "nodes/ip4/ip4.hh"
#include "nodes/ip4/lookup_fates.hh"
#include "nodes/ip4/trace.hh"

namespace weft::ip4 {

namespace {

struct context {
    explicit context(const node_setup& setup) : ip4{setup.host.room<tables>()} {}
    const tables& ip4;
};

adjacency_index pick(const load_balance& balance, const packet& p) noexcept
{
    if (balance.buckets == nullptr) [[likely]]
        return balance.single.load(std::memory_order_acquire);
    const uint32_t hash = flow_hash(p, p.network<net::ip4_header>());
    return balance.buckets[hash & balance.mask].load(std::memory_order_acquire);
}

void tell_unreachable(node_run& run, packet& p) noexcept
{
    run.count(lookup::no_route);
    p.note().icmp_type = net::icmp4::unreachable;
    p.note().icmp_code = net::icmp4::net_unreachable;
}

void ip4_lookup(node_run& run, frame& in) noexcept
{
    const tables& ip4 = run.context<context>().ip4;
    std::array<net::ip4_address, vector_size> destinations;
    std::array<prefix_table::value_type, vector_size> balances;
    std::array<fate, vector_size> fates;
    for (uint32_t i = 0; i < in.count; ++i)
        destinations[i] = net::from_wire(in.packets[i]->network<net::ip4_header>().destination);
    ip4.table().lookup(destinations.data(), balances.data(), in.count);
    for (uint32_t i = 0; i < in.count; ++i) {
        packet& p = *in.packets[i];
        const adjacency_index index = pick(ip4.hops().balance_at(balances[i]), p);
        p.mark().adjacency = index;
        fates[i] = ip4.hops().adjacency_at(index).lookup_fate;
        if (fates[i] == lookup::to_icmp_error) [[unlikely]]
            tell_unreachable(run, p);
    }
    run.enqueue(in, fates.data());
}

const node_registration registration{{
    .name = "ip4-lookup",
    .function = ip4_lookup,
    .nexts = {"ip4-rewrite", "ip4-local", "ip4-glean", "ip4-icmp-error"},
    .reasons = {{"no_route", "no route leads to the destination"},
                {"blackhole", "the route says to drop"},
                {"multicast", "the destination is a multicast group"},
                {"broadcast", "the destination is a broadcast address"},
                {"martian_destination", "the destination is never routed"}},
    .context = context_of<context>(),
    .format_trace = trace_lookup,
}};

} // namespace

} // namespace weft::ip4
