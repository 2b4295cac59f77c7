// SPDX-License-Identifier: Apache-2.0
// Ethernet headers in packet traces.
#include "nodes/interface/frame_trace.hh"

#include "base/net/headers.hh"
#include "graph/dispatch_table.hh"

#include <fmt/format.h>

namespace weft {

std::string frame_text(const trace_record& record)
{
    const auto* header = record.header<net::ethernet_header>(0);
    if (header == nullptr)
        return fmt::format("{} bytes, no Ethernet header", record.length);
    constexpr std::string_view table = "ethertype";
    std::string type{dispatch_key_name(table, header->type.host())};
    if (type.empty())
        type = dispatch_key_text(table, header->type.host());
    if (const auto* tag = record.header<net::vlan_tag>(sizeof *header);
        tag != nullptr && net::ether_type::is_tag(header->type))
        type += fmt::format(" VLAN {}", tag->vlan());
    return fmt::format("{}: {} -> {}, {} bytes", type, net::to_string(header->source),
                       net::to_string(header->destination), record.length);
}

} // namespace weft
