// SPDX-License-Identifier: Apache-2.0
// What ip4-lookup does with a packet, by the kind of adjacency that it found.
#pragma once

#include "graph/node.hh"
#include "nodes/fib/adjacency_kind.hh"

#include <array>

namespace weft {
class engine;
}

namespace weft::ip4::lookup {

// Those of kinds that register later lie behind them.
enum next : next_index { to_rewrite, to_local, to_glean, to_icmp_error };
enum reasons : uint16_t {
    no_route,
    blackhole,
    multicast,
    broadcast,
    martian_destination,
    host_unreachable,
    prohibited,
    no_way,
};

struct way {
    verdict to = drop(no_way);
    bool refuses = false;  // the sender is told; `reason' and `icmp_code' say what
    uint8_t icmp_code = 0; // of ICMP unreachable
    uint16_t reason = no_way;
};

// A module of the engine, made before the first plan: from what registered, with a slot of
// ip4-lookup for each node. Any thread reads it.
class ways {
public:
    explicit ways(engine& engine);
    [[nodiscard]] const way& of(fib::adjacency_kind kind) const noexcept
    {
        return all_[static_cast<size_t>(kind)];
    }

private:
    std::array<way, fib::max_kinds> all_;
};

} // namespace weft::ip4::lookup
