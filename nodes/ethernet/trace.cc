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
    else if (header->type == net::ether_type::vlan)
        type = "802.1Q";
    return fmt::format("{}: {} -> {}, {} bytes", type, net::to_string(header->source),
                       net::to_string(header->destination), record.length);
}

} // namespace weft::ethernet
