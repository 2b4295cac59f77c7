// SPDX-License-Identifier: Apache-2.0
// The configuration of IPv4: interfaces.*.addresses, routes and route-files.
#include "control/config/config.hh"
#include "base/quote.hh"
#include "nodes/interface/interface.hh"
#include "nodes/ip4/ip4.hh"
#include "nodes/ip4/route_load.hh"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

namespace weft::ip4 {

namespace {

struct seen_address {
    net::ip4_interface_address address;
    std::string interface;
    const config::value* where;
};

std::vector<seen_address> all_addresses(const config::value& root)
{
    std::vector<seen_address> found;
    const auto* interfaces = root.find("interfaces");
    if (interfaces == nullptr)
        return found;
    for (const auto& [name, key_at, settings] : interfaces->entries())
        if (const auto* list = settings.find("addresses"))
            for (const auto& item : list->items())
                found.push_back({item.as<net::ip4_interface_address>(), name, &item});
    return found;
}

void check_one_address(const seen_address& a, config::problems& problems)
{
    const auto network = a.address.network();
    if (const auto range = unroutable({a.address.address, 32}); !range.empty())
        problems.add(*a.where, "{} lies in {}", a.where->text(), range);
    else if (a.address.length < 31 &&
             (a.address.address == network.network || a.address.address == network.last()))
        problems.add(*a.where, "{} is the {} address of its network", a.where->text(),
                     a.address.address == network.network ? "first" : "broadcast");
}

void check_addresses(const config::value& root, config::problems& problems)
{
    const auto all = all_addresses(root);
    for (size_t i = 0; i < all.size(); ++i) {
        check_one_address(all[i], problems);
        for (size_t k = 0; k < i; ++k) {
            const auto mine = all[i].address.network();
            const auto other = all[k].address.network();
            if (all[i].address.address == all[k].address.address)
                problems.add(*all[i].where, "{} is an address of interface {} already (line {})",
                             all[i].where->text(), all[k].interface, all[k].where->at().line);
            else if ((mine.contains(other) || other.contains(mine)) &&
                     !(mine == other && all[i].interface == all[k].interface))
                problems.add(*all[i].where, "{} overlaps {} of interface {} (line {})",
                             all[i].where->text(), all[k].where->text(), all[k].interface,
                             all[k].where->at().line);
        }
    }
}

result<void> apply_addresses(const config::value& root, engine& engine)
{
    for (const auto& a : all_addresses(root)) {
        const auto* i = interfaces_of(engine).find(a.interface);
        if (i == nullptr)
            return fail(errc::not_found, "{}: no interface `{}'", a.where->path(), a.interface);
        if (auto done = engine.module<tables>().add_address(i->index, a.address); !done)
            return fail(done.error().code, "{}: {}", a.where->path(), done.error().message);
    }
    return {};
}

const config::registration addresses{{
    .name = "ip4-addresses",
    .stage = config::stage::addresses,
    .keys = {{"interfaces.*.addresses", config::list_of(config::ip4_interface_address()),
              "The router's addresses with their networks' lengths: [10.0.0.1/24]."}},
    .check = check_addresses,
    .apply = apply_addresses,
}};

bool on_a_network(net::ip4_address a, const std::vector<seen_address>& all)
{
    bool near = false;
    for (const auto& own : all) {
        const auto network = own.address.network();
        const bool end = own.address.length < 31 && (a == network.network || a == network.last());
        if (own.address.address == a)
            return false;
        near = near || (!end && network.contains(a));
    }
    return near;
}

void check_route(const config::value& route, const std::vector<seen_address>& all,
                 config::problems& problems)
{
    const auto* to = route.find("to");
    const auto via = route.list<net::ip4_address>("via");
    const std::string kind = route.get<std::string>("type", "unicast");
    if (const auto range = unroutable(to->as<net::ip4_prefix>()); !range.empty())
        problems.add(*to, "{} lies in {} and is never routed", to->text(), range);
    if (kind == "blackhole" && !via.empty())
        problems.add(*route.find("via"), "a blackhole has no next hop");
    if (kind == "unicast" && via.empty())
        problems.add(route,
                     "a route needs `via' with one next hop or several, or `type: blackhole'");
    if (via.size() > forwarding::max_paths)
        problems.add(*route.find("via"), "{} next hops, more than {}", via.size(),
                     forwarding::max_paths);
    for (auto address : via)
        if (!on_a_network(address, all))
            problems.add(*route.find("via"), "next hop {} is on no interface's network",
                         net::to_string(address));
}

void check_routes(const config::value& root, config::problems& problems)
{
    const auto* routes = root.find("routes");
    if (routes == nullptr)
        return;
    const auto all = all_addresses(root);
    std::map<net::ip4_prefix, int> lines;
    for (const auto& route : routes->items()) {
        check_route(route, all, problems);
        const auto* to = route.find("to");
        const auto [first, fresh] = lines.emplace(to->as<net::ip4_prefix>(), to->at().line);
        if (!fresh)
            problems.add(*to, "{} has a route already (line {})", to->text(), first->second);
    }
}

result<void> apply_routes(const config::value& root, engine& engine)
{
    const auto* routes = root.find("routes");
    if (routes == nullptr)
        return {};
    auto& ip4 = engine.module<tables>();
    for (const auto& route : routes->items()) {
        const auto to = route.find("to")->as<net::ip4_prefix>();
        const auto via = route.list<net::ip4_address>("via");
        auto done = via.empty() ? ip4.add_blackhole(to) : ip4.add_route(to, via);
        if (!done)
            return fail(done.error().code, "{}: {}", route.path(), done.error().message);
    }
    return {};
}

const config::registration routes{{
    .name = "ip4-routes",
    .stage = config::stage::routes,
    .keys = {{"routes[].to", config::ip4_prefix(), "The prefix that the route leads to.", true},
             {"routes[].via", config::one_or_list_of(config::ip4_address()),
              "The next hop, or several over which flows are spread."},
             {"routes[].type", config::one_of({"unicast", "blackhole"}),
              "blackhole: packets are dropped and counted (default unicast)."}},
    .check = check_routes,
    .apply = apply_routes,
    .also_reads = {"interfaces"},
}};

// Read when the configuration is checked too, so that --check tells all that is wrong with them.
void check_route_files(const config::value& root, config::problems& problems)
{
    const auto* files = root.find("route-files");
    if (files == nullptr)
        return;
    const auto all = all_addresses(root);
    const auto usable = [&](net::ip4_address a) { return on_a_network(a, all); };
    for (const auto& file : files->items()) {
        if (!file.text().starts_with('/')) {
            problems.add(file, "{} is not an absolute path", quote(file.text()));
            continue;
        }
        const auto list = read_route_file(file.text(), usable, [] { return true; });
        if (!list)
            for (std::string_view left = list.error().message; !left.empty();) {
                const auto line = left.substr(0, left.find('\n'));
                problems.add(file, "{}", line);
                left.remove_prefix(std::min(line.size() + 1, left.size()));
            }
    }
}

result<void> apply_route_files(const config::value& root, engine& engine)
{
    const auto* files = root.find("route-files");
    if (files == nullptr)
        return {};
    const auto go_on = [&engine] { return !engine.stop_requested(); };
    const auto next = [&](size_t) { return go_on() ? SIZE_MAX : 0; };
    for (const auto& file : files->items())
        if (auto done = load_routes(engine.module<tables>(), file.text(), go_on, next); !done)
            return fail(done.error().code, "{}: {}", file.path(), done.error().message);
    return {};
}

const config::registration route_files{{
    .name = "ip4-route-files",
    .stage = config::stage::routes,
    .keys =
        {{"route-files", config::list_of(config::text("an absolute path")),
          "Files of routes ([routes.md](routes.md)), applied in this order and before `routes`."}},
    .check = check_route_files,
    .apply = apply_route_files,
    .also_reads = {"interfaces"},
}};

} // namespace

} // namespace weft::ip4
