// SPDX-License-Identifier: Apache-2.0
// The configuration of IPv4: interfaces.*.addresses, routes and route-files.
#include "control/config/config.hh"
#include "base/quote.hh"
#include "nodes/fib/vrf_arguments.hh"
#include "nodes/interface/interface.hh"
#include "nodes/ip4/address_claims.hh"
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
    std::string vrf;
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
                found.push_back(
                    {item.as<net::ip4_interface_address>(), name, vrf_in(settings), &item});
    return found;
}

void check_one_address(const seen_address& a, config::problems& problems)
{
    if (const auto why = why_no_address(a.address); !why.empty())
        problems.add(*a.where, "{} {}", a.where->text(), why);
}

void check_addresses(const config::value& root, config::problems& problems)
{
    const auto all = all_addresses(root);
    std::map<std::string, address_claims<std::string>> claims; // by VRF
    for (size_t i = 0; i < all.size(); ++i) {
        check_one_address(all[i], problems);
        const auto clash = claims[all[i].vrf].add(all[i].address, all[i].interface, i);
        if (!clash)
            continue;
        const auto& other = all[clash->with];
        if (clash->same_address)
            problems.add(*all[i].where, "{} is already an address of interface {} (line {})",
                         all[i].where->text(), other.interface, other.where->at().line);
        else
            problems.add(*all[i].where, "{} overlaps {} of interface {} (line {})",
                         all[i].where->text(), other.where->text(), other.interface,
                         other.where->at().line);
    }
}

// All at once: what the workers read is made anew for each change.
result<void> apply_addresses(const config::value& root, engine& engine)
{
    std::vector<own_addresses::owned> all;
    const auto seen = all_addresses(root);
    for (const auto& a : seen) {
        const auto* i = interfaces_of(engine).find(a.interface);
        if (i == nullptr)
            return fail(errc::not_found, "{}: no interface `{}'", a.where->path(), a.interface);
        all.push_back({a.address.address, a.address.length, i->index});
    }
    size_t at = 0;
    if (auto done = engine.module<tables>().add_addresses(all, at); !done)
        return fail(done.error().code, "{}: {}", seen[at].where->path(), done.error().message);
    return {};
}

const config::registration addresses{{
    .name = "ip4-addresses",
    .keys = {{"interfaces.*.addresses", config::list_of(config::ip4_interface_address()),
              "The interface's addresses, with prefix length: [10.0.0.1/24]."}},
    .check = check_addresses,
    .apply = apply_addresses,
    .after = {"interfaces", "interface-vrfs"},
}};

using addresses_by_vrf = std::map<std::string, own_addresses>;

const own_addresses& addresses_in(std::string_view vrf, const addresses_by_vrf& all)
{
    static const own_addresses none;
    const auto found = all.find(std::string{vrf});
    return found == all.end() ? none : found->second;
}

// Next hops and the interface that they are behind, of a route or of one of its `paths'.
void check_path(const config::value& path, const config::value& route, const config::value& root,
                const addresses_by_vrf& all, config::problems& problems)
{
    const auto* dev = path.find("dev");
    const auto* interfaces = root.find("interfaces");
    const auto* behind =
        dev == nullptr || interfaces == nullptr ? nullptr : interfaces->find(dev->text());
    const auto via = path.list<net::ip4_address>("via");
    if (dev != nullptr && behind == nullptr)
        problems.add(*dev, "no interface `{}' is configured", dev->text());
    else if (dev != nullptr && via.empty() && vrf_in(*behind) != vrf_in(route))
        problems.add(*dev, "interface {} is in VRF {}; use `via' with a next hop there",
                     dev->text(), vrf_in(*behind));
    const std::string through =
        behind != nullptr ? vrf_in(*behind)
                          : vrf_in(route, route.find("via-vrf") != nullptr ? "via-vrf" : "vrf");
    for (auto address : via)
        if (const auto why = why_no_next_hop(address, addresses_in(through, all)); !why.empty())
            problems.add(*path.find("via"), "next hop {} {}", net::to_string(address), why);
}

// How many paths a route has, and where they stand.
std::pair<size_t, const config::value*> count_paths(const config::value& route)
{
    if (const auto* paths = route.find("paths"))
        return {paths->items().size(), paths};
    const auto count = route.list<net::ip4_address>("via").size();
    return {count > 0 || route.find("dev") == nullptr ? count : 1, route.find("via")};
}

