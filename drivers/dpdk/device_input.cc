// SPDX-License-Identifier: Apache-2.0
// device-input: names the next nodes of everything that brings packets in from outside. Its siblings share them, and
// what is added for one of them is there for all. It does not run itself.
#include "graph/node.hh"

namespace weft::drivers {

namespace {

const node_registration registration{{
    .name = "device-input",
    .type = node_type::input,
    .state = node_state::disabled,
    .nexts = {"ethernet-input", "worker-handoff"},
    .is_template = true,
}};

} // namespace

} // namespace weft::drivers
