// SPDX-License-Identifier: Apache-2.0
// Whether what a plugin registers goes with all that is registered already.
#include "base/place.hh"
#include "control/command/command.hh"
#include "daemon/plugins.hh"
#include "graph/init.hh"
#include "graph/plan.hh"
#include "graph/process/process.hh"
#include "nodes/fib/adjacency_kind.hh"
#include "nodes/interface/kind.hh"

#include <algorithm>
#include <fmt/ranges.h>
#include <map>
#include <set>

namespace weft {

namespace {

using lines = std::set<std::string, std::less<>>;

void add_lines(lines& to, std::string_view text)
{
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        to.emplace(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

void add_graph(lines& faults)
{
    const auto registry = node_registry::registered();
    if (!registry)
        return add_lines(faults, registry.error().message);
    if (const auto kinds = fib::check_kinds(*registry); !kinds)
        add_lines(faults, kinds.error().message);
    if (const auto order = plan::order(*registry, 0); !order)
        add_lines(faults, order.error().message);
}

void add_processes(lines& faults)
{
    std::map<std::string_view, const process_registration*> named;
    for (const auto* p : registered_processes())
        if (const auto [at, fresh] = named.emplace(p->name, p); !fresh)
            faults.insert(fmt::format("two processes are called `{}': {} and {}", p->name,
                                      place_of(at->second->where), place_of(p->where)));
}

// Whatever is wrong, a sentence each.
lines faults_now()
{
    lines faults;
    add_graph(faults);
    add_processes(faults);
    if (const auto schema = config::schema::registered(); !schema)
        add_lines(faults, schema.error().message);
    if (const auto kinds = interface_kinds::registered(); !kinds)
        add_lines(faults, kinds.error().message);
    if (const auto commands = command_table::registered(); !commands)
        add_lines(faults, commands.error().message);
    for (auto phase : init_phases)
        if (const auto order = init_order(phase); !order)
            add_lines(faults, order.error().message);
    return faults;
}

lines keys_now()
{
    lines paths;
    if (const auto schema = config::schema::registered())
        for (const auto* key : schema->keys())
            paths.insert(key->path);
    return paths;
}

} // namespace

result<void> check_registrations(std::string_view name, const std::function<result<void>()>& load)
{
    const lines old_keys = keys_now();
    const lines old_faults = faults_now();
    if (auto loaded = load(); !loaded)
        return loaded;
    std::vector<std::string> faults;
    for (const auto& fault : faults_now())
        if (!old_faults.contains(fault))
            faults.push_back(fault);
    // so that the keys of a plugin that is not loaded can be told from mistakes
    for (const auto& path : keys_now())
        if (!old_keys.contains(path) && path.substr(0, path.find_first_of(".[")) != name)
            faults.push_back(
                fmt::format("its configuration key {} does not begin with `{}.'", path, name));
    if (!faults.empty())
        return fail(errc::invalid_argument, "{}", fmt::join(faults, "; "));
    return {};
}

} // namespace weft
