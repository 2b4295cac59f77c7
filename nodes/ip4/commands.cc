// SPDX-License-Identifier: Apache-2.0
// ip route add and del, set interface ip address, show interface address.
#include "base/quote.hh"
#include "control/command/command_parameters.hh"
#include "control/command/command_syntax.hh"
#include "nodes/fib/vrf_arguments.hh"
#include "nodes/interface/interface.hh"
#include "nodes/interface/lifecycle.hh"
#include "nodes/ip4/ip4.hh"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace weft::ip4 {

namespace {

using json = nlohmann::ordered_json;

result<route_vrfs> vrfs_of(command_context& context)
{
    const auto in = vrf_of(context);
    if (!in)
        return pass(in);
    const auto through = vrf_of(context, "via-vrf", *in);
    if (!through)
        return pass(through);
    return route_vrfs{*in, *through};
}

// Puts a path behind an interface, or lets it wait for one of that name. errc::invalid_argument if
// it is no name.
result<void> set_device(engine& engine, route_path& path, std::string_view name)
{
    if (const auto* i = interfaces_of(engine).find(name)) {
        path.dev = i->index;
        return {};
    }
    if (!fault_of_interface_name(name).empty())
        return fail(errc::invalid_argument, "{} is no name of an interface", quote(name));
    path.device = name;
    return {};
}

// The paths that a command gives: `via` and `dev`, whichever there are.
result<std::vector<route_path>> paths_of(command_context& context)
{
    std::vector<route_path> paths;
    for (const auto& text : context.arguments.all("via"))
        paths.emplace_back(*net::parse<net::ip4_address>(text));
    if (paths.empty())
        paths.emplace_back(net::ip4_address{});
    if (context.arguments.has("interface"))
        for (auto& path : paths)
            if (auto done = set_device(context.engine, path, context.arguments.text("interface"));
                !done)
                return pass(done);
    return paths;
}

// One word of a path and what follows it.
result<void> set_part(engine& engine, route_path& path, std::string_view word,
                      std::string_view value)
{
    if (word == "via") {
        const auto address = net::parse<net::ip4_address>(value);
        if (!address)
            return pass(address);
        path.via = *address;
        return {};
    }
    if (word == "dev")
        return set_device(engine, path, value);
    uint16_t weight = 0;
    const auto [end, fault] = std::from_chars(value.data(), value.data() + value.size(), weight);
    if (fault != std::errc{} || end != value.data() + value.size() || weight < 1 ||
        weight > forwarding::max_weight)
        return fail(errc::invalid_argument, "weight: {} is not a number from 1 to {}", quote(value),
                    forwarding::max_weight);
    path.weight = weight;
    return {};
}

// "via 10.0.0.9 weight 2 via 10.0.1.9 dev b": each path begins with `via', or with `dev' where it
// has no address.
result<std::vector<route_path>> listed_paths(engine& engine, std::string_view text)
{
    std::vector<route_path> paths;
    std::vector<std::string_view> seen; // of the path
    const auto words = command_syntax::split_line(text);
    if (!words)
        return pass(words);
    for (size_t n = 0; n < words->size(); n += 2) {
        const std::string_view word = (*words)[n].text;
        if (word != "via" && word != "dev" && word != "weight")
            return fail(errc::invalid_argument, "{} is not via, dev or weight", quote(word));
        if (n + 1 == words->size())
            return fail(errc::invalid_argument, "nothing follows {}", quote(word));
        const bool again = std::find(seen.begin(), seen.end(), word) != seen.end();
        if (paths.empty() || word == "via" || (word == "dev" && again)) {
            paths.emplace_back(net::ip4_address{});
            seen.clear();
        } else if (again) {
            return fail(errc::invalid_argument, "a path has two weights");
        }
        if (word == "weight" && seen.empty())
            return fail(errc::invalid_argument, "a path begins with via or dev");
        seen.push_back(word);
        if (auto done = set_part(engine, paths.back(), word, (*words)[n + 1].text); !done)
            return pass(done);
    }
    return paths;
}

// What the arguments `distance' and `metric' say of a static route.
result<route_rank> rank_of(command_context& context)
{
    const auto usual = default_distance(route_source::fixed);
    const auto distance = number_within(context.arguments, "distance", 1, max_distance, usual);
    if (!distance)
        return pass(distance);
    const auto metric = number_within(context.arguments, "metric", 0, UINT32_MAX, 0);
    if (!metric)
        return pass(metric);
    return route_rank{route_source::fixed, static_cast<uint8_t>(*distance),
                      static_cast<uint32_t>(*metric)};
}

result<json> route_add(command_context& context)
{
    const auto rank = rank_of(context);
    if (!rank)
        return pass(rank);
    const auto to = net::parse<net::ip4_prefix>(context.arguments.text("prefix"));
    const auto vrfs = vrfs_of(context);
    const auto paths = context.arguments.has("paths")
                           ? listed_paths(context.engine, context.arguments.text("paths"))
                           : paths_of(context);
    if (!vrfs)
        return pass(vrfs);
    if (!paths)
        return pass(paths);
    if (auto done = context.engine.module<tables>().add_route(*to, *paths, *vrfs, *rank); !done)
        return pass(done);
    for (const auto& path : *paths)
        if (!path.device.empty())
            return json(fmt::format("The route waits for interface {}", quote(path.device)));
    return json("");
}

result<json> special_add(command_context& context)
{
    const auto to = net::parse<net::ip4_prefix>(context.arguments.text("prefix"));
    const auto vrf = vrf_of(context);
    if (!vrf)
        return pass(vrf);
    if (const auto range = unroutable(*to); !range.empty())
        return fail(errc::invalid_argument, "{} is in {}, which is never routed",
                    net::to_string(*to), range);
    const auto rank = rank_of(context);
    if (!rank)
        return pass(rank);
    const auto kind = *special_route_kind(context.arguments.text("type"));
    if (auto done = context.engine.module<tables>().add_special(*to, kind, *vrf, *rank); !done)
        return pass(done);
    return json("");
}

result<json> route_del(command_context& context)
{
    const auto to = net::parse<net::ip4_prefix>(context.arguments.text("prefix"));
    const auto vrf = vrf_of(context);
    if (!vrf)
        return pass(vrf);
    const auto rank = rank_of(context);
    if (!rank)
        return pass(rank);
    const bool one = context.arguments.has("distance") || context.arguments.has("metric");
    if (auto done = context.engine.module<tables>().remove_route(
            *to, *vrf, one ? std::optional{*rank} : std::nullopt);
        !done)
        return pass(done);
    return json("");
}

#define WEFT_RANK "[distance <distance:number>] [metric <metric:number>]"

const command_registration add{"ip route add <prefix:prefix> via <via:address>... [vrf <vrf:vrf>] "
                               "[via-vrf <via-vrf:vrf>] " WEFT_RANK,
                               "Adds or replaces a static route via one or more next hops",
                               route_add};
const command_registration add_paths{
    "ip route add <prefix:prefix> [vrf <vrf:vrf>] [via-vrf <via-vrf:vrf>] " WEFT_RANK
    " paths <paths:rest>",
    "Adds a weighted route: via 10.0.0.9 weight 2 via 10.0.1.9 dev b", route_add};
const command_registration add_on_link{
    "ip route add <prefix:prefix> via <via:address> dev <interface:word> [vrf "
    "<vrf:vrf>] " WEFT_RANK,
    "The same via an on-link next hop outside the interface's networks", route_add};
const command_registration add_device{
    "ip route add <prefix:prefix> dev <interface:word> [vrf <vrf:vrf>] " WEFT_RANK,
    "Adds a route to hosts that are directly connected to an interface", route_add};
const command_registration add_special{
    "ip route add <prefix:prefix> <type:blackhole|unreachable|prohibit> [vrf <vrf:vrf>] " WEFT_RANK,
    "Adds or replaces a route that drops packets, silently or with an ICMP error", special_add};
const command_registration del{
    "ip route del <prefix:prefix> [vrf <vrf:vrf>] " WEFT_RANK,
    "Removes a static route, with any or with the given distance and metric", route_del};
#undef WEFT_RANK

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
    "Adds an address with its prefix length to an interface",
    [](command_context& context) { return change_address(context, true); }};
const command_registration address_del{
    "set interface ip address del <interface:interface> <address:word>",
    "Removes an address from an interface",
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
