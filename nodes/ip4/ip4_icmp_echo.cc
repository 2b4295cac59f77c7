// SPDX-License-Identifier: Apache-2.0
// ip4-icmp-echo: answers ping (RFC 792; RFC 1122 section 3.2.2.6), turning the request itself into
// the reply.
#include "base/net/checksum.hh"
#include "base/net/headers.hh"
#include "graph/dispatch_table.hh"
#include "graph/node_run.hh"
#include "graph/packet_sum.hh"
#include "nodes/ip4/ip4_options.hh"
#include "nodes/ip4/trace.hh"

#include <utility>

namespace weft::ip4 {

namespace {

constexpr uint8_t reply_ttl = 64;

enum next : next_index { to_lookup };
enum reasons : uint16_t { too_short, bad_checksum, unhandled_type };

void turn_into_reply(packet& p, net::ip4_header& ip, net::icmp4_header& icmp) noexcept
{
    const auto word = [](uint8_t high, uint8_t low) {
        return net::be16{static_cast<uint16_t>(high << 8 | low)};
    };
    icmp.checksum = net::checksum_adjust(icmp.checksum, word(icmp.type, icmp.code),
                                         word(net::icmp4::echo_reply, icmp.code));
    // over zeros alone the sum is zero, not 0xffff as RFC 1624 takes it to be (section 3)
    if (icmp.checksum == net::be16{0})
        icmp.checksum = net::be16{0xffff};
    icmp.type = net::icmp4::echo_reply;
    std::swap(ip.source, ip.destination); // which leaves their sum as it was
    ip.checksum =
        net::checksum_adjust(ip.checksum, word(ip.ttl, ip.protocol), word(reply_ttl, ip.protocol));
    ip.checksum = net::checksum_adjust(ip.checksum, ip.flags_fragment, net::be16{0});
    ip.ttl = reply_ttl;
    ip.flags_fragment = net::be16{0};
    if (ip.header_bytes() > sizeof ip) [[unlikely]] {
        reverse_source_route(
            ip); // what else ip4-options has filled in goes back with it (RFC 1812 section 4.3.3.6)
        ip.checksum = net::be16{0};
        ip.checksum = net::checksum_of(&ip, ip.header_bytes());
    }
    p.metadata().flags |= packet_metadata::locally_made;
}

verdict decide(packet& p) noexcept
{
    auto& ip = p.network<net::ip4_header>();
    const uint32_t offset = p.metadata().l3_offset;
    const uint32_t total = ip.total_length.host();
    const uint32_t icmp_bytes = total - ip.header_bytes();
    if (icmp_bytes < sizeof(net::icmp4_header) ||
        p.contiguous() < offset + ip.header_bytes() + sizeof(net::icmp4_header))
        return drop(too_short);
    auto& icmp = p.header<net::icmp4_header>(offset + ip.header_bytes());
    if (sum_of(p, offset + ip.header_bytes(), icmp_bytes) != 0xffff)
        return drop(bad_checksum);
    if (icmp.type != net::icmp4::echo_request)
        return drop(unhandled_type);
    turn_into_reply(p, ip, icmp);
    return to_lookup;
}

void ip4_icmp_echo(node_run& run, frame& in) noexcept
{
    run.each(in, [](packet& p) noexcept { return decide(p); });
}

const node_registration registration{{
    .name = "ip4-icmp-echo",
    .function = ip4_icmp_echo,
    .nexts = {{to_lookup, "ip4-lookup"}},
    .reasons = {{too_short, "too_short", "the message is shorter than an ICMP header"},
                {bad_checksum, "bad_checksum", "the ICMP checksum is wrong"},
                {unhandled_type, "unhandled_type", "an ICMP message that needs no reply",
                 severity::info}},
    .format_trace = trace_header,
}};

const dispatch_registration icmp{"ip4-protocol", net::ip_protocol::icmp, "ICMP", "ip4-icmp-echo"};

} // namespace

} // namespace weft::ip4