void check_kind(const config::value& route, config::problems& problems)
{
    const std::string kind = route.get<std::string>("type", "unicast");
    const auto [count, where] = count_paths(route);
    if (kind != "unicast" && count > 0)
        problems.add(where != nullptr ? *where : *route.find("dev"),
                     "a route of type {} has no next hop", kind);
    if (kind == "unicast" && count == 0)
        problems.add(route, "a route needs `via' with one or more next hops, `dev', `paths', or a "
                            "`type' such as blackhole");
    if (count > forwarding::max_paths)
        problems.add(*where, "{} next hops, more than the maximum of {}", count,
                     forwarding::max_paths);
    const auto* paths = route.find("paths");
    if (paths == nullptr)
        return;
    for (const char* key : {"via", "dev"})
        if (const auto* other = route.find(key))
            problems.add(*other, "it cannot be combined with `paths'");
    for (const auto& path : paths->items())
        if (path.find("via") == nullptr && path.find("dev") == nullptr)
            problems.add(path, "a path needs `via' or `dev'");
}

void check_route(const config::value& route, const config::value& root, const addresses_by_vrf& all,
                 config::problems& problems)
{
    const auto* to = route.find("to");
    if (const auto range = unroutable(to->as<net::ip4_prefix>()); !range.empty())
        problems.add(*to, "{} is in {}, which is never routed", to->text(), range);
    for (const char* key : {"vrf", "via-vrf"})
        check_vrf(route, key, root, problems);
    check_kind(route, problems);
    check_path(route, route, root, all, problems);
    if (const auto* paths = route.find("paths"))
        for (const auto& path : paths->items())
            check_path(path, route, root, all, problems);
}

route_rank rank_of(const config::value& route)
{
    return {route_source::fixed,
            static_cast<uint8_t>(
                route.get<uint16_t>("distance", default_distance(route_source::fixed))),
            route.get<uint32_t>("metric", 0)};
}

void check_routes(const config::value& root, config::problems& problems)
{
    const auto* routes = root.find("routes");
    if (routes == nullptr)
        return;
    const auto all = configured_addresses(root);
    std::map<std::tuple<std::string, net::ip4_prefix, route_rank>, int> lines;
    for (const auto& route : routes->items()) {
        check_route(route, root, all, problems);
        const auto* to = route.find("to");
        const auto [first, fresh] = lines.emplace(
            std::tuple{vrf_in(route), to->as<net::ip4_prefix>(), rank_of(route)}, to->at().line);
        if (!fresh)
            problems.add(*to, "{} already has a route (line {})", to->text(), first->second);
    }
}

// The paths that a route lists, or those that its `via' and `dev' are.
result<std::vector<route_path>> paths_of(const config::value& route, engine& engine)
{
    std::vector<route_path> paths;
    const auto add = [&](const config::value& from,
                         const std::vector<net::ip4_address>& via) -> result<void> {
        interface_index dev = no_interface;
        if (const auto* name = from.find("dev")) {
            const auto* i = interfaces_of(engine).find(name->text());
            if (i == nullptr)
                return fail(errc::not_found, "no interface `{}'", name->text());
            dev = i->index;
        }
        const auto weight = from.get<uint16_t>("weight", 1);
        for (auto address : via)
            paths.emplace_back(address, dev, weight);
        if (via.empty())
            paths.emplace_back(net::ip4_address{}, dev, weight);
        return {};
    };
    if (const auto* listed = route.find("paths")) {
        for (const auto& one : listed->items())
            if (auto done = add(one, one.list<net::ip4_address>("via")); !done)
                return pass(done);
    } else if (auto done = add(route, route.list<net::ip4_address>("via")); !done) {
        return pass(done);
    }
    return paths;
}

