// SPDX-License-Identifier: Apache-2.0
// ip4-input: validates IPv4 packets as RFC 1812 section 5.2.2 asks, before anything trusts them.
#include "nodes/ip4/ip4_input.hh"

#include "base/net/checksum.hh"
#include "base/net/headers.hh"
#include "graph/dispatch_table.hh"
#include "graph/packet_cut.hh"
#include "nodes/ip4/trace.hh"

namespace weft::ip4 {

namespace input {

namespace {

// Sources that no packet on a wire may have (RFC 1812 section 5.3.7; 0.0.0.0/8 per RFC 1122
// section 3.2.1.3).
bool is_martian(net::ip4_address a) noexcept
{
    const uint32_t top = a.value >> 24;
    return top == 0 || top == 127 || top >= 224;
}

// The TTL matters for forwarding only (RFC 1812 section 5.3.1): a packet to this router is taken
// with any, and one to where nothing is forwarded is dropped for that.
verdict expire(node_run& run, const vrf_view& vrf, packet& p, verdict onward) noexcept
{
    const auto route = vrf.table.lookup(net::from_wire(p.network<net::ip4_header>().destination));
    if (route == forwarding::special(adjacency_kind::local) || is_no_host(route))
        return onward;
    run.count(ttl_expired);
    p.note().error_type = net::icmp4::time_exceeded;
    p.note().error_code = 0;
    return to_icmp_error;
}

// A first fragment whose TCP flags come with a later one, or one that would write over them, shows
// a filter another packet than the receiver (RFC 1858 section 3, RFC 3128). No path has an MTU that
// makes one.
bool is_tcp_fragment_attack(const net::ip4_header& header) noexcept
{
    constexpr uint16_t least = 16; // bytes of TCP's header: up to its window
    if (header.protocol != net::ip_protocol::tcp || !header.is_fragment())
        return false;
    const bool first = header.fragment_offset() == 0;
    return header.fragment_offset() == 1 ||
           (first && header.total_length.host() - header.header_bytes() < least);
}

} // namespace

verdict decide(node_run& run, const tables& ip4, packet& p) noexcept
{
    const uint32_t offset = p.metadata().l3_offset;
    if (p.contiguous() < offset + sizeof(net::ip4_header))
        return drop(too_short);
    const auto& header = p.network<net::ip4_header>();
    if (header.version() != 4)
        return drop(bad_version);
    const uint32_t header_bytes = header.header_bytes();
    if (header_bytes < sizeof(net::ip4_header) || p.contiguous() < offset + header_bytes)
        return drop(bad_header_length);
    const uint32_t total = header.total_length.host();
    if (total < header_bytes || offset + total > p.length())
        return drop(bad_total_length);
    if (!net::checksum_ok(&header, header_bytes))
        return drop(bad_checksum);
    // what is behind the packet nobody sent: padding, or what was left in a sender's buffer
    if (offset + total < p.length())
        cut(p, offset + total);
    const auto source = net::from_wire(header.source);
    const auto destination = net::from_wire(header.destination);
    const vrf_view& vrf = ip4.view_of(p.metadata().interface);
    const own_addresses& own = vrf.own;
    if (is_martian(source) || own.is_broadcast(source))
        return drop(martian_source);
    if (own.contains(source))
        return drop(own_source);
    // RFC 1812 section 5.3.4: what came as a link-layer broadcast is not forwarded
    if ((p.metadata().flags & packet_metadata::layer3_broadcast) != 0 &&
        destination.value >> 28 < 0xe)
        return drop(link_broadcast);
    if (is_tcp_fragment_attack(header))
        return drop(tcp_fragment);
    const verdict onward = header_bytes == sizeof(net::ip4_header) ? to_lookup : to_options;
    if (header.ttl <= 1) [[unlikely]]
        return expire(run, vrf, p, onward);
    return onward;
}

} // namespace input

namespace {

using input::context;

void ip4_input(node_run& run, frame& in) noexcept
{
    const tables& ip4 = run.context<context>().ip4;
    run.each(in, [&](packet& p) noexcept { return input::decide(run, ip4, p); });
}

const node_registration registration{{
    .name = "ip4-input",
    .function = ip4_input,
    .nexts = {{input::to_lookup, "ip4-lookup"},
              {input::to_icmp_error, "ip4-icmp-error"},
              {input::to_options, "ip4-options"}},
    .reasons = {{input::too_short, "too_short", "the frame is shorter than an IPv4 header"},
                {input::bad_version, "bad_version", "the version is not 4"},
                {input::bad_header_length, "bad_header_length",
                 "the header length is below 20 or exceeds the frame"},
                {input::bad_total_length, "bad_total_length",
                 "the total length is below the header length or exceeds the frame"},
                {input::bad_checksum, "bad_checksum", "the header checksum is wrong"},
                {input::ttl_expired, "ttl_expired",
                 "the time to live expired before the packet could be forwarded"},
                {input::martian_source, "martian_source",
                 "the source is not a unicast host address"},
                {input::own_source, "own_source",
                 "the source is one of this router's own addresses"},
                {input::link_broadcast, "link_broadcast",
                 "a unicast packet in a link-layer broadcast frame"},
                {input::tcp_fragment, "tcp_fragment",
                 "a TCP fragment that hides the TCP flags from filters (RFC 1858, RFC 3128)"}},
    .context = context_of<context>(),
    .format_trace = trace_header,
}};

const dispatch_registration ether_type{"ethertype", net::ether_type::ip4.host(), "IP4",
                                       "ip4-input"};

} // namespace

} // namespace weft::ip4
