// SPDX-License-Identifier: Apache-2.0
// The places on every frame's way at which features stand.
#include "graph/feature_arc.hh"

namespace weft {

namespace {

// Frames as they come in from a port.
const feature_arc_registration input{
    "device-input", "ethernet-input", {"device-input", "worker-handoff"}};
// Frames for an interface, whoever made them.
const feature_arc_registration output{"interface-output", "interface-output", {}};

} // namespace

} // namespace weft
