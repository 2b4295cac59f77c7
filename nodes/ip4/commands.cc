// SPDX-License-Identifier: Apache-2.0
// show ip fib, ip route add and del, set interface ip address.
#include "graph/command_parameters.hh"
#include "nodes/ip4/ip4.hh"

#include <map>
#include <nlohmann/json.hpp>

namespace weft::ip4 {

namespace {

using json = nlohmann::ordered_json;

constexpr size_t most_routes = 1000; // in one answer

json route_json(const tables& ip4, const route& r)
{
    std::map<adjacency_index, unsigned> shares;
    const auto buckets = ip4.hops().buckets_of(r.balance);
    for (auto adjacency : buckets)
        ++shares[adjacency];
    json paths = json::array();
    for (auto [adjacency, count] : shares)
        paths.push_back({{"adjacency", adjacency},
                         {"kind", to_string(ip4.hops().adjacency_at(adjacency).kind)},
                         {"buckets", count},
                         {"description", ip4.hops().describe(adjacency)}});
    return {{"prefix", net::to_string(r.prefix)},
            {"source", to_string(r.source)},
            {"active", r.active},
            {"load_balance", r.balance},
            {"buckets", buckets.size()},
            {"paths", paths}};
}

result<net::ip4_prefix> prefix_of(tables& ip4, std::string_view text)
{
    if (text.find('/') != std::string_view::npos)
        return net::parse<net::ip4_prefix>(text);
    auto address = net::parse<net::ip4_address>(text);
    if (!address)
        return pass(address);
    const auto match = ip4.table().match(*address);
    if (!match)
        return fail(errc::not_found, "no route leads to {}", text);
    return match->first;
}

result<json> show_fib(command_context& context)
{
    auto& ip4 = context.host.room<tables>();
    json routes = json::array();
    if (context.arguments.has("prefix")) {
        const auto text = context.arguments.text("prefix");
        auto prefix = prefix_of(ip4, text);
        if (!prefix)
            return pass(prefix);
        for (const auto& r : ip4.routes().of(*prefix))
            routes.push_back(route_json(ip4, r));
        if (routes.empty())
            return fail(errc::not_found, "no route to {}", net::to_string(*prefix));
    } else {
        for (const auto& r : ip4.routes().sorted(most_routes))
            routes.push_back(route_json(ip4, r));
    }
    return json{{"prefixes", ip4.table().size()},
                {"memory_bytes", ip4.routes().memory_bytes()},
                {"routes", routes}};
}

std::string fib_text(const json& data)
{
    std::string out = fmt::format("ipv4-VRF:0, fib_index:0, prefixes:{}, memory:{} kB",
                                  data["prefixes"].get<size_t>(),
                                  data["memory_bytes"].get<size_t>() / 1024);
    for (const auto& r : data["routes"]) {
        out += fmt::format("\n{}\n  {}{}\n  [load-balance {}, buckets {}]",
                           r["prefix"].get<std::string>(), r["source"].get<std::string>(),
                           r["active"].get<bool>() ? "" : " (not used: a better source has it)",
                           r["load_balance"].get<unsigned>(), r["buckets"].get<unsigned>());
        for (const auto& p : r["paths"])
            out += fmt::format("\n    [{} of {}] [adjacency {}] {}", p["buckets"].get<unsigned>(),
                               r["buckets"].get<unsigned>(), p["adjacency"].get<unsigned>(),
                               p["description"].get<std::string>());
    }
    const auto shown = data["routes"].size();
    if (shown == most_routes && data["prefixes"].get<size_t>() > shown)
        out += fmt::format("\n{} prefixes more: show ip fib PREFIX",
                           data["prefixes"].get<size_t>() - shown);
    return out;
}

result<json> show_summary(command_context& context)
{
    json lengths = json::array();
    const auto counts = context.host.room<tables>().routes().count_by_length();
    for (size_t length = 0; length < counts.size(); ++length)
        if (counts[length] > 0)
            lengths.push_back({{"length", length}, {"count", counts[length]}});
    return json{{"lengths", lengths}};
}

std::string summary_text(const json& data)
{
    text_table table{{{"Prefix length", 20, text_table::align::right},
                      {"Count", 16, text_table::align::right}}};
    for (const auto& row : data["lengths"])
        table.row({to_string(row["length"]), to_string(row["count"])});
    return table.str();
}

const command_registration fib{"show ip fib [<prefix:word>]",
                               "Routes and what they end in; of one prefix, or matching an address",
                               show_fib, fib_text};
const command_registration fib_summary{"show ip fib summary", "How many prefixes of each length",
                                       show_summary, summary_text};

result<json> route_add(command_context& context)
{
    std::vector<net::ip4_address> via;
    for (const auto& text : context.arguments.all("via"))
        via.push_back(*net::parse<net::ip4_address>(text));
    const auto to = net::parse<net::ip4_prefix>(context.arguments.text("prefix"));
    if (auto done = context.host.room<tables>().add_route(*to, via); !done)
        return pass(done);
    return json("");
}

result<json> blackhole_add(command_context& context)
{
    const auto to = net::parse<net::ip4_prefix>(context.arguments.text("prefix"));
    if (const auto range = unroutable(*to); !range.empty())
        return fail(errc::invalid_argument, "{} lies in {} and is never routed",
                    net::to_string(*to), range);
    if (auto done = context.host.room<tables>().add_blackhole(*to); !done)
        return pass(done);
    return json("");
}

result<json> route_del(command_context& context)
{
    const auto to = net::parse<net::ip4_prefix>(context.arguments.text("prefix"));
    if (auto done = context.host.room<tables>().remove_route(*to); !done)
        return pass(done);
    return json("");
}

const command_registration add{"ip route add <prefix:prefix> via <via:address>...",
                               "Adds or replaces a static route over one next hop or several",
                               route_add};
const command_registration add_blackhole{"ip route add <prefix:prefix> blackhole",
                                         "Adds or replaces a route that drops", blackhole_add};
const command_registration del{"ip route del <prefix:prefix>", "Removes a static route", route_del};

result<json> change_address(command_context& context, bool add_it)
{
    const auto i = interface_of(context);
    if (!i)
        return pass(i);
    auto address = net::parse<net::ip4_interface_address>(context.arguments.text("address"));
    if (!address)
        return pass(address);
    auto& ip4 = context.host.room<tables>();
    const auto index = (*i)->index;
    auto done = add_it ? ip4.add_address(index, *address) : ip4.remove_address(index, *address);
    if (!done)
        return pass(done);
    return json("");
}

const command_registration address_add{
    "set interface ip address <interface:interface> <address:word>",
    "Gives an interface an address with its network's length",
    [](command_context& context) { return change_address(context, true); }};
const command_registration address_del{
    "set interface ip address del <interface:interface> <address:word>",
    "Takes an address from an interface",
    [](command_context& context) { return change_address(context, false); }};

result<json> show_addresses(command_context& context)
{
    json list = json::array();
    const auto& ip4 = context.host.room<tables>();
    for (const auto& i : context.host.interfaces().all()) {
        json addresses = json::array();
        for (const auto& a : ip4.addresses_of(i->index))
            addresses.push_back(net::to_string(a));
        list.push_back({{"name", i->name},
                        {"state", context.host.interfaces().hot(i->index).admin_up.load() ? "up"
                                                                                          : "down"},
                        {"addresses", addresses}});
    }
    return json{{"interfaces", list}};
}

std::string addresses_text(const json& data)
{
    std::string out;
    for (const auto& i : data["interfaces"]) {
        out += fmt::format("{}{} ({}):", out.empty() ? "" : "\n", i["name"].get<std::string>(),
                           i["state"].get<std::string>());
        for (const auto& a : i["addresses"])
            out += "\n  L3 " + a.get<std::string>();
    }
    return out;
}

const command_registration addresses{"show interface address", "The addresses of interfaces",
                                     show_addresses, addresses_text};

} // namespace

} // namespace weft::ip4
