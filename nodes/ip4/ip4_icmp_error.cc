// SPDX-License-Identifier: Apache-2.0
// ip4-icmp-error: turns a packet that cannot be forwarded into the ICMP message that says so (RFC 1812 section 4.3).
#include "graph/net/checksum.hh"
#include "graph/net/headers.hh"
#include "graph/node_run.hh"
#include "nodes/ip4/ip4.hh"
#include "nodes/ip4/trace.hh"

#include <algorithm>
#include <rte_cycles.h>

namespace weft::ip4 {

namespace {

constexpr uint32_t messages_per_second = 1000; // on each thread (RFC 1812 section 4.3.2.8)
constexpr uint32_t burst = 100;
constexpr uint32_t largest_message = 576; // RFC 1812 section 4.3.2.3
constexpr uint32_t added = sizeof(net::ip4_header) + sizeof(net::icmp4_header);
constexpr uint8_t message_ttl = 64;
constexpr uint8_t internetwork_control = 0xc0; // precedence 6 (RFC 1812 section 4.3.2.5)

enum next : fate { to_lookup };
enum reasons : uint16_t { not_eligible, rate_limited, no_source, no_room };

struct context {
    explicit context(const node_setup& setup)
        : ip4{setup.host.room<tables>()}, interval{rte_get_tsc_hz() / messages_per_second}
    {
    }
    // A token bucket in units of time: a message costs one interval of the past.
    bool take_token(uint64_t now) noexcept
    {
        credit_from = std::max(credit_from, now - burst * interval);
        if (now - credit_from < interval)
            return false;
        credit_from += interval;
        return true;
    }
    const tables& ip4;
    const uint64_t interval;
    uint64_t credit_from = 0;
};

bool is_error(uint8_t type) noexcept
{
    return type == net::icmp4::unreachable || type == net::icmp4::source_quench ||
           type == net::icmp4::redirect || type == net::icmp4::time_exceeded ||
           type == net::icmp4::parameter_problem;
}

// No message about an ICMP error, a broadcast, a later fragment, or what this router made
// (RFC 1812 section 4.3.2.7).
bool eligible(const tables& ip4, const packet& p, const net::ip4_header& header) noexcept
{
    constexpr uint8_t never = packet_mark::locally_made | packet_mark::layer3_broadcast;
    if ((p.mark().flags & never) != 0 || header.fragment_offset() != 0)
        return false;
    const auto destination = net::from_wire(header.destination);
    if (destination.value >> 28 >= 0xe ||
        ip4.table().lookup(destination) == forwarding::special(adjacency_kind::broadcast))
        return false;
    if (header.protocol != net::ip_protocol::icmp)
        return true;
    const size_t at = p.mark().l3_offset + header.header_bytes();
    return p.contiguous() > at && !is_error(p.header<net::icmp4_header>(at).type);
}

// Puts both headers in front of the packet's own, and cuts it to what a message may quote.
void wrap(packet& p, net::ip4_address source) noexcept
{
    const uint32_t offset = p.mark().l3_offset;
    const auto original = p.network<net::ip4_header>();
    const uint32_t quoted = std::min({uint32_t{original.total_length.host()},
                                      uint32_t{p.contiguous()} - offset, largest_message - added});
    rte_mbuf* mbuf = p.mbuf();
    if (mbuf->next != nullptr) {
        rte_pktmbuf_free(mbuf->next);
        mbuf->next = nullptr;
        mbuf->nb_segs = 1;
    }
    mbuf->data_off = static_cast<uint16_t>(mbuf->data_off - added);
    mbuf->data_len = static_cast<uint16_t>(offset + added + quoted);
    mbuf->pkt_len = mbuf->data_len;

    auto& icmp = p.header<net::icmp4_header>(offset + sizeof(net::ip4_header));
    icmp = {p.note().icmp_type, p.note().icmp_code, net::be16{0}, net::be16{0},
            net::be16{p.note().icmp_mtu}};
    icmp.checksum = net::checksum_of(&icmp, sizeof icmp + quoted);
    auto& ip = p.network<net::ip4_header>();
    ip = {0x45, internetwork_control, net::be16{static_cast<uint16_t>(added + quoted)},
          net::be16{0}, net::be16{0}, message_ttl, net::ip_protocol::icmp, net::be16{0},
          source.wire(), original.source};
    ip.checksum = net::checksum_of(&ip, sizeof ip);
}

fate decide(context& ctx, packet& p, uint64_t now) noexcept
{
    const auto& header = p.network<net::ip4_header>();
    if (!eligible(ctx.ip4, p, header))
        return drop(not_eligible);
    if (rte_pktmbuf_headroom(p.mbuf()) < added)
        return drop(no_room);
    const auto source =
        ctx.ip4.own().source_for(net::from_wire(header.source), p.mark().interface);
    if (source.value == 0)
        return drop(no_source);
    if (!ctx.take_token(now))
        return drop(rate_limited);
    if (p.note().icmp_code != net::icmp4::fragmentation_needed ||
        p.note().icmp_type != net::icmp4::unreachable)
        p.note().icmp_mtu = 0;
    wrap(p, source);
    p.mark().flags |= packet_mark::locally_made;
    return to_lookup;
}

void ip4_icmp_error(node_run& run, frame& in) noexcept
{
    auto& ctx = run.context<context>();
    const uint64_t now = run.thread().time();
    run.each(in, [&](packet& p) noexcept { return decide(ctx, p, now); });
}

const node_registration registration{{
    .name = "ip4-icmp-error",
    .function = ip4_icmp_error,
    .nexts = {"ip4-lookup"},
    .reasons = {{"not_eligible", "no message is sent about such a packet", severity::info},
                {"rate_limited", "more messages than the limit", severity::warning},
                {"no_source", "the interface has no address to send a message from"},
                {"no_room", "the buffer has no room for two more headers"}},
    .context = context_of<context>(),
    .format_trace = trace_icmp,
}};

} // namespace

} // namespace weft::ip4
