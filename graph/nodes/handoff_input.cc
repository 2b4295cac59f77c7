// SPDX-License-Identifier: Apache-2.0
// handoff-input: continues packets that another thread handed over, at the node that it named.
#include "graph/node_run.hh"
#include "graph/thread/graph_thread.hh"

namespace weft::drivers {

namespace {

uint32_t handoff_input(node_run& run) noexcept
{
    return run.thread().take_handed();
}

const node_registration registration{{
    .name = "handoff-input",
    .type = node_type::input,
    .state = node_state::interrupt,
    .poll = handoff_input,
    .everywhere = true, // or what other threads hand over would wait for ever
}};

} // namespace

} // namespace weft::drivers
