// SPDX-License-Identifier: Apache-2.0
// null-node: where a next slot leads that is empty.
#include "graph/node_run.hh"

namespace weft {

namespace {

enum reasons : uint16_t { empty_slot };

void null_node(node_run& run, frame& in) noexcept
{
    run.each(in, [](packet&) noexcept { return drop(empty_slot); });
}

const node_registration registration{{
    .name = "null-node",
    .function = null_node,
    .reasons = {{empty_slot, "empty_slot", "the next slot that the node chose is empty"}},
    .joined_later = true,
    .everywhere = true,
}};

} // namespace

} // namespace weft
