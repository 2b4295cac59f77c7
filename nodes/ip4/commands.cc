// SPDX-License-Identifier: Apache-2.0
// ip route add and del, set interface ip address, show interface address.
#include "control/command/command_parameters.hh"
#include "nodes/interface/interface.hh"
#include "nodes/ip4/ip4.hh"

#include <nlohmann/json.hpp>

namespace weft::ip4 {

namespace {

using json = nlohmann::ordered_json;

result<json> route_add(command_context& context)
{
    std::vector<net::ip4_address> via;
    for (const auto& text : context.arguments.all("via"))
        via.push_back(*net::parse<net::ip4_address>(text));
    const auto to = net::parse<net::ip4_prefix>(context.arguments.text("prefix"));
    if (auto done = context.engine.module<tables>().add_route(*to, via); !done)
        return pass(done);
    return json("");
}

result<json> blackhole_add(command_context& context)
{
    const auto to = net::parse<net::ip4_prefix>(context.arguments.text("prefix"));
    if (const auto range = unroutable(*to); !range.empty())
        return fail(errc::invalid_argument, "{} lies in {} and is never routed",
                    net::to_string(*to), range);
    if (auto done = context.engine.module<tables>().add_blackhole(*to); !done)
        return pass(done);
    return json("");
}

result<json> route_del(command_context& context)
{
    const auto to = net::parse<net::ip4_prefix>(context.arguments.text("prefix"));
    if (auto done = context.engine.module<tables>().remove_route(*to); !done)
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
    auto& ip4 = context.engine.module<tables>();
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
    const auto& ip4 = context.engine.module<tables>();
    for (const auto& i : interfaces_of(context.engine).all()) {
        json addresses = json::array();
        for (const auto& a : ip4.addresses_of(i->index))
            addresses.push_back(net::to_string(a));
        list.push_back(
            {{"name", i->name},
             {"state", interfaces_of(context.engine).hot(i->index).admin_up.load() ? "up" : "down"},
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
