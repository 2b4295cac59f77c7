// SPDX-License-Identifier: Apache-2.0
// MAC, IPv4 and IPv6 addresses and IPv4 prefixes: values, text forms and their parsers.
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
    // Whether its first and last address are no host's: the network's own and its broadcast
    // address. All are hosts' where there are two (RFC 3021), or one.
    [[nodiscard]] constexpr bool has_ends() const noexcept { return length < 31; }
    [[nodiscard]] constexpr bool is_end(ip4_address a) const noexcept
    {
        return has_ends() && (a == network || a == last());
    }
    // Whether a host of this network may have the address.
    [[nodiscard]] constexpr bool has_host(ip4_address a) const noexcept
    {
        return contains(a) && !is_end(a);
    }
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

// An IPv6 address in host byte order, like ip4_address.
struct ip6_address {
    uint64_t high = 0; // the first eight bytes
    uint64_t low = 0;

    using bytes = std::array<uint8_t, 16>; // as on the wire
    [[nodiscard]] static constexpr ip6_address from_wire(const bytes& wire) noexcept
    {
        ip6_address a;
        for (size_t i = 0; i < 8; ++i) {
            a.high = a.high << 8 | wire[i];
            a.low = a.low << 8 | wire[i + 8];
        }
        return a;
    }
    [[nodiscard]] constexpr bytes wire() const noexcept
    {
        bytes out{};
        for (size_t i = 0; i < 8; ++i) {
            out[i] = static_cast<uint8_t>(high >> (56 - 8 * i));
            out[i + 8] = static_cast<uint8_t>(low >> (56 - 8 * i));
        }
        return out;
    }
    [[nodiscard]] constexpr bool is_multicast() const noexcept { return high >> 56 == 0xff; }
    // fe80::/10 (RFC 4291 section 2.5.6)
    [[nodiscard]] constexpr bool is_link_local() const noexcept { return high >> 54 == 0x3fa; }
    // ::ffff:0:0/96, an IPv4 address in IPv6's form (RFC 4291 section 2.5.5.2)
    [[nodiscard]] constexpr bool is_mapped() const noexcept
    {
        return high == 0 && low >> 32 == 0xffff;
    }
    friend constexpr auto operator<=>(const ip6_address&, const ip6_address&) noexcept = default;
};

enum class family : uint8_t { ip4, ip6 };

// An address of either family in 16 bytes: an IPv4 address as IPv6 maps it, which no IPv6 packet
// carries. Within a family the order is the addresses' own.
class ip_address {
public:
    constexpr ip_address() noexcept : ip_address{ip4_address{}} {}
    constexpr ip_address(ip4_address a) noexcept : bits_{0, mapped | a.value} {}
    constexpr ip_address(const ip6_address& a) noexcept : bits_{a} {} // not a mapped one

    // 0.0.0.0 or ::
    [[nodiscard]] static constexpr ip_address none(family f) noexcept
    {
        return f == family::ip4 ? ip_address{ip4_address{}} : ip_address{ip6_address{}};
    }
    // No address comes before it.
    [[nodiscard]] static constexpr ip_address lowest() noexcept { return none(family::ip6); }
    [[nodiscard]] constexpr family of() const noexcept
    {
        return bits_.is_mapped() ? family::ip4 : family::ip6;
    }
    [[nodiscard]] constexpr bool is_none() const noexcept
    {
        return bits_.high == 0 && (bits_.low == mapped || bits_.low == 0);
    }
    [[nodiscard]] constexpr bool is_ip4() const noexcept { return of() == family::ip4; }
    // Of the family that it is of.
    [[nodiscard]] constexpr ip4_address ip4() const noexcept
    {
        return {static_cast<uint32_t>(bits_.low)};
    }
    [[nodiscard]] constexpr const ip6_address& ip6() const noexcept { return bits_; }
    friend constexpr auto operator<=>(const ip_address&, const ip_address&) noexcept = default;

private:
    static constexpr uint64_t mapped = 0xffff'0000'0000;
    ip6_address bits_;
};
static_assert(sizeof(ip_address) == 16);

// The text forms; parsing refuses anything but the exact form and says what it found.
// ip4_prefix wants zero host bits ("10.0.0.1/24" is an error that proposes 10.0.0.0/24). IPv6
// addresses are taken in each form of RFC 4291 section 2.2, but without a zone; an ip_address is no
// mapped one, which would be another way to write an IPv4 address.
[[nodiscard]] std::string to_string(const mac_address&);
[[nodiscard]] std::string to_string(ip4_address);
[[nodiscard]] std::string to_string(const ip6_address&); // RFC 5952
[[nodiscard]] std::string to_string(const ip_address&);
[[nodiscard]] std::string_view to_string(family) noexcept; // "IPv4"
[[nodiscard]] std::string to_string(const ip4_prefix&);
[[nodiscard]] std::string to_string(const ip4_interface_address&);

template <class T>
[[nodiscard]] result<T> parse(std::string_view text);
template <>
result<mac_address> parse<mac_address>(std::string_view text);
template <>
result<ip4_address> parse<ip4_address>(std::string_view text);
template <>
result<ip6_address> parse<ip6_address>(std::string_view text);
template <>
result<ip_address> parse<ip_address>(std::string_view text);
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
template <>
struct std::hash<weft::net::ip_address> {
    size_t operator()(const weft::net::ip_address& a) const noexcept
    {
        return (a.ip6().high * 0x9e3779b97f4a7c15u ^ a.ip6().low) * 0x9e3779b97f4a7c15u;
    }
};
