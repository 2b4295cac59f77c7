// SPDX-License-Identifier: Apache-2.0
// node add next, update next, shrink, clone, delete, set node function: changes of the graph by
// hand, while it runs.
#include "base/name.hh"
#include "control/command/command_parameters.hh"
#include "graph/engine.hh"
#include "graph/thread/grace_period.hh"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace weft {

namespace {

using json = nlohmann::ordered_json;

constexpr size_t max_name = 64;

// What was asked for, in short, for show workers.
std::string called(const command_context& context, std::string_view command, std::string_view first,
                   std::string_view second)
{
    return fmt::format("{} {} {}", command, context.arguments.text(first),
                       context.arguments.text(second));
}

// The answer, with nothing in it, means that every thread runs the graph as it is now.
result<json> change(const command_context& context, const std::string& why,
                    const std::function<result<void>(node_registry&)>& edit)
{
    auto done = context.engine.change_graph(edit, why);
    if (done && context.self != nullptr)
        done = wait_grace_period(*context.self);
    if (!done)
        return pass(done);
    return json("");
}

struct edge {
    node_id from;
    node_id to;
};

result<edge> edge_of(const command_context& context)
{
    const auto from = node_of(context, "from");
    const auto to = node_of(context, "to");
    if (!from || !to)
        return pass(from ? to : from);
    return edge{(*from)->id, (*to)->id};
}

result<json> add_next(command_context& context)
{
    const auto ends = edge_of(context);
    if (!ends)
        return pass(ends);
    std::optional<size_t> wanted;
    if (context.arguments.has("slot"))
        wanted = context.arguments.number("slot");
    next_index slot = 0;
    const auto done = change(context, called(context, "node add next", "from", "to"),
                             [&](node_registry& registry) -> result<void> {
                                 const auto added = registry.add_next(ends->from, ends->to, wanted);
                                 if (!added)
                                     return pass(added);
                                 slot = *added;
                                 return {};
                             });
    if (!done)
        return done;
    return json{{"slot", slot}};
}

std::string slot_text(const json& data)
{
    return fmt::format("slot {}", data["slot"].get<unsigned>());
}

result<json> update_next(command_context& context)
{
    const auto ends = edge_of(context);
    if (!ends)
        return pass(ends);
    const size_t slot = context.arguments.number("slot");
    return change(
        context, called(context, "node update next", "from", "to"),
        [&](node_registry& registry) { return registry.update_next(ends->from, slot, ends->to); });
}

result<json> shrink(command_context& context)
{
    const auto node = node_of(context, "node");
    if (!node)
        return pass(node);
    const node_id id = (*node)->id; // the entry moves when the graph changes
    const size_t count = context.arguments.number("count");
    return change(context, called(context, "node shrink", "node", "count"),
                  [&](node_registry& registry) { return registry.shrink(id, count); });
}

// What runs as clones of a template only is about something, a queue or a stream, that nobody gives
// it here.
result<json> clone(command_context& context)
{
    const std::string name{context.arguments.text("name")};
    if (!good_name(name, max_name))
        return fail(errc::invalid_argument,
                    "`{}' is not a valid node name (1 to {} letters, digits, `-', `_' and `.')",
                    name, max_name);
    const auto of = node_of(context, "of");
    if (!of)
        return pass(of);
    const std::string original = (*of)->name;
    if ((*of)->descriptor->is_template)
        return fail(
            errc::invalid_argument,
            "node `{}' is cloned for each interface, queue or stream; it cannot be cloned manually",
            original);
    return change(context, called(context, "node clone", "of", "name"),
                  [&](node_registry& registry) -> result<void> {
                      const auto made = registry.clone(original, name, nullptr);
                      if (!made)
                          return pass(made);
                      registry.at(*made).joined_later = true; // until an edge is added
                      return {};
                  });
}

result<json> remove(command_context& context)
{
    const auto node = node_of(context, "node");
    if (!node)
        return pass(node);
    const node_entry& entry = **node;
    const node_id id = entry.id;
    if (!entry.owner.empty())
        return fail(errc::invalid_argument, "node `{}' belongs to {}", entry.name, entry.owner);
    return change(context, "node delete " + entry.name,
                  [&](node_registry& registry) { return registry.remove(id); });
}

result<json> set_function(command_context& context)
{
    const auto node = node_of(context, "name");
    if (!node)
        return pass(node);
    const node_id id = (*node)->id;
    constexpr std::array all{variant::plain, variant::baseline, variant::avx2, variant::avx512};
    const auto wanted = std::find_if(all.begin(), all.end(), [&](variant f) {
        return to_string(f) == context.arguments.text("variant"); // the syntax has no others
    });
    return change(context, called(context, "set node function", "name", "variant"),
                  [&](node_registry& registry) { return registry.set_variant(id, *wanted); });
}

const command_registration function_command{
    "set node function <name:node> <variant:plain|baseline|avx2|avx512>",
    "Selects the variant of a node's function", set_function};
const command_registration add_next_command{
    "node add next <from:node> <to:node> [slot <slot:number>]",
    "Adds a next node in a given slot or the first free one, and prints the slot", add_next,
    slot_text};
const command_registration update_next_command{
    "node update next <from:node> slot <slot:number> <to:node>",
    "Points a next slot of a node to another node", update_next};
const command_registration shrink_command{
    "node shrink <node:node> <count:number>",
    "Removes a node's last next slots, so that this many remain", shrink};
const command_registration clone_command{"node clone <of:node> <name:word>",
                                         "Adds a copy of a node, with its own context and counters",
                                         clone};
const command_registration delete_command{"node delete <node:node>",
                                          "Removes a clone that no edge leads to", remove};

} // namespace

} // namespace weft
