// SPDX-License-Identifier: Apache-2.0
// The numbers of pcapng (IETF draft-ietf-opsawg-pcapng) that capture files of vectors are written
// and read with.
#pragma once

#include <cstdint>

namespace weft::pcapng {

// Block types and option codes (section 3 and 4 of the draft).
inline constexpr uint32_t section_header = 0x0a0d0d0a;
inline constexpr uint32_t byte_order_magic = 0x1a2b3c4d;
inline constexpr uint32_t interface_description = 1;
inline constexpr uint32_t simple_packet = 3;
inline constexpr uint32_t enhanced_packet = 6;
inline constexpr uint16_t option_end = 0;
inline constexpr uint16_t option_comment = 1;
inline constexpr uint16_t option_name = 2;
inline constexpr uint16_t option_application = 4;
inline constexpr uint16_t option_mac = 6;
inline constexpr uint16_t option_resolution = 9;
inline constexpr uint16_t link_ethernet = 1;
inline constexpr uint8_t nanoseconds = 9; // 10 to the power of minus 9
inline constexpr uint8_t microseconds = 6;

} // namespace weft::pcapng
