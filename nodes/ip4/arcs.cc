// SPDX-License-Identifier: Apache-2.0
// The places on an IPv4 packet's way at which features stand.
#include "graph/feature_arc.hh"

namespace weft::ip4 {

namespace {

// Sound packets from a port, before a route is looked up for them.
const feature_arc_registration unicast{"ip4-unicast", "ip4-lookup", {"ip4-input"}};
// Packets to an address of the router.
const feature_arc_registration local{"ip4-local", "ip4-local", {"ip4-lookup"}};
// Packets with the next hop's rewrite, for the interface that they leave by.
const feature_arc_registration output{"ip4-output", "interface-output", {"ip4-rewrite"}};

} // namespace

} // namespace weft::ip4
