// SPDX-License-Identifier: Apache-2.0
// ethernet-input: takes frames that are for this router and passes them on by EtherType, without
// their priority tags.
#include "nodes/ethernet/ethernet_input.hh"

#include "base/net/headers.hh"
#include "nodes/ethernet/trace.hh"

#include <cstring>

namespace weft::ethernet {

namespace input {

namespace {

// no branches: in traffic that is mixed nobody can foretell them
verdict verdict_of(net::be16 type) noexcept
{
    verdict to = drop(unknown_ethertype);
    to = type == net::ether_type::arp ? verdict{to_arp_input} : to;
    to = type == net::ether_type::ip4 ? verdict{to_ip4_input} : to;
    return to;
}

// A tag of VLAN 0 is a priority and nothing else (IEEE 802.1Q section 6.9): the addresses move over
// it, so that behind this node no frame has a tag.
verdict untag(packet& p) noexcept
{
    constexpr size_t addresses = offsetof(net::ethernet_header, type);
    if (p.contiguous() < sizeof(net::ethernet_header) + sizeof(net::vlan_tag))
        return drop(too_short);
    const auto& tag = p.header<net::vlan_tag>(sizeof(net::ethernet_header));
    if (tag.vlan() != 0 || tag.type == net::ether_type::vlan)
        return drop(unknown_vlan);
    std::memmove(p.data() + sizeof tag, p.data(), addresses);
    rte_pktmbuf_adj(p.mbuf(), sizeof tag);
    return verdict_of(p.header<net::ethernet_header>(0).type);
}

} // namespace

verdict decide(const context& ctx, packet& p) noexcept
{
    if (p.contiguous() < sizeof(net::ethernet_header))
        return drop(too_short);
    packet_metadata& metadata = p.metadata();
    const interface_hot& hot = ctx.interfaces.hot(metadata.interface);
    if (!hot.admin_up.load(std::memory_order_relaxed))
        return drop(interface_down);
    const auto& header = p.header<net::ethernet_header>(0);
    const bool ours = header.destination == hot.mac;
    const bool group = header.destination.is_group();
    metadata.flags |= !ours && group ? packet_metadata::layer3_broadcast : 0;
    metadata.l3_offset = sizeof(net::ethernet_header);
    if (header.type == net::ether_type::vlan && (ours || group)) [[unlikely]]
        return untag(p);
    return ours || group ? verdict_of(header.type) : drop(not_for_us);
}

} // namespace input

namespace {

using input::context;

void ethernet_input(node_run& run, frame& in) noexcept
{
    const auto& ctx = run.context<context>();
    for (packet* p : in.all())
        rte_prefetch0(p->data());
    run.each(in, [&](packet& p) noexcept { return input::decide(ctx, p); });
}

const node_registration registration{{
    .name = "ethernet-input",
    .function = ethernet_input,
    .nexts = {{input::to_ip4_input, "ip4-input"}, {input::to_arp_input, "arp-input"}},
    .reasons = {{input::too_short, "too_short", "the frame is shorter than an Ethernet header"},
                {input::interface_down, "interface_down", "the interface is administratively down"},
                {input::not_for_us, "not_for_us",
                 "the destination MAC address is another station's"},
                {input::unknown_ethertype, "unknown_ethertype", "no node takes this EtherType",
                 severity::info},
                {input::unknown_vlan, "unknown_vlan",
                 "the frame has the tag of a VLAN, and the interface takes none", severity::info}},
    .context = context_of<context>(),
    .joined_later = true,
    .format_trace = trace_text,
}};

} // namespace

} // namespace weft::ethernet
