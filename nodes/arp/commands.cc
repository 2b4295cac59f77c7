// SPDX-License-Identifier: Apache-2.0
// The configuration section `neighbors`, show ip neighbors, ip neighbor add and del.
#include "graph/command_parameters.hh"
#include "graph/config.hh"
#include "nodes/arp/neighbours.hh"

#include <nlohmann/json.hpp>

namespace weft::arp {

namespace {

using json = nlohmann::ordered_json;
using enum text_table::align;

void check(const config::value& root, config::problems& problems)
{
    const auto* list = root.find("neighbors");
    const auto* interfaces = root.find("interfaces");
    if (list == nullptr)
        return;
    for (const auto& item : list->items()) {
        const auto* interface = item.find("interface");
        const auto* settings =
            interfaces == nullptr ? nullptr : interfaces->find(interface->text());
        if (settings == nullptr) {
            problems.add(*interface, "no interface `{}' is configured", interface->text());
            continue;
        }
        const auto* address = item.find("address");
        const auto a = address->as<net::ip4_address>();
        bool near = false;
        bool nobody = false; // the router's own, or an end of a network
        for (const auto& own : settings->list<net::ip4_interface_address>("addresses")) {
            const auto network = own.network();
            near = near || network.contains(a);
            nobody = nobody || own.address == a ||
                     (own.length < 31 && (a == network.network || a == network.last()));
        }
        if (!near || nobody)
            problems.add(*address, "{} is on no network of interface {}", address->text(),
                         interface->text());
    }
}

result<void> apply(const config::value& root, engine& host)
{
    const auto* list = root.find("neighbors");
    if (list == nullptr)
        return {};
    for (const auto& item : list->items()) {
        const auto* i = host.interfaces().find(item.find("interface")->text());
        auto done = host.room<neighbour_table>().add_permanent(
            i->index, item.find("address")->as<net::ip4_address>(),
            item.find("macaddress")->as<net::mac_address>());
        if (!done)
            return fail(done.error().code, "{}: {}", item.path(), done.error().message);
    }
    return {};
}

const config::registration section{{
    .name = "neighbors",
    .stage = config::stage::routes,
    .keys = {{"neighbors[].interface", config::text("an interface's name"),
              "The interface behind which the neighbour is.", true},
             {"neighbors[].address", config::ip4_address(), "Its address.", true},
             {"neighbors[].macaddress", config::mac_address(), "Its MAC address.", true}},
    .check = check,
    .apply = apply,
    .also_reads = {"interfaces"},
}};

result<json> show(command_context& context)
{
    engine& host = context.host;
    const duration now = host.loop().now();
    json rows = json::array();
    for (const auto* n : host.room<neighbour_table>().all())
        rows.push_back({{"age", std::chrono::duration<double>(now - n->since).count()},
                        {"address", net::to_string(n->address)},
                        {"state", to_string(n->state)},
                        {"macaddress", net::to_string(n->mac)},
                        {"interface", host.interfaces().at(n->interface).name},
                        {"waiting", n->waiting.size()}});
    return json{{"neighbors", rows}, {"limit", neighbour_table::max_neighbours}};
}

std::string text(const json& data)
{
    text_table table{{{"Age", 12, right}, {"IP", 16, left}, {"State", 11, left},
                      {"Ethernet", 18, left}, {"Waiting", 8, right}, {"Interface", 20, left}}};
    for (const auto& n : data["neighbors"])
        table.row({fmt::format("{:.1f}", n["age"].get<double>()), n["address"], n["state"],
                   n["macaddress"], to_string(n["waiting"]), n["interface"]});
    return table.str();
}

const command_registration show_neighbors{"show ip neighbors", "Neighbours, their MACs and states",
                                          show, text};

result<json> add(command_context& context)
{
    const auto i = interface_of(context);
    if (!i)
        return pass(i);
    const auto address = *net::parse<net::ip4_address>(context.arguments.text("address"));
    const auto mac = *net::parse<net::mac_address>(context.arguments.text("mac"));
    if (mac.is_group() || mac.is_zero())
        return fail(errc::invalid_argument, "{} is no station's MAC address", net::to_string(mac));
    if (context.host.room<ip4::tables>().interface_towards(address) != (*i)->index)
        return fail(errc::invalid_argument, "{} is on no network of interface {}",
                    net::to_string(address), (*i)->name);
    auto done = context.host.room<neighbour_table>().add_permanent((*i)->index, address, mac);
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
    if (auto done = context.host.room<neighbour_table>().remove((*i)->index, address); !done)
        return pass(done);
    return json("");
}

const command_registration add_neighbor{
    "ip neighbor add <interface:interface> <address:address> <mac:mac>",
    "Adds a neighbour that is never asked for and never ages", add};
const command_registration del_neighbor{"ip neighbor del <interface:interface> <address:address>",
                                        "Forgets a neighbour", del};

} // namespace

} // namespace weft::arp
