// SPDX-License-Identifier: Apache-2.0
// vrf add and del, set interface vrf, show vrf; the configuration's keys `vrfs' and
// `interfaces.*.vrf'.
#include "base/text_table.hh"
#include "control/command/command_parameters.hh"
#include "control/config/config.hh"
#include "graph/engine.hh"
#include "nodes/fib/vrf_arguments.hh"
#include "nodes/fib/vrfs.hh"

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace weft {

namespace {

using json = nlohmann::ordered_json;

result<json> add_vrf(command_context& context)
{
    if (auto done = context.engine.module<vrf_table>().add(context.arguments.text("name")); !done)
        return pass(done);
    return json("");
}

result<json> del_vrf(command_context& context)
{
    if (auto done = context.engine.module<vrf_table>().remove(context.arguments.text("vrf")); !done)
        return pass(done);
    return json("");
}

result<json> set_vrf(command_context& context)
{
    const auto i = interface_of(context);
    if (!i)
        return pass(i);
    const auto vrf = vrf_named(context.engine, context.arguments.text("vrf"));
    if (!vrf)
        return pass(vrf);
    if (auto done = context.engine.module<vrf_table>().bind((*i)->index, *vrf); !done)
        return pass(done);
    return json("");
}

result<json> show_vrf(command_context& context)
{
    const auto& vrfs = context.engine.module<vrf_table>();
    json list = json::array();
    for (auto vrf : vrfs.all()) {
        json interfaces = json::array();
        for (const auto& i : interfaces_of(context.engine).all())
            if (i != nullptr && vrfs.of(i->index) == vrf)
                interfaces.push_back(i->name);
        list.push_back({{"name", vrfs.name_of(vrf)}, {"index", vrf}, {"interfaces", interfaces}});
    }
    return json{{"vrfs", list}};
}

std::string show_vrf_text(const json& data)
{
    text_table table{{{"VRF", 16, text_table::align::left},
                      {"Index", 6, text_table::align::right},
                      {"Interfaces", 50, text_table::align::left}}};
    for (const auto& v : data["vrfs"])
        table.row(
            {v["name"], to_string(v["index"]),
             fmt::format("{}", fmt::join(v["interfaces"].get<std::vector<std::string>>(), " "))});
    return table.str();
}

const command_registration add{"vrf add <name:word>", "Adds a VRF", add_vrf};
const command_registration del{"vrf del <vrf:vrf>",
                               "Removes a VRF that has no interfaces and no routes", del_vrf};
const command_registration set{"set interface vrf <interface:interface> <vrf:vrf>",
                               "Moves an interface, which must have no addresses, to a VRF",
                               set_vrf};
const command_registration show{"show vrf", "VRFs and their interfaces", show_vrf, show_vrf_text};

const argument_type_registration names{
    {.name = "vrf", .help = "a VRF", .names = [](engine& engine) {
         const auto& vrfs = engine.module<vrf_table>();
         std::vector<std::string> all;
         for (auto vrf : vrfs.all())
             all.push_back(vrfs.name_of(vrf));
         return all;
     }}};

void check(const config::value& root, config::problems& problems)
{
    const auto* interfaces = root.find("interfaces");
    const auto* vrfs = root.find("vrfs");
    if (vrfs != nullptr)
        for (const auto& [name, at, settings] : vrfs->entries())
            if (name == vrf_table::default_name)
                problems.add(at, settings.path(), "the default VRF always exists");
    if (interfaces == nullptr)
        return;
    for (const auto& [name, at, settings] : interfaces->entries())
        check_vrf(settings, "vrf", root, problems);
}

result<void> apply(const config::value& root, engine& engine)
{
    auto& table = engine.module<vrf_table>();
    if (const auto* vrfs = root.find("vrfs"))
        for (const auto& [name, at, settings] : vrfs->entries())
            if (auto done = table.add(name); !done)
                return fail(done.error().code, "{}: {}", settings.path(), done.error().message);
    const auto* interfaces = root.find("interfaces");
    if (interfaces == nullptr)
        return {};
    for (const auto& [name, at, settings] : interfaces->entries()) {
        const auto* vrf = settings.find("vrf");
        if (vrf == nullptr)
            continue;
        const auto* i = interfaces_of(engine).find(name);
        if (i == nullptr)
            return fail(errc::not_found, "{}: no interface `{}'", vrf->path(), name);
        const auto number = vrf_named(engine, vrf->text());
        const auto done = number ? table.bind(i->index, *number) : pass(number);
        if (!done)
            return fail(done.error().code, "{}: {}", vrf->path(), done.error().message);
    }
    return {};
}

const config::registration section{{
    .name = "interface-vrfs", // before the addresses, which belong to a VRF
    .keys = {{"vrfs.*", config::mapping(),
              "A VRF, with its own route tables, addresses and neighbours: `vrfs: {blue: {}}`."},
             {"interfaces.*.vrf", config::text("a VRF name"),
              "The VRF of the interface (default `default`)."}},
    .check = check,
    .apply = apply,
    .after = {"interfaces"},
}};

} // namespace

} // namespace weft