result<void> apply_route(const config::value& route, engine& engine)
{
    auto& ip4 = engine.module<tables>();
    const auto to = route.find("to")->as<net::ip4_prefix>();
    const auto in = vrf_named(engine, vrf_in(route));
    const auto through =
        route.find("via-vrf") == nullptr ? in : vrf_named(engine, vrf_in(route, "via-vrf"));
    if (!in || !through)
        return in ? pass(through) : pass(in);
    if (const auto kind = special_route_kind(route.get<std::string>("type", "unicast")))
        return ip4.add_special(to, *kind, *in, rank_of(route));
    const auto paths = paths_of(route, engine);
    if (!paths)
        return pass(paths);
    return ip4.add_route(to, *paths, {*in, *through}, rank_of(route));
}

result<void> apply_routes(const config::value& root, engine& engine)
{
    const auto* routes = root.find("routes");
    if (routes == nullptr)
        return {};
    for (const auto& route : routes->items())
        if (auto done = apply_route(route, engine); !done)
            return fail(done.error().code, "{}: {}", route.path(), done.error().message);
    return {};
}

const config::registration routes{{
    .name = "ip4-routes",
    .keys = {{"routes[].to", config::ip4_prefix(), "The destination prefix.", true},
             {"routes[].via", config::one_or_list_of(config::ip4_address()),
              "The next hop, or several to spread flows over."},
             {"routes[].dev", config::text("an interface name"),
              "The outgoing interface. With `via`, the next hop need not be on one of its "
              "networks; without `via`, the destinations are directly connected."},
             {"routes[].paths[].via", config::ip4_address(),
              "The next hop of a path. `paths` replaces `via` and `dev`."},
             {"routes[].paths[].dev", config::text("an interface name"),
              "The outgoing interface of a path, like `dev`."},
             {"routes[].paths[].weight", config::number(1, forwarding::max_weight),
              "The weight of a path: its relative share of the flows (default 1)."},
             {"routes[].distance", config::number(1, max_distance),
              "Administrative distance: among the routes to a prefix that have a usable path, the "
              "lowest wins (default 1)."},
             {"routes[].metric", config::number(0, UINT32_MAX),
              "Among static routes with the same distance that have a usable path, the lowest "
              "metric wins (default 0)."},
             {"routes[].vrf", config::text("a VRF name"),
              "The VRF that the route is in (default `default`)."},
             {"routes[].via-vrf", config::text("a VRF name"),
              "The VRF of the next hops (default: that of the route)."},
             {"routes[].type", config::one_of({"unicast", "blackhole", "unreachable", "prohibit"}),
              "blackhole drops packets silently; unreachable and prohibit drop them with an ICMP "
              "error (default unicast)."}},
    .check = check_routes,
    .apply = apply_routes,
    .also_reads = {"interfaces", "vrfs"},
    .after = {"ip4-addresses", "ip4-interfaces", "ip4-route-files"},
}};

// Read when the configuration is checked too, so that --check tells all that is wrong with them.
void check_route_files(const config::value& root, config::problems& problems)
{
    const auto* files = root.find("route-files");
    if (files == nullptr)
        return;
    const auto all = configured_addresses(root);
    const own_addresses& own = addresses_in(vrf_table::default_name, all);
    const auto why_not = [&](net::ip4_address a) { return why_no_next_hop(a, own); };
    for (const auto& file : files->items()) {
        if (!file.text().starts_with('/')) {
            problems.add(file, "{} is not an absolute path", quote(file.text()));
            continue;
        }
        const auto list = read_route_file(file.text(), why_not, [] { return true; });
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
    .keys = {{"route-files", config::list_of(config::text("an absolute path")),
              "Route files ([routes.md](routes.md)), applied in this order, before `routes`."}},
    .check = check_route_files,
    .apply = apply_route_files,
    .also_reads = {"interfaces"},
    .after = {"ip4-addresses", "ip4-interfaces"},
}};

} // namespace

std::map<std::string, own_addresses> configured_addresses(const config::value& root)
{
    std::map<std::string, std::vector<own_addresses::owned>> found;
    if (const auto* interfaces = root.find("interfaces")) {
        interface_index number = 0;
        for (const auto& [name, key_at, settings] : interfaces->entries()) {
            auto& own = found[vrf_in(settings)];
            for (const auto& a : settings.list<net::ip4_interface_address>("addresses"))
                own.push_back({a.address, a.length, number});
            ++number;
        }
    }
    std::map<std::string, own_addresses> made;
    for (auto& [vrf, own] : found)
        made.emplace(vrf, std::move(own));
    return made;
}

} // namespace weft::ip4
