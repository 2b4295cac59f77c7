// SPDX-License-Identifier: Apache-2.0
// ip4-icmp-error: turns a packet that cannot be forwarded into the ICMP message that says so (RFC
// 1812 section 4.3).
#include "base/net/checksum.hh"
#include "base/net/headers.hh"
#include "graph/node_run.hh"
#include "nodes/ip4/ip4.hh"
#include "nodes/ip4/ip4_icmp_limit.hh"
#include "nodes/ip4/ip4_lookup.hh"
#include "nodes/ip4/ip4_settings.hh"
#include "nodes/ip4/trace.hh"

#include <algorithm>
#include <random>
#include <rte_cycles.h>

namespace weft::ip4 {

namespace {

constexpr uint32_t max_message = 576; // RFC 1812 section 4.3.2.3
constexpr uint32_t added = sizeof(net::ip4_header) + sizeof(net::icmp4_header);
constexpr uint8_t message_ttl = 64;
constexpr uint8_t internetwork_control = 0xc0; // precedence 6 (RFC 1812 section 4.3.2.5)

enum next : next_index { to_lookup };
enum reasons : uint16_t { not_eligible, rate_limited, no_source, no_room };

struct context {
    explicit context(const node_setup& setup)
        : ip4{setup.engine.module<tables>()},
          how{setup.engine.module<settings>()},
          limit{rte_get_tsc_hz(), std::random_device{}()}
    {}
    const tables& ip4;
    const settings& how;
    icmp_limit limit;
};

// No message about an ICMP error, what is for no one host, a later fragment, or what this router
// made (RFC 1812 section 4.3.2.7). Nor about what came from no one host, but that ip4-input has
// dropped.
bool eligible(const tables& ip4, const packet& p, const net::ip4_header& header) noexcept
{
    constexpr uint8_t never = packet_metadata::locally_made | packet_metadata::layer3_broadcast;
    if ((p.metadata().flags & never) != 0 || header.fragment_offset() != 0)
        return false;
    if (is_no_host(
            ip4.view_of(p.metadata().interface).table.lookup(net::from_wire(header.destination))))
        return false;
    if (header.protocol != net::ip_protocol::icmp)
        return true;
    const size_t at = p.metadata().l3_offset + header.header_bytes();
    return p.contiguous() > at && !net::icmp4::is_error(p.header<net::icmp4_header>(at).type);
}

// The adjacency by which a message about a packet leaves: ip4-lookup will find the same, for which
// the message belongs to the flow that answers the packet's.
const adjacency& way_back(const context& ctx, const packet& p, net::ip4_address sender) noexcept
{
    const uint64_t seed = ctx.how.flow_seed.load(std::memory_order_relaxed);
    const path way =
        lookup::pick(ctx.ip4, p.metadata().interface, sender, seed, flow_of(p).reversed());
    return ctx.ip4.hops().adjacency_at(way.adjacency());
}

// 0.0.0.0 if the router has no address.
net::ip4_address source_of(const context& ctx, const packet& p, net::ip4_address sender,
                           const adjacency& back) noexcept
{
    const own_addresses& own = ctx.ip4.view_of(p.metadata().interface).own;
    const bool as_received =
        ctx.how.icmp_from_rx.load(std::memory_order_relaxed) || back.interface == no_interface;
    const auto source = as_received ? own.source_for(sender, p.metadata().interface)
                                    : own.source_for(next_hop_of(back, sender), back.interface);
    return source.value != 0 ? source : own.any_source();
}

// The second half of a message's header.
void describe(net::icmp4_header& icmp, const packet_note& about) noexcept
{
    if (about.error_type ==
        net::icmp4::parameter_problem) // RFC 792: the pointer is the first of the four bytes
        icmp.id = net::be16{static_cast<uint16_t>(about.error_value << 8)};
    else if (about.error_type == net::icmp4::unreachable &&
             about.error_code == net::icmp4::fragmentation_needed)
        icmp.sequence = net::be16{about.error_value};
}

// Puts both headers in front of the packet's own, and cuts it to what a message of `most` bytes may
// quote.
void wrap(packet& p, net::ip4_address source, uint32_t most) noexcept
{
    const uint32_t offset = p.metadata().l3_offset;
    const auto original = p.network<net::ip4_header>();
    const uint32_t quoted = std::min(
        {uint32_t{original.total_length.host()}, uint32_t{p.contiguous()} - offset, most - added});
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
    icmp = {p.note().error_type, p.note().error_code, net::be16{0}, net::be16{0}, net::be16{0}};
    describe(icmp, p.note());
    icmp.checksum = net::checksum_of(&icmp, sizeof icmp + quoted);
    auto& ip = p.network<net::ip4_header>();
    ip = {0x45,
          internetwork_control,
          net::be16{static_cast<uint16_t>(added + quoted)},
          net::be16{0},
          net::be16{0},
          message_ttl,
          net::ip_protocol::icmp,
          net::be16{0},
          source.wire(),
          original.source};
    ip.checksum = net::checksum_of(&ip, sizeof ip);
}

verdict decide(context& ctx, packet& p, uint64_t now) noexcept
{
    const auto& header = p.network<net::ip4_header>();
    if (!eligible(ctx.ip4, p, header))
        return drop(not_eligible);
    if (rte_pktmbuf_headroom(p.mbuf()) < added)
        return drop(no_room);
    const auto sender = net::from_wire(header.source);
    const adjacency& back = way_back(ctx, p, sender);
    const auto source = source_of(ctx, p, sender, back);
    if (source.value == 0)
        return drop(no_source);
    if (!ctx.limit.take(sender, p.metadata().interface, now))
        return drop(rate_limited);
    // cut to what its way carries (0: it has none), so that none is lost as too big
    wrap(p, source, back.mtu == 0 ? max_message : std::min<uint32_t>(max_message, back.mtu));
    p.metadata().flags |= packet_metadata::locally_made;
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
    .nexts = {{to_lookup, "ip4-lookup"}},
    .reasons = {{not_eligible, "not_eligible", "no ICMP error may be sent for this packet",
                 severity::info},
                {rate_limited, "rate_limited",
                 "ICMP errors above the rate limit of the interface or the sender",
                 severity::warning},
                {no_source, "no_source", "the router has no address to send the error from"},
                {no_room, "no_room", "the buffer has no room for two more headers"}},
    .context = context_of<context>(),
    .format_trace = trace_icmp,
}};

} // namespace

} // namespace weft::ip4
