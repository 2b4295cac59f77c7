// SPDX-License-Identifier: Apache-2.0
// device-input: names the next nodes of everything that brings packets in from outside. Its
// siblings share them, and what is added for one of them is there for all. It does not run itself.
#include "nodes/interface/port_nodes.hh"

#include "graph/node.hh"

namespace weft::drivers {

namespace {

const node_registration registration{{
    .name = "device-input",
    .type = node_type::input,
    .state = node_state::disabled,
    .nexts = {{to_ethernet_input, "ethernet-input"}, {to_worker_handoff, "worker-handoff"}},
    .is_template = true,
}};

} // namespace

} // namespace weft::drivers
