// SPDX-License-Identifier: Apache-2.0
// Ethernet headers in packet traces.
#include "nodes/ethernet/trace.hh"

#include "base/net/headers.hh"

#include <fmt/format.h>

namespace weft::ethernet {

std::string trace_text(const trace_record& record)
{
    const auto* header = record.header<net::ethernet_header>(0);
    if (header == nullptr)
        return fmt::format("{} bytes, no Ethernet header", record.length);
    std::string type = fmt::format("0x{:04x}", header->type.host());
    if (header->type == net::ether_type::ip4)
        type = "IP4";
    else if (header->type == net::ether_type::arp)
        type = "ARP";
    else if (net::ether_type::is_tag(header->type))
        type = header->type == net::ether_type::vlan ? "802.1Q" : "802.1ad";
    if (const auto* tag = record.header<net::vlan_tag>(sizeof *header);
        tag != nullptr && net::ether_type::is_tag(header->type))
        type += fmt::format(" VLAN {}", tag->vlan());
    return fmt::format("{}: {} -> {}, {} bytes", type, net::to_string(header->source),
                       net::to_string(header->destination), record.length);
}

} // namespace weft::ethernet
