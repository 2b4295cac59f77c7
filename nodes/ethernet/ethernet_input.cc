// SPDX-License-Identifier: Apache-2.0
// ethernet-input: takes frames that are for this router, finds the sub-interface of those with a
// VLAN's tag, and passes them on by EtherType, without priority tags.
#include "nodes/ethernet/ethernet_input.hh"

#include "nodes/interface/frame_trace.hh"

#include <cstring>

namespace weft::ethernet {

namespace input {

namespace {

// What is not taken from everyone: from an interface that is down, and IPv4 where that is off.
verdict admit(const interface_hot& hot, net::be16 type, verdict to) noexcept
{
    if (!hot.admin_up.load(std::memory_order_relaxed))
        return drop(interface_down);
    if (to.is_next() && type == net::ether_type::ip4 && hot.ip4_off.load(std::memory_order_relaxed))
        return drop(ip4_off);
    return to;
}

// A tag of VLAN 0 is a priority and nothing else (IEEE 802.1Q section 6.9): what is before it moves
// over it, so that behind this node no frame has such a tag.
void take_off(packet& p, uint32_t at) noexcept
{
    constexpr uint32_t bytes = sizeof(net::vlan_tag);
    std::memmove(p.data() + bytes, p.data(), at - sizeof(net::be16));
    rte_pktmbuf_adj(p.mbuf(), bytes);
}

// Finds the sub-interface that a frame's tags stand for, one after the other; each level has been
// made by hand, so that they are few.
[[gnu::noinline]] verdict follow_tags(context& ctx, packet& p) noexcept
{
    packet_metadata& metadata = p.metadata();
    uint32_t at = sizeof(net::ethernet_header);
    net::be16 type = p.header<net::ethernet_header>(0).type;
    while (net::ether_type::is_tag(type)) {
        if (p.contiguous() < at + sizeof(net::vlan_tag))
            return drop(too_short);
        const auto tag = p.header<net::vlan_tag>(at);
        if (tag.vlan() == 0) {
            if (net::ether_type::is_tag(tag.type))
                return drop(unknown_vlan);
            take_off(p, at);
            type = tag.type;
            break;
        }
        const auto child = ctx.tags.find(metadata.interface, type, tag.vlan());
        if (child == no_interface)
            return drop(unknown_vlan);
        auto& counters = ctx.interfaces.counters(ctx.thread, child);
        counters.rx_packets.add(1);
        counters.rx_bytes.add(p.length());
        metadata.interface = child;
        at += sizeof(net::vlan_tag);
        type = tag.type;
        if (!ctx.interfaces.hot(child).admin_up.load(std::memory_order_relaxed))
            return drop(interface_down);
    }
    metadata.l3_offset = static_cast<uint8_t>(at);
    return admit(ctx.interfaces.hot(metadata.interface), type, ctx.types.of(type.host()));
}

} // namespace

verdict decide(context& ctx, packet& p) noexcept
{
    if (p.contiguous() < sizeof(net::ethernet_header))
        return drop(too_short);
    packet_metadata& metadata = p.metadata();
    const interface_hot& hot = ctx.interfaces.hot(metadata.interface);
    const auto& header = p.header<net::ethernet_header>(0);
    const bool ours = header.destination == hot.mac;
    const bool group = header.destination.is_group();
    metadata.flags |= !ours && group ? packet_metadata::layer3_broadcast : 0;
    metadata.l3_offset = sizeof(net::ethernet_header);
    // no branches: in traffic that is mixed nobody can foretell them
    const verdict by_type = ctx.types.of(header.type.host());
    verdict to = ours || group ? by_type : drop(not_for_us);
    if (!hot.usual.load(std::memory_order_relaxed) || to.is_drop()) [[unlikely]] {
        if (to == drop(not_for_us) && hot.has_secondary_mac(header.destination))
            to = by_type;
        const verdict admitted = admit(hot, header.type, to);
        return admitted == drop(unknown_ethertype) && net::ether_type::is_tag(header.type)
                   ? follow_tags(ctx, p)
                   : admitted;
    }
    return to;
}

} // namespace input

namespace {

using input::context;

void ethernet_input(node_run& run, frame& in) noexcept
{
    auto& ctx = run.context<context>();
    for (packet* p : in.all())
        rte_prefetch0(p->data());
    run.each(in, [&](packet& p) noexcept { return input::decide(ctx, p); });
}

const node_registration registration{{
    .name = "ethernet-input",
    .function = ethernet_input,
    .reasons = {{input::too_short, "too_short", "the frame is shorter than an Ethernet header"},
                {input::interface_down, "interface_down", "the interface is administratively down"},
                {input::not_for_us, "not_for_us",
                 "the destination MAC address is not this router's"},
                {input::unknown_ethertype, "unknown_ethertype", "no node handles this EtherType",
                 severity::info},
                {input::unknown_vlan, "unknown_vlan",
                 "no interface has the VLAN of the frame's tag", severity::info},
                {input::ip4_off, "ip4_off", "IPv4 is not enabled on the interface"}},
    .context = context_of<context>(),
    .joined_later = true,
    .format_trace = frame_text,
}};

// IEEE 802.3: what is below 0x0600 is a length.
const dispatch_table_registration types{{.name = ethertype_table,
                                         .node = "ethernet-input",
                                         .key = "EtherType",
                                         .lowest = 0x0600,
                                         .highest = 0xffff,
                                         .hex_digits = 4,
                                         .otherwise = drop(input::unknown_ethertype)}};
// Tags are looked into here.
const dispatch_registration vlan_tags{ethertype_table, net::ether_type::vlan.host(), "802.1Q",
                                      "ethernet-input"};
const dispatch_registration service_tags{ethertype_table, net::ether_type::service_vlan.host(),
                                         "802.1ad", "ethernet-input"};

} // namespace

} // namespace weft::ethernet
