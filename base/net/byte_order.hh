// SPDX-License-Identifier: Apache-2.0
// Integers in network byte order that never convert silently.
#pragma once

#include <bit>
#include <compare>
#include <concepts>
#include <cstdint>

namespace weft::net {

template <std::unsigned_integral T>
constexpr T byte_swap(T value) noexcept
{
    if constexpr (sizeof(T) == 2)
        return __builtin_bswap16(value);
    else if constexpr (sizeof(T) == 4)
        return __builtin_bswap32(value);
    else
        return __builtin_bswap64(value);
}

// A big-endian integer as it lies in a packet. Reading and writing the number is explicit:
// `header.total_length.host()`, `header.total_length = be16{20}`.
template <std::unsigned_integral T>
class [[gnu::packed]] big_endian {
public:
    constexpr big_endian() noexcept = default;
    constexpr explicit big_endian(T host) noexcept : wire_{to_wire(host)} {}

    [[nodiscard]] constexpr T host() const noexcept { return to_wire(wire_); }
    // The bytes as they lie in memory: only for comparing and for checksums.
    [[nodiscard]] constexpr T wire() const noexcept { return wire_; }
    [[nodiscard]] static constexpr big_endian from_wire(T wire) noexcept
    {
        big_endian value;
        value.wire_ = wire;
        return value;
    }

    friend constexpr bool operator==(big_endian a, big_endian b) noexcept
    {
        return a.wire_ == b.wire_;
    }

private:
    static constexpr T to_wire(T value) noexcept
    {
        return std::endian::native == std::endian::little ? byte_swap(value) : value;
    }

    T wire_ = 0;
};

using be16 = big_endian<uint16_t>;
using be32 = big_endian<uint32_t>;

} // namespace weft::net
