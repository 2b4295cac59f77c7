// SPDX-License-Identifier: Apache-2.0
// The Internet checksum: whole (RFC 1071) and incremental (RFC 1624).
#pragma once

#include "base/net/byte_order.hh"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace weft::net {

// Two steps suffice: the first leaves at most 0x1fffe, the second cannot carry again.
[[nodiscard]] constexpr uint16_t fold(uint32_t sum) noexcept
{
    sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<uint16_t>((sum & 0xffff) + (sum >> 16));
}

// One's complement sum of `bytes` bytes in wire order, unfolded over 32 bits; an odd last byte is
// padded with zero. `bytes` at most 64 KiB.
[[nodiscard]] inline uint32_t sum_of(const void* data, size_t bytes, uint32_t sum = 0) noexcept
{
    const auto* at = static_cast<const unsigned char*>(data);
    uint64_t wide = sum;
    for (; bytes >= 4; bytes -= 4, at += 4) {
        uint32_t word = 0;
        std::memcpy(&word, at, 4);
        wide += word;
    }
    if (bytes >= 2) {
        uint16_t word = 0;
        std::memcpy(&word, at, 2);
        wide += word;
        at += 2;
        bytes -= 2;
    }
    if (bytes == 1) {
        uint16_t word = 0;
        std::memcpy(&word, at, 1);
        wide += word;
    }
    wide = (wide & 0xffff'ffff) + (wide >> 32);
    wide = (wide & 0xffff) + ((wide >> 16) & 0xffff) + (wide >> 32);
    return static_cast<uint32_t>(wide);
}

// The checksum to write over data whose checksum field is zero.
[[nodiscard]] inline be16 checksum_of(const void* data, size_t bytes) noexcept
{
    return be16::from_wire(static_cast<uint16_t>(~fold(sum_of(data, bytes))));
}

// Whether data that includes its checksum is intact.
[[nodiscard]] inline bool checksum_ok(const void* data, size_t bytes) noexcept
{
    return fold(sum_of(data, bytes)) == 0xffff;
}

// The checksum after one 16-bit word changed: HC' = ~(~HC + ~m + m') (RFC 1624, equation 3).
[[nodiscard]] constexpr be16 checksum_adjust(be16 checksum, be16 before, be16 after) noexcept
{
    const uint32_t sum = static_cast<uint16_t>(~checksum.wire()) +
                         static_cast<uint16_t>(~before.wire()) + uint32_t{after.wire()};
    return be16::from_wire(static_cast<uint16_t>(~fold(sum)));
}

} // namespace weft::net
