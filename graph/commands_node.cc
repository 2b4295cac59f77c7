// SPDX-License-Identifier: Apache-2.0
// node add next, update next, shrink, clone, delete: changes of the graph by hand, while it runs.
#include "graph/command.hh"
#include "graph/engine.hh"
#include "graph/grace_period.hh"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

namespace weft {

namespace {

using json = nlohmann::ordered_json;

constexpr size_t longest_name = 64;

bool good_name(std::string_view name)
{
    return !name.empty() && name.size() <= longest_name &&
           std::all_of(name.begin(), name.end(), [](unsigned char c) {
               return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
           });
}

// The number of the node that a parameter names.
result<node_id> node_of(const command_context& context, std::string_view parameter)
{
    const auto name = context.arguments.text(parameter);
    const auto* entry = context.host.registry().find(name);
    if (entry == nullptr)
        return fail(errc::not_found, "no node `{}'", name);
    return entry->id;
}

// What was asked for, in short, for show workers.
std::string called(const command_context& context, std::string_view command, std::string_view first,
                   std::string_view second)
{
    return fmt::format("{} {} {}", command, context.arguments.text(first), context.arguments.text(second));
}

// The answer means that every thread runs the graph as it is now.
result<void> change(const command_context& context, const std::string& why,
                    const std::function<result<void>(node_registry&)>& edit)
{
    auto done = context.host.change_graph(edit, why);
    if (done && context.self != nullptr)
        done = wait_grace_period(*context.self);
    return done;
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
    return edge{*from, *to};
}

result<json> add_next(command_context& context)
{
    const auto ends = edge_of(context);
    if (!ends)
        return pass(ends);
    std::optional<size_t> wanted;
    if (context.arguments.has("slot"))
        wanted = context.arguments.number("slot");
    fate slot = 0;
    const auto done = change(context, called(context, "node add next", "from", "to"),
                             [&](node_registry& registry) -> result<void> {
        const auto added = registry.add_next(ends->from, ends->to, wanted);
        if (!added)
            return pass(added);
        slot = *added;
        return {};
    });
    if (!done)
        return pass(done);
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
    const auto done = change(context, called(context, "node update next", "from", "to"),
                             [&](node_registry& registry) {
        return registry.update_next(ends->from, slot, ends->to);
    });
    if (!done)
        return pass(done);
    return json("");
}

result<json> shrink(command_context& context)
{
    const auto id = node_of(context, "node");
    if (!id)
        return pass(id);
    const size_t count = context.arguments.number("count");
    const auto done = change(
        context, called(context, "node shrink", "node", "count"),
        [&](node_registry& registry) { return registry.shrink(*id, count); });
    if (!done)
        return pass(done);
    return json("");
}

// What runs as clones of a template only is about something, a queue or a stream, that nobody gives it here.
result<json> clone(command_context& context)
{
    const std::string name{context.arguments.text("name")};
    if (!good_name(name))
        return fail(errc::invalid_argument,
                    "`{}' is no name of a node (1 to {} letters, digits, `-', `_' and `.')", name,
                    longest_name);
    const auto of = node_of(context, "of");
    if (!of)
        return pass(of);
    const auto& original = context.host.registry().at(*of);
    if (original.descriptor->is_template)
        return fail(errc::invalid_argument,
                    "node `{}' is cloned for each interface, queue or stream, not by hand",
                    original.name);
    const auto done = change(context, called(context, "node clone", "of", "name"),
                             [&](node_registry& registry) -> result<void> {
        const auto made = registry.clone(original.name, name, nullptr);
        if (!made)
            return pass(made);
        registry.at(*made).joined_later = true; // until an edge is added
        return {};
    });
    if (!done)
        return pass(done);
    return json("");
}

result<json> remove(command_context& context)
{
    const auto id = node_of(context, "node");
    if (!id)
        return pass(id);
    const auto& entry = context.host.registry().at(*id);
    if (!entry.owner.empty())
        return fail(errc::invalid_argument, "node `{}' belongs to {}", entry.name, entry.owner);
    const auto done = change(context, "node delete " + entry.name,
                             [&](node_registry& registry) { return registry.remove(*id); });
    if (!done)
        return pass(done);
    return json("");
}

const command_registration add_next_command{
    "node add next <from:node> <to:node> [slot <slot:number>]",
    "Adds a next node at a given slot or the first free one, and tells the slot", add_next,
    slot_text};
const command_registration update_next_command{
    "node update next <from:node> slot <slot:number> <to:node>",
    "Makes a next slot of a node lead to another one", update_next};
const command_registration shrink_command{"node shrink <node:node> <count:number>",
                                          "Takes a node's last next slots away, all but so many",
                                          shrink};
const command_registration clone_command{
    "node clone <of:node> <name:word>",
    "Adds a node that runs as another one, with a context and counters of its own", clone};
const command_registration delete_command{
    "node delete <node:node>", "Takes a clone out of the graph, to which no edge leads any more",
    remove};

} // namespace

} // namespace weft
