// SPDX-License-Identifier: Apache-2.0
// ip4-rewrite: decrements the TTL, writes the link's header to the next hop, and sends the packet
// out.
#include "nodes/ip4/ip4_rewrite.hh"

#include "graph/packet_cut.hh"
#include "nodes/ip4/trace.hh"

#include <cstring>

namespace weft::ip4 {

namespace rewrite {

namespace {

// RFC 1191 section 4: the sender is told the MTU that it must keep to.
verdict refuse_big(node_run& run, packet& p, const net::ip4_header& header, uint16_t mtu) noexcept
{
    if (!header.dont_fragment())
        return drop(too_big);
    run.count(too_big);
    p.note().error_type = net::icmp4::unreachable;
    p.note().error_code = net::icmp4::fragmentation_needed;
    p.note().error_value = mtu;
    return to_icmp_error;
}

// Lets the frame begin so that a link's header of so many bytes ends where the network header
// begins. False: the buffer has no room for that.
bool make_room(packet& p, uint32_t bytes) noexcept
{
    packet_metadata& metadata = p.metadata();
    const int more = static_cast<int>(bytes) - metadata.l3_offset;
    if (more == 0) [[likely]]
        return true;
    rte_mbuf* const mbuf = p.mbuf();
    if (more > rte_pktmbuf_headroom(mbuf))
        return false;
    mbuf->data_off = static_cast<uint16_t>(mbuf->data_off - more);
    mbuf->data_len = static_cast<uint16_t>(mbuf->data_len + more);
    mbuf->pkt_len += static_cast<uint32_t>(more);
    metadata.l3_offset = static_cast<uint8_t>(bytes);
    return true;
}

} // namespace

verdict decide(node_run& run, const forwarding& hops, packet& p) noexcept
{
    packet_metadata& metadata = p.metadata();
    const adjacency& to = hops.adjacency_at(metadata.adjacency);
    auto& header = p.network<net::ip4_header>();
    if (header.total_length.host() > to.mtu) [[unlikely]]
        return refuse_big(run, p, header, to.mtu);
    // Bytes behind the packet that make the frame too long: drivers refuse it, and all behind it.
    if (p.length() - metadata.l3_offset > to.mtu)
        cut(p, metadata.l3_offset + header.total_length.host());
    if (!make_room(p, to.rewrite_bytes)) [[unlikely]]
        return drop(no_room);
    if ((metadata.flags & packet_metadata::locally_made) == 0) [[likely]]
        decrement_ttl(header);
    std::memcpy(p.data(), to.rewrite.data(), to.rewrite_bytes);
    metadata.interface = to.interface;
    return to_output;
}

} // namespace rewrite

namespace {

using rewrite::context;

void ip4_rewrite(node_run& run, frame& in) noexcept
{
    const forwarding& hops = run.context<context>().ip4.hops();
    run.each(in, [&](packet& p) noexcept { return rewrite::decide(run, hops, p); });
}

const node_registration registration{{
    .name = "ip4-rewrite",
    .function = ip4_rewrite,
    .nexts = {{rewrite::to_output, "interface-output"}, {rewrite::to_icmp_error, "ip4-icmp-error"}},
    .reasons = {{rewrite::too_big, "too_big", "the packet is larger than the interface's MTU"},
                {rewrite::no_room, "no_room", "the buffer has no room for the link-layer header"}},
    .context = context_of<context>(),
    .format_trace = trace_rewrite,
}};

const fib::way_registration way{adjacency_kind::rewrite, net::family::ip4, {.node = "ip4-rewrite"}};

} // namespace

} // namespace weft::ip4
