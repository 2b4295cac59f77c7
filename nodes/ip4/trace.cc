// SPDX-License-Identifier: Apache-2.0
// IPv4 in packet traces.
#include "nodes/ip4/trace.hh"

#include "base/net/checksum.hh"
#include "base/net/headers.hh"
#include "nodes/interface/frame_trace.hh"

#include <fmt/format.h>

namespace weft::ip4 {

namespace {

std::string protocol_name(uint8_t protocol)
{
    switch (protocol) {
    case net::ip_protocol::icmp:
        return "ICMP";
    case net::ip_protocol::tcp:
        return "TCP";
    case net::ip_protocol::udp:
        return "UDP";
    default:
        return fmt::format("protocol {}", protocol);
    }
}

std::string ports_of(const trace_record& record, const net::ip4_header& header)
{
    const size_t at = record.metadata.l3_offset + header.header_bytes();
    if (header.fragment_offset() != 0)
        return fmt::format("\n  fragment offset {}", header.fragment_offset() * 8);
    if (header.protocol == net::ip_protocol::icmp) {
        const auto* icmp = record.header<net::icmp4_header>(at);
        return icmp == nullptr ? ""
                               : fmt::format("\n  ICMP type {} code {}", icmp->type, icmp->code);
    }
    const auto* ports = record.header<net::port_pair>(at);
    const bool has_ports =
        header.protocol == net::ip_protocol::tcp || header.protocol == net::ip_protocol::udp;
    if (!has_ports || ports == nullptr)
        return "";
    return fmt::format("\n  {}: {} -> {}", protocol_name(header.protocol), ports->source.host(),
                       ports->destination.host());
}

} // namespace

std::string trace_header(const trace_record& record)
{
    const auto* header = record.network<net::ip4_header>();
    if (header == nullptr)
        return fmt::format("{} bytes, no IPv4 header", record.length);
    const bool whole = header->header_bytes() >= sizeof(net::ip4_header) &&
                       record.metadata.l3_offset + header->header_bytes() <= record.captured;
    const char* checksum = !whole                                             ? "truncated"
                           : net::checksum_ok(header, header->header_bytes()) ? "correct"
                                                                              : "wrong";
    return fmt::format("{}: {} -> {}\n  version {}, header length {}, tos 0x{:02x}, ttl {}, length "
                       "{}, checksum 0x{:04x} ({}){}",
                       protocol_name(header->protocol), to_string(net::from_wire(header->source)),
                       to_string(net::from_wire(header->destination)), header->version(),
                       header->header_bytes(), header->tos, header->ttl,
                       header->total_length.host(), header->checksum.host(), checksum,
                       ports_of(record, *header));
}

std::string trace_lookup(const trace_record& record)
{
    return fmt::format("adjacency {}\n{}", record.metadata.adjacency, trace_header(record));
}

std::string trace_rewrite(const trace_record& record)
{
    return fmt::format("adjacency {}, {}\n{}", record.metadata.adjacency, frame_text(record),
                       trace_header(record));
}

std::string trace_icmp(const trace_record& record)
{
    return fmt::format("type {} code {}\n{}", record.note.error_type, record.note.error_code,
                       trace_header(record));
}

} // namespace weft::ip4
