// SPDX-License-Identifier: Apache-2.0
// The configuration section `neighbors`, show ip neighbors, ip neighbor add and del.
#include "base/text_table.hh"
#include "control/command/command_parameters.hh"
#include "control/config/config.hh"
#include "nodes/fib/neighbours.hh"
#include "nodes/fib/vrf_arguments.hh"
#include "nodes/interface/interface.hh"
#include "nodes/ip4/ip4.hh"

#include <map>
#include <nlohmann/json.hpp>

namespace weft::arp {

namespace {

using fib::neighbour_table;

using json = nlohmann::ordered_json;
using enum text_table::align;

// Nobody has the router's own address, or an end of a network; any other may be on a network that
// comes later.
void check_address(const config::value& item, const config::value& interfaces,
                   config::problems& problems)
{
    const auto* address = item.find("address");
    const auto a = address->as<net::ip4_address>();
    if (const auto name = ip4::unroutable({a, 32}); !name.empty())
        problems.add(*address, "{} is in {}", address->text(), name);
    const std::string vrf = vrf_in(*interfaces.find(item.find("interface")->text()));
    for (const auto& [name, at, settings] : interfaces.entries())
        for (const auto& own : vrf_in(settings) == vrf
                                   ? settings.list<net::ip4_interface_address>("addresses")
                                   : std::vector<net::ip4_interface_address>{}) {
            const auto network = own.network();
            if (own.address == a)
                problems.add(*address, "{} is an address of interface {}", address->text(), name);
            else if (own.length < 31 && (a == network.network || a == network.last()))
                problems.add(*address, "{} is the {} address of {}", address->text(),
                             a == network.network ? "first" : "broadcast", net::to_string(network));
            else if (network.contains(a) && name != item.find("interface")->text())
                problems.add(*address, "{} is on a network of interface {}", address->text(), name);
            else
                continue;
            return;
        }
}

void check(const config::value& root, config::problems& problems)
{
    const auto* list = root.find("neighbors");
    const auto* interfaces = root.find("interfaces");
    if (list == nullptr)
        return;
    std::map<std::pair<std::string, net::ip4_address>, int> lines;
    for (const auto& item : list->items()) {
        const auto& name = item.find("interface")->text();
        const auto* address = item.find("address");
        if (interfaces == nullptr || interfaces->find(name) == nullptr) {
            problems.add(*item.find("interface"), "no interface `{}' is configured", name);
            continue;
        }
        check_address(item, *interfaces, problems);
        const auto [first, fresh] =
            lines.emplace(std::pair{name, address->as<net::ip4_address>()}, item.at().line);
        if (!fresh)
            problems.add(*address, "{} on interface {} already has an entry (line {})",
                         address->text(), name, first->second);
    }
}

result<void> apply(const config::value& root, engine& engine)
{
    const auto* list = root.find("neighbors");
    if (list == nullptr)
        return {};
    for (const auto& item : list->items()) {
        const auto* i = interfaces_of(engine).find(item.find("interface")->text());
        auto done = engine.module<neighbour_table>().add_permanent(
            i->index, item.find("address")->as<net::ip4_address>(),
            item.find("macaddress")->as<net::mac_address>());
        if (!done)
            return fail(done.error().code, "{}: {}", item.path(), done.error().message);
    }
    return {};
}

const config::registration section{{
    .name = "neighbors",
    .keys = {{"neighbors[].interface", config::text("an interface name"),
              "The interface that the neighbour is connected to.", true},
             {"neighbors[].address", config::ip4_address(),
              "The neighbour's address. The entry is inactive until the interface has a network "
              "with it.",
              true},
             {"neighbors[].macaddress", config::mac_address(), "The neighbour's MAC address.",
              true}},
    .check = check,
    .apply = apply,
    .also_reads = {"interfaces"},
    .after = {"ip4-addresses", "ip4-routes"},
}};

result<json> show(command_context& context)
{
    engine& engine = context.engine;
    const duration now = engine.loop().now();
    json rows = json::array();
    const auto& vrfs = engine.module<vrf_table>();
    for (const auto* n : engine.module<neighbour_table>().all())
        rows.push_back({{"age", std::chrono::duration<double>(now - n->since).count()},
                        {"address", net::to_string(n->address)},
                        {"state", to_string(n->state)},
                        {"macaddress", net::to_string(n->mac)},
                        {"interface", interfaces_of(engine).at(n->interface).name},
                        {"vrf", vrfs.name_of(vrfs.of(n->interface))},
                        {"waiting", n->waiting.size()}});
    json used = json::array();
    for (const auto& i : interfaces_of(engine).all())
        if (const auto u = engine.module<neighbour_table>().used_by(i->index); u.neighbours > 0)
            used.push_back({{"interface", i->name},
                            {"neighbors", u.neighbours},
                            {"unanswered", u.unanswered},
                            {"waiting", u.waiting}});
    return json{{"neighbors", rows},
                {"interfaces", used},
                {"limit", neighbour_table::max_neighbours},
                {"unanswered_limit", neighbour_table::max_unanswered},
                {"waiting_limit", neighbour_table::max_waiting}};
}

std::string text(const json& data)
{
    text_table table{{{"Age", 12, right},
                      {"IP", 16, left},
                      {"State", 11, left},
                      {"Ethernet", 18, left},
                      {"Waiting", 8, right},
                      {"Interface", 20, left}}};
    for (const auto& n : data["neighbors"])
        table.row({fmt::format("{:.1f}", n["age"].get<double>()), n["address"], n["state"],
                   n["macaddress"], to_string(n["waiting"]), n["interface"]});
    std::string out = table.str();
    for (const auto& i : data["interfaces"])
        out += fmt::format("\n{}: {} neighbors, {} unanswered (limit {}), {} packets waiting",
                           i["interface"].get<std::string>(), i["neighbors"].get<size_t>(),
                           i["unanswered"].get<size_t>(), data["unanswered_limit"].get<size_t>(),
                           i["waiting"].get<size_t>());
    return out + fmt::format("\nLimits of all interfaces: {} neighbors, {} packets waiting",
                             data["limit"].get<size_t>(), data["waiting_limit"].get<size_t>());
}

const command_registration show_neighbors{
    "show ip neighbors", "Neighbours with MAC address and state, and the usage of each interface",
    show, text};

// Any address will do that may be a neighbour's, now or once the interface has its network.
result<void> check_place(engine& engine, const interface& i, net::ip4_address a)
{
    const auto& ip4 = engine.module<ip4::tables>();
    const std::string text = net::to_string(a);
    if (const auto name = ip4::unroutable({a, 32}); !name.empty())
        return fail(errc::invalid_argument, "{} is in {}", text, name);
    const vrf_index vrf = ip4.vrf_of(i.index);
    if (ip4.own(vrf).contains(a))
        return fail(errc::invalid_argument, "{} is an address of this router", text);
    if (const auto towards = ip4.interface_towards(a, vrf); towards && *towards != i.index)
        return fail(errc::invalid_argument, "{} is on a network of interface {}", text,
                    interfaces_of(engine).at(*towards).name);
    if (ip4.own(vrf).is_broadcast(a))
        return fail(errc::invalid_argument, "{} is the first or the broadcast address of a network",
                    text);
    return {};
}

result<json> add(command_context& context)
{
    const auto i = interface_of(context);
    if (!i)
        return pass(i);
    const auto address = *net::parse<net::ip4_address>(context.arguments.text("address"));
    const auto mac = *net::parse<net::mac_address>(context.arguments.text("mac"));
    if (mac.is_group() || mac.is_zero())
        return fail(errc::invalid_argument, "{} is not a unicast MAC address", net::to_string(mac));
    if (auto good = check_place(context.engine, **i, address); !good)
        return pass(good);
    auto done = context.engine.module<neighbour_table>().add_permanent((*i)->index, address, mac);
    if (!done)
        return pass(done);
    return json("");
}

result<json> del(command_context& context)
{
    const auto i = interface_of(context);
    if (!i)
        return pass(i);
    const auto address = *net::parse<net::ip4_address>(context.arguments.text("address"));
    if (auto done = context.engine.module<neighbour_table>().remove((*i)->index, address); !done)
        return pass(done);
    return json("");
}

const command_registration add_neighbor{
    "ip neighbor add <interface:interface> <address:address> <mac:mac>",
    "Adds a static neighbour; inactive until its network is on the interface", add};
const command_registration del_neighbor{"ip neighbor del <interface:interface> <address:address>",
                                        "Removes a neighbour", del};

} // namespace

} // namespace weft::arp
