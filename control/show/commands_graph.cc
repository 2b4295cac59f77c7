// SPDX-License-Identifier: Apache-2.0
// show node, and the completion of node names.
#include "base/text_table.hh"
#include "control/command/command_parameters.hh"
#include "control/show/statistics.hh"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace weft {

namespace {

using json = nlohmann::ordered_json;
using enum text_table::align;

bool runs(const node_entry& entry)
{
    return !entry.descriptor->is_template || entry.clone_of != no_node;
}

std::string_view state_of(const node_entry& entry)
{
    if (!runs(entry))
        return "template";
    return entry.descriptor->type == node_type::internal ? "active" : to_string(entry.state);
}

std::vector<const node_entry*> by_name(engine& engine)
{
    std::vector<const node_entry*> all;
    for (const auto& entry : engine.registry().all())
        all.push_back(&entry);
    std::sort(all.begin(), all.end(), [](auto* a, auto* b) { return a->name < b->name; });
    return all;
}

json node_json(engine& engine, const node_entry& entry)
{
    const auto& stats = engine.module<statistics>();
    json nexts = json::array();
    for (size_t slot = 0; slot < entry.nexts.size(); ++slot)
        nexts.push_back({{"slot", slot},
                         {"index", entry.nexts[slot]},
                         {"node", engine.registry().at(entry.nexts[slot]).name},
                         {"owner", entry.slot_owners[slot]},
                         {"vectors", stats.sent(entry.id, slot)}});
    json previous = json::array();
    for (node_id id : engine.registry().previous(entry.id))
        if (runs(engine.registry().at(id)))
            previous.push_back({{"node", engine.registry().at(id).name}, {"index", id}});
    json siblings = json::array();
    for (node_id id : engine.registry().siblings(entry.id))
        siblings.push_back({{"node", engine.registry().at(id).name}, {"index", id}});
    json reasons = json::array();
    for (const auto& r : entry.descriptor->reasons)
        reasons.push_back(
            {{"name", r.name}, {"severity", to_string(r.level)}, {"description", r.description}});
    json variants = json::array();
    for (size_t i = 0; i < entry.variants.size(); ++i)
        variants.push_back({{"name", to_string(entry.variants[i].which)},
                            {"priority", static_cast<unsigned>(entry.variants[i].which)},
                            {"active", i == entry.active_variant},
                            {"supported", is_supported(entry.variants[i].which)},
                            {"description", description_of(entry.variants[i].which)}});
    json data{{"name", entry.name},
              {"type", to_string(entry.descriptor->type)},
              {"state", state_of(entry)},
              {"index", entry.id},
              {"clone_of", entry.clone_of == no_node
                               ? json(nullptr)
                               : json(engine.registry().at(entry.clone_of).name)},
              {"sibling_of", entry.sibling_of == no_node
                                 ? json(nullptr)
                                 : json(engine.registry().at(entry.sibling_of).name)},
              {"thread", entry.thread ? json(*entry.thread) : json(nullptr)},
              {"owner", entry.owner},
              {"nexts", nexts},
              {"previous", previous},
              {"siblings", siblings},
              {"variants", variants},
              {"reasons", reasons}};
    return data;
}

result<json> show_node(command_context& context)
{
    json nodes = json::array();
    if (context.arguments.has("name")) {
        const auto entry = node_of(context, "name");
        if (!entry)
            return pass(entry);
        nodes.push_back(node_json(context.engine, **entry));
        return json{{"detail", true}, {"nodes", nodes}};
    }
    for (const auto* entry : by_name(context.engine))
        nodes.push_back(node_json(context.engine, *entry));
    return json{{"detail", false}, {"nodes", nodes}};
}

std::string variants_text(const json& variants)
{
    text_table table{{{"Variant", 10, left},
                      {"Priority", 8, right},
                      {"Active", 6, left},
                      {"Description", 40, left, left}}};
    for (const auto& f : variants)
        table.row({f["name"], to_string(f["priority"]),
                   f["active"].get<bool>()      ? "yes"
                   : f["supported"].get<bool>() ? ""
                                                : "not supported by this CPU",
                   f["description"]});
    return "\n\n node function variants:\n" + table.str();
}

// Three to a line, as VPP does.
std::string nodes_text(std::string_view title, const json& nodes)
{
    if (nodes.empty())
        return "";
    std::string out = fmt::format("\n\n {}:", title);
    size_t column = 0;
    for (const auto& n : nodes)
        out += fmt::format(
            "{}{:<34}", column++ % 3 == 0 ? "\n  " : "",
            fmt::format("{} ({})", n["node"].get<std::string>(), n["index"].get<unsigned>()));
    out.erase(out.find_last_not_of(' ') + 1);
    return out;
}

std::string node_detail(const json& n)
{
    std::string out = fmt::format("node {}, type {}, state {}, index {}",
                                  n["name"].get<std::string>(), n["type"].get<std::string>(),
                                  n["state"].get<std::string>(), n["index"].get<unsigned>());
    if (!n["clone_of"].is_null())
        out += ", clone of " + n["clone_of"].get<std::string>();
    if (!n["sibling_of"].is_null())
        out += ", sibling of " + n["sibling_of"].get<std::string>();
    if (!n["thread"].is_null())
        out += fmt::format(", on thread {}", n["thread"].get<unsigned>());
    if (!n["owner"].get<std::string>().empty())
        out += ", of " + n["owner"].get<std::string>();
    text_table nexts{{{"next-index", 12, right},
                      {"node-index", 12, right},
                      {"Node", 30, left},
                      {"Vectors", 16, right}}};
    for (const auto& next : n["nexts"])
        nexts.row({to_string(next["slot"]), to_string(next["index"]), next["node"],
                   to_string(next["vectors"])});
    if (!n["nexts"].empty())
        out += "\n\n next nodes:\n" + nexts.str();
    out += nodes_text("known previous nodes", n["previous"]);
    out += nodes_text("siblings (share the next nodes)", n["siblings"]);
    if (n["variants"].size() > 1)
        out += variants_text(n["variants"]);
    if (!n["reasons"].empty())
        out += "\n\n reasons to drop or refuse:";
    for (const auto& r : n["reasons"])
        out += fmt::format("\n  {:<20} {:<8} {}", r["name"].get<std::string>(),
                           r["severity"].get<std::string>(), r["description"].get<std::string>());
    return out;
}

std::string node_text(const json& data)
{
    if (data["detail"].get<bool>())
        return node_detail(data["nodes"][0]);
    text_table table{{{"Name", 30, left},
                      {"Type", 10, left},
                      {"State", 10, left},
                      {"Index", 6, right},
                      {"Nexts", 6, right}}};
    for (const auto& n : data["nodes"])
        table.row({n["name"], n["type"], n["state"], to_string(n["index"]),
                   std::to_string(n["nexts"].size())});
    return table.str();
}

const command_registration node{
    "show node [<name:node>]",
    "A node's type, state, next and previous nodes, variants and drop reasons", show_node,
    node_text};

const argument_type_registration node_names{
    {.name = "node", .help = "a node", .names = [](engine& engine) {
         std::vector<std::string> names;
         for (const auto* entry : by_name(engine))
             names.push_back(entry->name);
         return names;
     }}};

} // namespace

} // namespace weft
