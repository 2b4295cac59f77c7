// SPDX-License-Identifier: Apache-2.0
// Headers as they lie on the wire.
#pragma once

#include "base/net/address.hh"
#include "base/net/byte_order.hh"

#include <cstdint>

namespace weft::net {

// IEEE 802.3
struct ethernet_header {
    mac_address destination;
    mac_address source;
    be16 type;
};
static_assert(sizeof(ethernet_header) == 14 && alignof(ethernet_header) == 1);

namespace ether_type {
inline constexpr be16 ip4{0x0800};
inline constexpr be16 arp{0x0806};
inline constexpr be16 ip6{0x86dd};
inline constexpr be16 vlan{0x8100};         // a vlan_tag follows
inline constexpr be16 service_vlan{0x88a8}; // the same of IEEE 802.1ad

[[nodiscard]] constexpr bool is_tag(be16 type) noexcept
{
    return type == vlan || type == service_vlan;
}
[[nodiscard]] constexpr be16 of(family f) noexcept
{
    return f == family::ip4 ? ip4 : ip6;
}
} // namespace ether_type

// IEEE 802.1Q section 9.6: what stands between the addresses and the EtherType, behind 0x8100 or
// 0x88a8.
struct vlan_tag {
    be16 control; // priority, drop eligible, VLAN identifier
    be16 type;

    // 0: no VLAN, only a priority.
    [[nodiscard]] uint16_t vlan() const noexcept { return control.host() & 0xfff; }
};
static_assert(sizeof(vlan_tag) == 4 && alignof(vlan_tag) == 1);

// RFC 826, for Ethernet and IPv4
struct arp_header {
    be16 hardware_type;
    be16 protocol_type;
    uint8_t hardware_length;
    uint8_t protocol_length;
    be16 operation;
    mac_address sender_mac;
    be32 sender_ip;
    mac_address target_mac;
    be32 target_ip;
};
static_assert(sizeof(arp_header) == 28 && alignof(arp_header) == 1);

namespace arp_operation {
inline constexpr be16 request{1};
inline constexpr be16 reply{2};
} // namespace arp_operation
inline constexpr be16 arp_hardware_ethernet{1};

// RFC 791 section 3.1
struct ip4_header {
    uint8_t version_ihl;
    uint8_t tos;
    be16 total_length;
    be16 id;
    be16 flags_fragment;
    uint8_t ttl;
    uint8_t protocol;
    be16 checksum;
    be32 source;
    be32 destination;

    [[nodiscard]] uint8_t version() const noexcept { return version_ihl >> 4; }
    [[nodiscard]] uint8_t header_bytes() const noexcept
    {
        return static_cast<uint8_t>((version_ihl & 0xf) * 4);
    }
    [[nodiscard]] bool dont_fragment() const noexcept
    {
        return (flags_fragment.host() & 0x4000) != 0;
    }
    // More fragments follow, or this is not the first.
    [[nodiscard]] bool is_fragment() const noexcept
    {
        return (flags_fragment.host() & 0x3fff) != 0;
    }
    [[nodiscard]] uint16_t fragment_offset() const noexcept
    {
        return flags_fragment.host() & 0x1fff;
    }
};
static_assert(sizeof(ip4_header) == 20 && alignof(ip4_header) == 1);

namespace ip_protocol {
inline constexpr uint8_t icmp = 1;
inline constexpr uint8_t tcp = 6;
inline constexpr uint8_t udp = 17;
} // namespace ip_protocol

// RFC 792
struct icmp4_header {
    uint8_t type;
    uint8_t code;
    be16 checksum;
    be16 id;       // of an echo; the pointer of a parameter problem in the high byte; else zero
    be16 sequence; // of an echo; the MTU of type 3 code 4 (RFC 1191)
};
static_assert(sizeof(icmp4_header) == 8 && alignof(icmp4_header) == 1);

namespace icmp4 {
inline constexpr uint8_t echo_reply = 0;
inline constexpr uint8_t unreachable = 3;
inline constexpr uint8_t source_quench = 4;
inline constexpr uint8_t redirect = 5;
inline constexpr uint8_t echo_request = 8;
inline constexpr uint8_t time_exceeded = 11;
inline constexpr uint8_t parameter_problem = 12;

inline constexpr uint8_t net_unreachable = 0;
inline constexpr uint8_t host_unreachable = 1;
inline constexpr uint8_t protocol_unreachable = 2;
inline constexpr uint8_t port_unreachable = 3;
inline constexpr uint8_t fragmentation_needed = 4;
inline constexpr uint8_t source_route_failed = 5;
inline constexpr uint8_t communication_prohibited = 13; // RFC 1812 section 5.2.7.1

// Whether messages of this type are about another packet, whose beginning they quote behind their
// header.
[[nodiscard]] constexpr bool is_error(uint8_t type) noexcept
{
    return type == unreachable || type == source_quench || type == redirect ||
           type == time_exceeded || type == parameter_problem;
}
} // namespace icmp4

// The first bytes of TCP and UDP.
struct port_pair {
    be16 source;
    be16 destination;
};
static_assert(sizeof(port_pair) == 4 && alignof(port_pair) == 1);

} // namespace weft::net
