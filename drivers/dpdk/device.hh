// SPDX-License-Identifier: Apache-2.0
// What ports have in common: which frames lie in one of their buffers.
#pragma once

#include "nodes/interface/interface.hh"
#include "nodes/interface/port_nodes.hh"

namespace weft::drivers {

inline constexpr uint16_t ethernet_overhead = 22; // header and two VLAN tags

// Whether each frame of an interface with that MTU lies in one buffer with room for `room` bytes.
// Larger ones lie in several, one behind the other, all but the last full.
[[nodiscard]] constexpr bool is_in_one_buffer(uint16_t mtu, uint16_t room) noexcept
{
    return mtu + ethernet_overhead <= room;
}

} // namespace weft::drivers
