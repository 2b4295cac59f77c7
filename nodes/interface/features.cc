// SPDX-License-Identifier: Apache-2.0
// Features of interfaces: the key interfaces.*.features, set interface feature, show features.
#include "graph/feature_arc.hh"

#include "base/nearest.hh"
#include "control/command/command.hh"
#include "control/config/config.hh"
#include "graph/engine.hh"
#include "nodes/interface/interface.hh"

#include <algorithm>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace weft {

namespace {

using json = nlohmann::ordered_json;

// Calls `function` with each name in interfaces.*.features, and the interface's.
template <class Function>
void for_each_feature(const config::value& root, Function&& function)
{
    const auto* interfaces = root.find("interfaces");
    if (interfaces == nullptr)
        return;
    for (const auto& [name, key_at, settings] : interfaces->entries())
        if (const auto* list = settings.find("features"))
            for (const auto& item : list->items())
                function(name, item);
}

void check_features(const config::value& root, config::problems& problems)
{
    const auto known = registered_features();
    for_each_feature(root, [&](const std::string&, const config::value& item) {
        if (std::find(known.begin(), known.end(), item.text()) != known.end())
            return;
        const std::vector<std::string> words{known.begin(), known.end()};
        const auto near = nearest(item.text(), words);
        problems.add(item, "no feature `{}'{}", item.text(),
                     near.empty() ? "" : fmt::format("; the nearest is `{}'", near));
    });
}

result<void> apply_features(const config::value& root, engine& engine)
{
    result<void> outcome;
    for_each_feature(root, [&](const std::string& name, const config::value& item) {
        const auto* i = interfaces_of(engine).find(name);
        if (i == nullptr || !outcome)
            return;
        outcome = engine.module<feature_arcs>().set(item.text(), i->index, true);
    });
    return outcome;
}

const config::registration section{{
    .name = "features",
    .keys = {{"interfaces.*.features", config::list_of(config::text("a feature name")),
              "Features to turn on (`show features` lists them)."}},
    .check = check_features,
    .apply = apply_features,
    .after = {"interfaces"},
}};

result<json> set_feature(command_context& context)
{
    auto i = interface_of(context);
    if (!i)
        return pass(i);
    auto done = context.engine.module<feature_arcs>().set(
        context.arguments.text("feature"), (*i)->index, context.arguments.text("state") == "on");
    if (!done)
        return pass(done);
    return json("");
}

const command_registration set_command{
    "set interface feature <interface:interface> <feature:feature> <state:on|off>",
    "Turns a feature of an interface on or off", set_feature};

json chains_of(engine& engine, const interface& i)
{
    const auto& arcs = engine.module<feature_arcs>();
    json chains = json::array();
    for (const auto& arc : arcs.all())
        if (const auto names = arcs.chain(arc, i.index); !names.empty())
            chains.push_back({{"arc", arc.name}, {"features", names}});
    return {{"interface", i.name}, {"arcs", chains}};
}

result<json> show_one(command_context& context)
{
    auto i = interface_of(context);
    if (!i)
        return pass(i);
    return chains_of(context.engine, **i);
}

std::string one_text(const json& data)
{
    std::string out;
    for (const auto& arc : data["arcs"])
        out += fmt::format("{}{}: {}", out.empty() ? "" : "\n", arc["arc"].get<std::string>(),
                           fmt::join(arc["features"].get<std::vector<std::string>>(), " -> "));
    return out.empty() ? "No feature is on." : out;
}

const command_registration one{"show interface <interface:interface> features",
                               "The features that are on for an interface, by arc", show_one,
                               one_text};

result<json> show_all(command_context& context)
{
    const auto& arcs = context.engine.module<feature_arcs>();
    json list = json::array();
    for (const auto& arc : arcs.all()) {
        json features = json::array();
        for (size_t k = 1; k < arc.members.size(); ++k) {
            std::vector<std::string> on;
            for (const uint16_t index : arc.members[k].on)
                on.push_back(interfaces_of(context.engine).at(index).name);
            features.push_back({{"name", arc.members[k].name}, {"interfaces", on}});
        }
        list.push_back({{"arc", arc.name},
                        {"end", context.engine.registry().at(arc.end).name},
                        {"features", features}});
    }
    return json{{"arcs", list}};
}

std::string all_text(const json& data)
{
    std::string out;
    for (const auto& arc : data["arcs"]) {
        out += fmt::format("{}{} (before {})", out.empty() ? "" : "\n",
                           arc["arc"].get<std::string>(), arc["end"].get<std::string>());
        for (const auto& feature : arc["features"]) {
            const auto on = feature["interfaces"].get<std::vector<std::string>>();
            out += fmt::format("\n  {:<28} {}", feature["name"].get<std::string>(),
                               on.empty() ? "off" : fmt::format("on: {}", fmt::join(on, ", ")));
        }
    }
    return out;
}

const command_registration all{"show features",
                               "The feature arcs, their features in order, and where they are on",
                               show_all, all_text};

const argument_type_registration feature_names{
    {.name = "feature", .help = "a feature", .names = [](engine&) {
         const auto names = registered_features();
         return std::vector<std::string>{names.begin(), names.end()};
     }}};

} // namespace

} // namespace weft
