// SPDX-License-Identifier: Apache-2.0
// What the variants of interface-output share.
#pragma once

#include "graph/engine.hh"
#include "graph/node_run.hh"
#include "nodes/interface/interface.hh"

namespace weft::output {

enum reasons : uint16_t { interface_down };

struct context {
    explicit context(const node_setup& setup) : interfaces{interfaces_of(setup.engine)} {}
    const interface_table& interfaces;
};

// The tx node's slot of an interface, or the drop.
[[nodiscard]] inline verdict decide(const interface_hot& hot) noexcept
{
    if (!hot.admin_up.load(std::memory_order_relaxed))
        return drop(interface_down);
    return hot.output_slot.load(std::memory_order_relaxed);
}

} // namespace weft::output
