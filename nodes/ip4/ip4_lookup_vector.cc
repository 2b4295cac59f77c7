// SPDX-License-Identifier: Apache-2.0
// ip4-lookup for many packets at once: the table is asked for the whole vector, so that all its
// cache misses are under way together, and packets that just go to a next hop need no look at its
// adjacency.
#include "graph/lanes.hh"
#include "graph/node_run_vector.hh"
#include "nodes/ip4/ip4_lookup.hh"

#include <cstring>

namespace weft::ip4 {

namespace {

// Writes each packet's path to `words`, which hold the destinations, and returns the union of their
// bits. `table_of` gives the reader of the table for a packet.
template <class TableOf>
[[gnu::always_inline]] inline uint32_t find_paths(const forwarding& hops, packet* const* packets,
                                                  uint32_t count, uint32_t* words, uint64_t seed,
                                                  TableOf&& table_of) noexcept
{
    const atomic_path* const paths = hops.paths();
#pragma GCC unroll 4
    for (uint32_t i = 0; i < count; ++i)
        table_of(i).expect({words[i]});
    uint32_t all = 0;
#pragma GCC unroll 4
    for (uint32_t i = 0; i < count; ++i) {
        packet& p = *packets[i];
        words[i] = lookup::pick(hops, paths, table_of(i).lookup({words[i]}), seed, [&]() noexcept {
                       return flow_of(p);
                   }).bits();
        p.metadata().adjacency = words[i];
        all |= words[i];
    }
    return all;
}

// Each packet in the VRF of the interface that it came in by.
[[gnu::noinline]] uint32_t find_paths_in_vrfs(const tables& ip4, packet* const* packets,
                                              uint32_t count, uint32_t* words,
                                              uint64_t seed) noexcept
{
    return find_paths(ip4.hops(), packets, count, words, seed,
                      [&](uint32_t i) noexcept -> const table_reader& {
                          return ip4.view_of(packets[i]->metadata().interface).table;
                      });
}

void ip4_lookup(node_run& run, frame& in) noexcept
{
    const auto& ctx = run.context<lookup::context>();
    const tables& ip4 = ctx.ip4;
    const uint64_t seed = ctx.seed();
    const forwarding& hops = ip4.hops();
    packet* const* const packets = in.packets.data();
    const uint32_t count = in.count;
    // Destinations, as ip4-input gave them or as the packets have them; then paths.
    uint32_t* const words = in.aux.data();
    for (uint32_t i = in.aux_count; i < count; ++i)
        words[i] = net::from_wire(packets[i]->network<net::ip4_header>().destination).value;
    uint32_t all = 0;
    if (ip4.several_vrfs()) [[unlikely]] {
        all = find_paths_in_vrfs(ip4, packets, count, words, seed);
    } else {
        const prefix_table::reader table = ip4.default_table();
        all = find_paths(hops, packets, count, words, seed,
                         [&](uint32_t) noexcept -> const prefix_table::reader& { return table; });
    }
    packet_set odd;
    if ((all & ~path::index_mask) != 0) // the top bit says that a path is unusual
        odd.find_groups<lanes::count>(count, [&](uint32_t i) noexcept {
            lanes::words group;
            std::memcpy(&group, words + i, sizeof group);
            return lanes::top_bits(group);
        });
    run.each_but(in, lookup::to_rewrite, odd, [&](packet& p) noexcept {
        p.metadata().adjacency &= path::index_mask;
        return lookup::decide(run, ctx, p);
    });
}

const node_variant_registration registration{"ip4-lookup", variant::WEFT_VARIANT, ip4_lookup};

} // namespace

} // namespace weft::ip4
