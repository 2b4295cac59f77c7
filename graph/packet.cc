// SPDX-License-Identifier: Apache-2.0
// Claims weft's place in the mbuf from DPDK.
#include "graph/packet.hh"

#include <rte_mbuf_dyn.h>

namespace weft {

bool claim_packet_note() noexcept
{
    rte_mbuf_dynfield field{};
    std::strncpy(field.name, "weft_packet_note", sizeof field.name - 1);
    field.size = sizeof(packet_note);
    field.align = alignof(packet_note);
    const int offset = rte_mbuf_dynfield_register_offset(&field, packet_note_offset);
    return offset == static_cast<int>(packet_note_offset);
}

} // namespace weft
