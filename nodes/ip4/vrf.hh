// SPDX-License-Identifier: Apache-2.0
// VRFs: route tables and own addresses apart from all others', to which interfaces are bound.
#pragma once

#include "nodes/fib/vrfs.hh"
#include "nodes/ip4/lookup_table.hh"
#include "nodes/ip4/own_addresses.hh"
#include "nodes/ip4/routes.hh"

#include <atomic>
#include <set>
#include <utility>

namespace weft::ip4 {

// What workers read of a VRF: immutable, replaced as a whole.
struct vrf_view {
    table_reader table;
    own_addresses own;
    vrf_index index = default_vrf;
};

// Main thread, but for `view`.
struct vrf {
    vrf(vrf_index number, forwarding& hops, lookup_table table)
        : index{number},
          routes{hops, std::move(table)},
          view{new vrf_view{routes.table().read(), {}, number}}
    {}
    ~vrf() { delete view.load(); }
    vrf(const vrf&) = delete;
    vrf& operator=(const vrf&) = delete;

    const vrf_index index;
    route_table routes;
    std::set<net::ip4_prefix> by_device; // whose neighbours have host routes; or were
    std::atomic<const vrf_view*> view;   // never null
};

} // namespace weft::ip4
