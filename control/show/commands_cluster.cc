// SPDX-License-Identifier: Apache-2.0
// show runtime cluster: some nodes' work over some threads, added up.
#include "base/text_table.hh"
#include "control/command/command.hh"
#include "control/show/statistics.hh"

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace weft {

namespace {

using json = nlohmann::ordered_json;
using enum text_table::align;

double ratio(uint64_t a, uint64_t b)
{
    return b > 0 ? static_cast<double>(a) / static_cast<double>(b) : 0;
}

json node_row(const node_entry& entry, const cluster_statistics& n)
{
    return {{"name", entry.name},
            {"threads", n.threads},
            {"calls", n.calls},
            {"objects", n.vectors},
            {"objects_per_call", ratio(n.vectors, n.calls)},
            {"cycles_per_call", ratio(n.clocks, n.calls)},
            {"cycles_per_object", ratio(n.clocks, n.vectors)},
            {"updates_per_second", n.calls_per_second},
            {"objects_per_second", n.vectors_per_second}};
}

result<json> show_cluster(command_context& context)
{
    const auto& args = context.arguments;
    const std::string nodes{args.text("pattern")};
    const std::string threads{args.has("workers") ? args.text("threads") : "*"};
    std::vector<std::string> chosen;
    std::vector<std::string> all;
    for (unsigned i = 0; i < context.engine.thread_count(); ++i) {
        const auto& name = context.engine.thread(i).name();
        all.push_back(name);
        if (matches(threads, name))
            chosen.push_back(name);
    }
    if (chosen.empty())
        return fail(errc::not_found, "no thread matches `{}'; threads are {}", threads,
                    fmt::join(all, ", "));
    json rows = json::array();
    for (const auto& n : context.engine.module<statistics>().cluster(nodes, threads))
        rows.push_back(node_row(context.engine.registry().at(n.id), n));
    if (rows.empty())
        return fail(errc::not_found, "no node on {} matches `{}' (see show node)",
                    fmt::join(chosen, ", "), nodes);
    return json{{"pattern", nodes}, {"threads", chosen}, {"nodes", rows}};
}

std::string cluster_text(const json& data)
{
    text_table table{{{"Node", 30, left},
                      {"Threads", 7, right},
                      {"Calls", 16, right},
                      {"Objects", 16, right},
                      {"Objects/Call", 12, right},
                      {"Cycles/Call", 12, right},
                      {"Updates/s", 12, right},
                      {"Objects/s", 12, right}}};
    for (const auto& n : data["nodes"])
        table.row({n["name"], to_string(n["threads"]), to_string(n["calls"]),
                   to_string(n["objects"]),
                   fmt::format("{:.2f}", n["objects_per_call"].get<double>()),
                   fmt::format("{:.1f}", n["cycles_per_call"].get<double>()),
                   fmt::format("{:.1f}", n["updates_per_second"].get<double>()),
                   fmt::format("{:.1f}", n["objects_per_second"].get<double>())});
    return fmt::format("Cluster of `{}' on {}\n", data["pattern"].get<std::string>(),
                       fmt::join(data["threads"].get<std::vector<std::string>>(), ", ")) +
           table.str();
}

const command_registration cluster{
    "show runtime cluster <pattern:word> [workers <threads:word>]",
    "Nodes that match a shell pattern, summed over threads, with their rates", show_cluster,
    cluster_text};

} // namespace

} // namespace weft
