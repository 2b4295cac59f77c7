// SPDX-License-Identifier: Apache-2.0
// ip4-lookup for many packets at once: the table is asked for the whole vector, so that all its cache misses are under way
// together, and packets that just go to a next hop need no look at its adjacency.
#include "nodes/ip4/ip4_lookup.hh"

namespace weft::ip4 {

namespace {

void ip4_lookup(node_run& run, frame& in) noexcept
{
    const tables& ip4 = run.context<lookup::context>().ip4;
    const forwarding& hops = ip4.hops();
    packet* const* const packets = in.packets.data();
    const uint32_t count = in.count;
    const prefix_table::reader table = ip4.table().read();
    const load_balance* const balances = hops.balances();
    uint32_t destinations[vector_size]; // of ip4_address, which would be zeroed first
    for (uint32_t i = 0; i < count; ++i) {
        const auto destination = net::from_wire(packets[i]->network<net::ip4_header>().destination);
        destinations[i] = destination.value;
        table.expect(destination);
    }
    packet_set odd;
    odd.find(count, [&](uint32_t i) noexcept {
        packet& p = *packets[i];
        const path chosen = lookup::pick(balances[table.lookup({destinations[i]})], p);
        p.mark().adjacency = chosen.bits();
        return chosen.is_unusual();
    });
    run.each_but(in, lookup::to_rewrite, odd, [&](packet& p) noexcept {
        p.mark().adjacency &= path::index_mask;
        return lookup::decide(run, hops, p);
    });
}

const node_form_registration registration{"ip4-lookup", form::WEFT_FORM, ip4_lookup};

} // namespace

} // namespace weft::ip4
