// SPDX-License-Identifier: Apache-2.0
// What ports have in common: how large a frame their buffers hold.
#pragma once

#include "nodes/interface/interface.hh"
#include "nodes/interface/port_nodes.hh"

namespace weft::drivers {

inline constexpr uint16_t ethernet_overhead = 18; // header and one VLAN tag
// Whether a packet of that many bytes fits into a buffer with room for `room`.
[[nodiscard]] result<void> check_mtu(uint16_t mtu, uint16_t room);

} // namespace weft::drivers
