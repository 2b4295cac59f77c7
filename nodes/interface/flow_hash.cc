// SPDX-License-Identifier: Apache-2.0
// The parts of the flow hash that few packets need.
#include "nodes/interface/flow_hash.hh"

namespace weft {

namespace {

constexpr uint64_t worker_seed =
    0x510e'527f'ade6'82d1; // of the choice among workers, which need not differ by router

} // namespace

// Steele, Lea and Flood's splitmix64: numbers that differ in one bit give seeds that differ in half
// of theirs.
uint64_t flow_seed(uint64_t number) noexcept
{
    uint64_t z = number + 0x9e37'79b9'7f4a'7c15;
    z = (z ^ z >> 30) * 0xbf58'476d'1ce4'e5b9;
    z = (z ^ z >> 27) * 0x94d0'49bb'1331'11eb;
    return z ^ z >> 31;
}

flow_key icmp_flow(const packet& p, const net::ip4_header& header, size_t offset) noexcept
{
    const flow_key own{header.source, header.destination, {}, header.protocol};
    const size_t icmp = offset + header.header_bytes(), at = icmp + sizeof(net::icmp4_header);
    if (header.is_fragment() || p.contiguous() < at + sizeof(net::ip4_header) ||
        !net::icmp4::is_error(p.header<net::icmp4_header>(icmp).type))
        return own;
    const auto& quoted = p.header<net::ip4_header>(at);
    if (quoted.version() != 4 || quoted.header_bytes() < sizeof(net::ip4_header))
        return own;
    flow_key about{quoted.source, quoted.destination, {}, quoted.protocol};
    const size_t ports = at + quoted.header_bytes();
    if (has_ports(quoted.protocol) && !quoted.is_fragment() &&
        p.contiguous() >= ports + sizeof(net::port_pair))
        about.ports = p.header<net::port_pair>(ports);
    return about.reversed();
}

uint32_t frame_hash(const packet& p) noexcept
{
    constexpr size_t link = sizeof(net::ethernet_header);
    constexpr int max_tags = 2;
    if (p.contiguous() < link)
        return 0;
    const auto& frame = p.header<net::ethernet_header>(0);
    size_t at = link;
    auto type = frame.type;
    for (int tags = 0; tags < max_tags && net::ether_type::is_tag(type) &&
                       p.contiguous() >= at + sizeof(net::vlan_tag);
         ++tags, at += sizeof(net::vlan_tag))
        type = p.header<net::vlan_tag>(at).type;
    if (type == net::ether_type::ip4 && p.contiguous() >= at + sizeof(net::ip4_header))
        return flow_of(p, p.header<net::ip4_header>(at), at).hash(worker_seed);
    uint64_t stations[2] = {};
    std::memcpy(stations, &frame, link);
    return fold_hash(stations[0] ^ stations[1] * 0x9e37'79b9'7f4a'7c15u);
}

} // namespace weft
