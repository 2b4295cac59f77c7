// SPDX-License-Identifier: Apache-2.0
// show ip fib exact-path: where the packets of one flow go, chosen by the same hash as theirs.
#include "base/quote.hh"
#include "control/command/command_parameters.hh"
#include "nodes/fib/vrf_arguments.hh"
#include "nodes/interface/interface.hh"
#include "nodes/ip4/ip4_lookup.hh"
#include "nodes/ip4/trace.hh"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace weft::ip4 {

namespace {

using json = nlohmann::ordered_json;

result<uint8_t> protocol_of(const command_arguments& args)
{
    if (!args.has("protocol"))
        return args.has("source-port") || args.has("destination-port") ? net::ip_protocol::udp
                                                                       : net::ip_protocol::icmp;
    const auto text = args.text("protocol");
    if (text == "icmp")
        return net::ip_protocol::icmp;
    if (text == "tcp")
        return net::ip_protocol::tcp;
    if (text == "udp")
        return net::ip_protocol::udp;
    uint8_t number = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (fault != std::errc{} || end != text.data() + text.size())
        return fail(errc::invalid_argument,
                    "protocol: {} is not icmp, tcp, udp or a number from 0 to 255", quote(text));
    return number;
}

// As the data path would take it from a packet.
result<flow_key> flow_of(const command_arguments& args)
{
    const auto protocol = protocol_of(args);
    const auto source_port = number_within(args, "source-port", 0, 65535, 0);
    const auto destination_port = number_within(args, "destination-port", 0, 65535, 0);
    for (const auto* port : {&source_port, &destination_port})
        if (!*port)
            return pass(*port);
    if (!protocol)
        return pass(protocol);
    if (!has_ports(*protocol) && (args.has("source-port") || args.has("destination-port")))
        return fail(errc::invalid_argument, "protocol {} has no ports; only tcp and udp have",
                    *protocol);
    return flow_key{net::parse<net::ip4_address>(args.text("source"))->wire(),
                    net::parse<net::ip4_address>(args.text("destination"))->wire(),
                    {net::be16{static_cast<uint16_t>(*source_port)},
                     net::be16{static_cast<uint16_t>(*destination_port)}},
                    *protocol};
}

// The word that `show errors' has for it where ip4-lookup drops.
std::string drop_reason(engine& engine, adjacency_kind kind)
{
    const auto& lookup = *engine.registry().find("ip4-lookup");
    const auto& its = engine.module<lookup::ways>().of(kind);
    return its.refuses || its.to.is_drop()
               ? std::string{lookup.descriptor->reasons[its.reason].name}
               : "";
}

// The route that forwards, and its VRF; nothing of one where there is none.
json route_json(engine& engine, vrf_index vrf, net::ip4_address destination)
{
    auto& ip4 = engine.module<tables>();
    json found{{"vrf", engine.module<vrf_table>().name_of(vrf)}};
    const auto match = ip4.table(vrf).match(destination);
    if (!match)
        return found;
    found["route"] = net::to_string(match->first);
    for (const auto& r : ip4.routes(vrf).of(match->first))
        if (r.active) {
            found["route_source"] = to_string(r.rank.source);
            found["distance"] = r.rank.distance;
            found["metric"] = r.rank.metric;
            found["load_balance"] = r.balance;
        }
    return found;
}

// "16.0.0.0/8 static [1/0] of VRF default"
std::string route_text(const json& route)
{
    if (!route.contains("route_source"))
        return fmt::format("no route in VRF {}", route["vrf"].get<std::string>());
    return fmt::format("{} {} [{}/{}] in VRF {}", route["route"].get<std::string>(),
                       route["route_source"].get<std::string>(), route["distance"].get<unsigned>(),
                       route["metric"].get<unsigned>(), route["vrf"].get<std::string>());
}

json path_json(engine& engine, const tables& ip4, adjacency_index index,
               net::ip4_address destination)
{
    const adjacency& to = ip4.hops().adjacency_at(index);
    json path{{"kind", to_string(to.kind)},
              {"adjacency", index},
              {"description", ip4.hops().describe(index)}};
    if (to.interface != no_interface) {
        path["interface"] = interfaces_of(engine).at(to.interface).name;
        path["next_hop"] = net::to_string(next_hop_of(to, destination));
    }
    if (to.kind == adjacency_kind::rewrite) {
        net::mac_address mac;
        std::memcpy(mac.bytes.data(), to.rewrite.data(), sizeof mac);
        path["macaddress"] = net::to_string(mac);
    }
    if (const auto reason = drop_reason(engine, to.kind); !reason.empty())
        path["drop_reason"] = reason;
    return path;
}

result<json> show(command_context& context)
{
    const auto flow = flow_of(context.arguments);
    if (!flow)
        return pass(flow);
    const auto& ip4 = context.engine.module<tables>();
    const auto destination = net::from_wire(flow->destination);
    const uint64_t seed = context.engine.module<settings>().flow_seed.load();
    const auto vrf = vrf_of(context);
    if (!vrf)
        return pass(vrf);
    const auto route = ip4.table(*vrf).lookup(destination);
    const auto index = lookup::pick(ip4.hops(), ip4.hops().paths(), route, seed, [&] {
                           return *flow;
                       }).adjacency();
    const auto buckets = ip4.hops().buckets_of(route).size();
    json found{{"source", net::to_string(net::from_wire(flow->source))},
               {"destination", net::to_string(destination)},
               {"protocol", flow->protocol},
               {"source_port", flow->ports.source.host()},
               {"destination_port", flow->ports.destination.host()}};
    found.update(route_json(context.engine, *vrf, destination));
    found["load_balance"] = route;
    found["bucket"] = buckets == 1 ? 0 : ip4.hops().balance_at(route).bucket_of(flow->hash(seed));
    found["buckets"] = buckets;
    found["path"] = path_json(context.engine, ip4, index, destination);
    return found;
}

std::string show_text(const json& data)
{
    const auto number = [](const json& n) { return n.get<unsigned>(); };
    const json& path = data["path"];
    std::string out = fmt::format("{} -> {}, protocol {}", data["source"].get<std::string>(),
                                  data["destination"].get<std::string>(), number(data["protocol"]));
    if (number(data["source_port"]) != 0 || number(data["destination_port"]) != 0)
        out += fmt::format(", ports {} -> {}", number(data["source_port"]),
                           number(data["destination_port"]));
    out += fmt::format("\n  {}, load-balance {}, bucket {} of {}\n  [adjacency {}] {}",
                       route_text(data), number(data["load_balance"]), number(data["bucket"]),
                       number(data["buckets"]), number(path["adjacency"]),
                       path["description"].get<std::string>());
    if (path.contains("drop_reason"))
        out += fmt::format("\n  dropped: ip4-lookup, {}", path["drop_reason"].get<std::string>());
    return out;
}

const command_registration exact_path{
    "show ip fib exact-path <source:address> <destination:address> [protocol <protocol:word>] "
    "[source-port <source-port:number>] [destination-port <destination-port:number>] "
    "[vrf <vrf:vrf>]",
    "The path of one flow (default protocol: udp if a port is given, else icmp)", show, show_text};

} // namespace

std::string trace_route(engine& engine, const trace_record& record)
{
    const auto& ip4 = engine.module<tables>();
    const auto* header = record.network<net::ip4_header>();
    if (header == nullptr || record.metadata.interface >= max_interfaces)
        return "no IPv4 header";
    const json route = route_json(engine, ip4.vrf_of(record.metadata.interface),
                                  net::from_wire(header->destination));
    const auto paths = ip4.hops().buckets_of(route.value("load_balance", load_balance_index{0}));
    const adjacency_index taken = record.metadata.adjacency;
    const bool still = std::find(paths.begin(), paths.end(), taken) != paths.end();
    return fmt::format("{}: {}{}", route_text(route), ip4.hops().describe(taken),
                       still ? "" : " (the route has changed since)");
}

} // namespace weft::ip4
