// SPDX-License-Identifier: Apache-2.0
// MAC and IPv4 addresses and prefixes: values, text forms and their parsers.
#pragma once

#include "base/net/byte_order.hh"
#include "base/result.hh"

#include <array>
#include <bit>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace weft::net {

struct mac_address {
    std::array<uint8_t, 6> bytes{};

    [[nodiscard]] constexpr bool is_group() const noexcept { return (bytes[0] & 1) != 0; }
    [[nodiscard]] constexpr bool is_zero() const noexcept { return *this == mac_address{}; }
    friend constexpr auto operator<=>(const mac_address&, const mac_address&) noexcept = default;
    // The default one calls memcmp().
    friend constexpr bool operator==(const mac_address& a, const mac_address& b) noexcept
    {
        const auto x = std::bit_cast<std::array<uint16_t, 3>>(a.bytes);
        const auto y = std::bit_cast<std::array<uint16_t, 3>>(b.bytes);
        return ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2])) == 0;
    }
};
static_assert(sizeof(mac_address) == 6);

inline constexpr mac_address broadcast_mac{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

// An IPv4 address in host byte order: arithmetic and comparison are plain.
struct ip4_address {
    uint32_t value = 0;

    [[nodiscard]] constexpr be32 wire() const noexcept { return be32{value}; }
    [[nodiscard]] constexpr bool is_multicast() const noexcept { return (value >> 28) == 0xe; }
    friend constexpr auto operator<=>(ip4_address, ip4_address) noexcept = default;
};

[[nodiscard]] constexpr ip4_address from_wire(be32 address) noexcept
{
    return {address.host()};
}

// A network: bits beyond the length are zero. length is 0 to 32.
struct ip4_prefix {
    ip4_address network;
    uint8_t length = 0;

    [[nodiscard]] static constexpr uint32_t mask_of(uint8_t length) noexcept
    {
        return length == 0 ? 0 : ~uint32_t{0} << (32 - length);
    }
    [[nodiscard]] constexpr uint32_t mask() const noexcept { return mask_of(length); }
    [[nodiscard]] constexpr bool contains(ip4_address a) const noexcept
    {
        return (a.value & mask()) == network.value;
    }
    [[nodiscard]] constexpr bool contains(const ip4_prefix& p) const noexcept
    {
        return p.length >= length && contains(p.network);
    }
    [[nodiscard]] constexpr ip4_address last() const noexcept { return {network.value | ~mask()}; }
    friend constexpr auto operator<=>(const ip4_prefix&, const ip4_prefix&) noexcept = default;
};

// An address on an interface together with its network's length: 10.0.0.1/24.
struct ip4_interface_address {
    ip4_address address;
    uint8_t length = 0;

    [[nodiscard]] constexpr ip4_prefix network() const noexcept
    {
        return {{address.value & ip4_prefix::mask_of(length)}, length};
    }
    friend constexpr auto operator<=>(const ip4_interface_address&,
                                      const ip4_interface_address&) noexcept = default;
};

// The text forms; parsing refuses anything but the exact form and says what it found.
// ip4_prefix wants zero host bits ("10.0.0.1/24" is an error that proposes 10.0.0.0/24).
[[nodiscard]] std::string to_string(const mac_address&);
[[nodiscard]] std::string to_string(ip4_address);
[[nodiscard]] std::string to_string(const ip4_prefix&);
[[nodiscard]] std::string to_string(const ip4_interface_address&);

template <class T>
[[nodiscard]] result<T> parse(std::string_view text);
template <>
result<mac_address> parse<mac_address>(std::string_view text);
template <>
result<ip4_address> parse<ip4_address>(std::string_view text);
template <>
result<ip4_prefix> parse<ip4_prefix>(std::string_view text);
template <>
result<ip4_interface_address> parse<ip4_interface_address>(std::string_view text);

} // namespace weft::net

template <>
struct std::hash<weft::net::ip4_address> {
    size_t operator()(weft::net::ip4_address a) const noexcept
    {
        return a.value * 0x9e3779b97f4a7c15u;
    }
};
