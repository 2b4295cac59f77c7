// SPDX-License-Identifier: Apache-2.0
// ip4-local: takes packets to the router's own addresses and passes them on by protocol.
#include "base/net/headers.hh"
#include "graph/node_run.hh"
#include "nodes/ip4/trace.hh"

namespace weft::ip4 {

namespace {

enum next : next_index { to_icmp_echo, to_icmp_error };
enum reasons : uint16_t { fragment, no_listener };

void ip4_local(node_run& run, frame& in) noexcept
{
    run.each(in, [&](packet& p) noexcept -> verdict {
        const auto& header = p.network<net::ip4_header>();
        if (header.is_fragment())
            return drop(fragment);
        if (header.protocol == net::ip_protocol::icmp)
            return to_icmp_echo;
        run.count(no_listener);
        p.note().icmp_type = net::icmp4::unreachable;
        p.note().icmp_code = header.protocol == net::ip_protocol::udp
                                 ? net::icmp4::port_unreachable
                                 : net::icmp4::protocol_unreachable;
        return to_icmp_error;
    });
}

const node_registration registration{{
    .name = "ip4-local",
    .function = ip4_local,
    .nexts = {{to_icmp_echo, "ip4-icmp-echo"}, {to_icmp_error, "ip4-icmp-error"}},
    .reasons = {{fragment, "fragment",
                 "a fragment addressed to this router, which does not reassemble"},
                {no_listener, "no_listener", "no listener for this protocol or port",
                 severity::info}},
    .role = node_role::punted,
    .format_trace = trace_header,
}};

} // namespace

} // namespace weft::ip4
