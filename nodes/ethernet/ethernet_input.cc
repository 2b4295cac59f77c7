// SPDX-License-Identifier: Apache-2.0
// ethernet-input: takes frames that are for this router and passes them on by EtherType.
#include "nodes/ethernet/ethernet_input.hh"

#include "graph/net/headers.hh"
#include "nodes/ethernet/trace.hh"

namespace weft::ethernet {

namespace input {

fate decide(const context& ctx, packet& p) noexcept
{
    if (p.contiguous() < sizeof(net::ethernet_header))
        return drop(too_short);
    packet_mark& mark = p.mark();
    const interface_hot& hot = ctx.interfaces.hot(mark.interface);
    if (!hot.admin_up.load(std::memory_order_relaxed))
        return drop(interface_down);
    const auto& header = p.header<net::ethernet_header>(0);
    // no branches: in traffic that is mixed nobody can foretell them
    const bool ours = header.destination == hot.mac;
    const bool group = header.destination.is_group();
    mark.flags |= !ours && group ? packet_mark::layer3_broadcast : 0;
    mark.l3_offset = sizeof(net::ethernet_header);
    fate to = drop(unknown_ethertype);
    to = header.type == net::ether_type::arp ? fate{to_arp_input} : to;
    to = header.type == net::ether_type::ip4 ? fate{to_ip4_input} : to;
    return ours || group ? to : drop(not_for_us);
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
    .nexts = {"ip4-input", "arp-input"},
    .reasons = {{"too_short", "the frame is shorter than an Ethernet header"},
                {"interface_down", "the interface is administratively down"},
                {"not_for_us", "the destination MAC address is another station's"},
                {"unknown_ethertype", "no node takes this EtherType", severity::info}},
    .context = context_of<context>(),
    .joined_later = true,
    .format_trace = trace_text,
}};

} // namespace

} // namespace weft::ethernet
