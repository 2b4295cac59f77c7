// SPDX-License-Identifier: Apache-2.0
// Looks up what commands name.
#include "control/command/command_parameters.hh"

#include "graph/engine.hh"

namespace weft {

result<node_entry*> find_node(engine& engine, std::string_view name)
{
    node_entry* found = engine.registry().find(name);
    if (found == nullptr)
        return fail(errc::not_found, "no node `{}'", name);
    return found;
}

result<node_entry*> node_of(const command_context& context, std::string_view parameter)
{
    return find_node(context.engine, context.arguments.text(parameter));
}

result<uint64_t> number_within(const command_arguments& args, std::string_view name,
                               uint64_t lowest, uint64_t highest, uint64_t otherwise)
{
    if (!args.has(name))
        return otherwise;
    const uint64_t number = args.number(name);
    if (number < lowest || number > highest)
        return fail(errc::invalid_argument, "{}: {} is not between {} and {}", name, number, lowest,
                    highest);
    return number;
}

} // namespace weft
