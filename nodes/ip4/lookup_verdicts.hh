// SPDX-License-Identifier: Apache-2.0
// What ip4-lookup does with a packet, by the kind of adjacency that it found.
#pragma once

#include "graph/node.hh"
#include "nodes/fib/forwarding.hh"

namespace weft::ip4 {

namespace lookup {
enum next : next_index { to_rewrite, to_local, to_glean, to_icmp_error };
enum reasons : uint16_t {
    no_route,
    blackhole,
    multicast,
    broadcast,
    martian_destination,
    host_unreachable,
    prohibited,
};
} // namespace lookup

[[nodiscard]] constexpr verdict lookup_verdict_of(adjacency_kind kind) noexcept
{
    switch (kind) {
    case adjacency_kind::unreachable:
    case adjacency_kind::host_unreachable:
    case adjacency_kind::prohibited:
        return lookup::to_icmp_error;
    case adjacency_kind::blackhole:
        return drop(lookup::blackhole);
    case adjacency_kind::local:
        return lookup::to_local;
    case adjacency_kind::multicast:
        return drop(lookup::multicast);
    case adjacency_kind::broadcast:
        return drop(lookup::broadcast);
    case adjacency_kind::martian:
        return drop(lookup::martian_destination);
    case adjacency_kind::glean:
        return lookup::to_glean;
    case adjacency_kind::rewrite:
        return lookup::to_rewrite;
    }
    return drop(lookup::no_route);
}

namespace lookup {
// Why what ip4-icmp-error is to tell of is lost.
[[nodiscard]] constexpr reasons refusal_of(adjacency_kind kind) noexcept
{
    return kind == adjacency_kind::prohibited         ? prohibited
           : kind == adjacency_kind::host_unreachable ? host_unreachable
                                                      : no_route;
}
} // namespace lookup

} // namespace weft::ip4
