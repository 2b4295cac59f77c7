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

// Why an address can be no neighbour's on an interface of a VRF with these addresses; empty if it
// may be, now or once the interface has its network. `name` is called with interfaces of `own`.
template <class Name>
std::string why_no_neighbour(net::ip4_address a, interface_index on, const ip4::own_addresses& own,
                             Name&& name)
{
    if (const auto range = ip4::unroutable({a, 32}); !range.empty())
        return fmt::format("is in {}", range);
    for (const auto& o : own.all()) {
        const auto network = o.network();
        if (o.address == a)
            return fmt::format("is an address of interface {}", name(o.interface));
        if (network.is_end(a))
            return fmt::format("is the {} address of {}",
                               a == network.network ? "first" : "broadcast",
                               net::to_string(network));
        if (network.contains(a) && o.interface != on)
            return fmt::format("is on a network of interface {}", name(o.interface));
    }
    return {};
}

void check(const config::value& root, config::problems& problems)
{
    const auto* list = root.find("neighbors");
    const auto* interfaces = root.find("interfaces");
    if (list == nullptr)
        return;
    const auto own = ip4::configured_addresses(root);
    const auto name_at = [&](interface_index i) { return interfaces->entries()[i].key; };
    std::map<std::string_view, interface_index> numbers;
    if (interfaces != nullptr)
        for (const auto& entry : interfaces->entries())
            numbers.emplace(entry.key, static_cast<interface_index>(numbers.size()));
    std::map<std::pair<std::string, net::ip4_address>, int> lines;
    for (const auto& item : list->items()) {
        const auto& name = item.find("interface")->text();
        const auto* address = item.find("address");
        if (interfaces == nullptr || interfaces->find(name) == nullptr) {
            problems.add(*item.find("interface"), "no interface `{}' is configured", name);
            continue;
        }
        const auto a = address->as<net::ip4_address>();
        const auto& vrf = own.at(vrf_in(*interfaces->find(name)));
        if (const auto why = why_no_neighbour(a, numbers.at(name), vrf, name_at); !why.empty())
            problems.add(*address, "{} {}", address->text(), why);
        const auto [first, fresh] = lines.emplace(std::pair{name, a}, item.at().line);
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

result<json> add(command_context& context)
{
    const auto i = interface_of(context);
    if (!i)
        return pass(i);
    const auto address = *net::parse<net::ip4_address>(context.arguments.text("address"));
    const auto mac = *net::parse<net::mac_address>(context.arguments.text("mac"));
    if (mac.is_group() || mac.is_zero())
        return fail(errc::invalid_argument, "{} is not a unicast MAC address", net::to_string(mac));
    const auto& ip4 = context.engine.module<ip4::tables>();
    const auto name_at = [&](interface_index at) {
        return interfaces_of(context.engine).at(at).name;
    };
    const auto why =
        why_no_neighbour(address, (*i)->index, ip4.own(ip4.vrf_of((*i)->index)), name_at);
    if (!why.empty())
        return fail(errc::invalid_argument, "{} {}", net::to_string(address), why);
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
