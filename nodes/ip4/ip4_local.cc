// SPDX-License-Identifier: Apache-2.0
// ip4-local: takes packets to the router's own addresses and passes them on by protocol.
#include "base/net/headers.hh"
#include "control/command/command.hh"
#include "control/show/dispatch_view.hh"
#include "graph/dispatch_table.hh"
#include "graph/engine.hh"
#include "graph/node_run.hh"
#include "nodes/fib/adjacency_kind.hh"
#include "nodes/ip4/trace.hh"

#include <nlohmann/json.hpp>

namespace weft::ip4 {

namespace {

enum next : next_index { to_icmp_error };
enum reasons : uint16_t { fragment, no_listener };

constexpr std::string_view protocol_table = "ip4-protocol";

struct context {
    explicit context(const node_setup& setup)
        : protocols{setup.engine.module<dispatch_tables>().lookup(protocol_table)}
    {}
    const dispatch_lookup protocols;
};

void ip4_local(node_run& run, frame& in) noexcept
{
    const dispatch_lookup protocols = run.context<context>().protocols;
    run.each(in, [&](packet& p) noexcept -> verdict {
        const auto& header = p.network<net::ip4_header>();
        if (header.is_fragment())
            return drop(fragment);
        const verdict to = protocols.of(header.protocol);
        if (to != verdict{to_icmp_error})
            return to;
        run.count(no_listener);
        p.note().error_type = net::icmp4::unreachable;
        p.note().error_code = header.protocol == net::ip_protocol::udp
                                  ? net::icmp4::port_unreachable
                                  : net::icmp4::protocol_unreachable;
        return to;
    });
}

const node_registration registration{{
    .name = "ip4-local",
    .function = ip4_local,
    .nexts = {{to_icmp_error, "ip4-icmp-error"}},
    .reasons = {{fragment, "fragment",
                 "a fragment addressed to this router, which does not reassemble"},
                {no_listener, "no_listener", "no listener for this protocol or port",
                 severity::info}},
    .context = context_of<context>(),
    .role = node_role::punted,
    .format_trace = trace_header,
}};

const dispatch_table_registration protocols{{.name = protocol_table,
                                             .node = "ip4-local",
                                             .key = "IPv4 protocol",
                                             .highest = 0xff,
                                             .otherwise = next_index{to_icmp_error}}};

result<nlohmann::ordered_json> show(command_context&)
{
    return dispatch_json(protocol_table);
}

const command_registration show_protocols{
    "show ip local", "IP protocols and the nodes that handle them", show, dispatch_text};

const fib::way_registration way{
    fib::adjacency_kind::local, net::family::ip4, {.node = "ip4-local"}};

} // namespace

} // namespace weft::ip4
