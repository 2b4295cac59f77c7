// SPDX-License-Identifier: Apache-2.0
// show plan: what each thread runs, as it was compiled for it; and a warning for patterns that
// choose nothing.
#include "base/text_table.hh"
#include "control/command/command.hh"
#include "graph/engine.hh"
#include "graph/init.hh"

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

namespace weft {

namespace {

using json = nlohmann::ordered_json;
using enum text_table::align;

json node_row(engine& engine, graph_thread& thread, const node_run& run, size_t rank)
{
    const auto& entry = engine.registry().at(run.id());
    const auto& descriptor = *entry.descriptor;
    const uint64_t turns = thread.store_of(run.id())->counters.turns.get();
    json row{{"rank", rank},
             {"name", entry.name},
             {"type", to_string(descriptor.type)},
             {"context_bytes", descriptor.context.size},
             {"started", nullptr},
             {"starts", (turns + 1) / 2}};
    if (descriptor.start != nullptr || descriptor.stop != nullptr)
        row["started"] = turns % 2 == 1;
    return row;
}

json plan_json(engine& engine, unsigned index)
{
    graph_thread& thread = engine.thread(index);
    plan* p = thread.published();
    json nodes = json::array();
    if (p != nullptr)
        for (const auto& run : p->runs())
            nodes.push_back(node_row(engine, thread, run, nodes.size()));
    return {{"id", index},
            {"name", thread.name()},
            {"version", p == nullptr ? 0 : p->version()},
            {"why", p == nullptr ? "" : p->why()},
            {"patterns", engine.nodes_of(index).list()},
            {"nodes", nodes}};
}

result<json> show_plan(command_context& context)
{
    const auto& args = context.arguments;
    const unsigned count = context.engine.thread_count();
    if (args.has("worker") && args.number("worker") >= count)
        return fail(errc::not_found, "no thread {}; threads are 0 (main) to {}",
                    args.number("worker"), count - 1);
    json plans = json::array();
    for (unsigned index = 0; index < count; ++index)
        if (!args.has("worker") || args.number("worker") == index)
            plans.push_back(plan_json(context.engine, index));
    return json{{"detail", args.has("worker")}, {"plans", plans}};
}

std::string patterns_text(const json& plan)
{
    const auto patterns = plan["patterns"].get<std::vector<std::string>>();
    return patterns.empty() ? "*" : fmt::format("{}", fmt::join(patterns, " "));
}

std::string plan_detail(const json& plan)
{
    text_table table{{{"Rank", 4, right},
                      {"Node", 30, left},
                      {"Type", 10, left},
                      {"Context bytes", 13, right},
                      {"Started", 12, left}}};
    for (const auto& n : plan["nodes"])
        table.row({to_string(n["rank"]), n["name"], n["type"], to_string(n["context_bytes"]),
                   n["started"].is_null()
                       ? "-"
                       : fmt::format("{} ({})", n["started"].get<bool>() ? "yes" : "no",
                                     n["starts"].get<uint64_t>())});
    return fmt::format("Thread {} {}: plan {} ({}), {} nodes of {}\n", plan["id"].get<unsigned>(),
                       plan["name"].get<std::string>(), plan["version"].get<uint64_t>(),
                       plan["why"].get<std::string>(), plan["nodes"].size(), patterns_text(plan)) +
           table.str();
}

std::string plan_text(const json& data)
{
    if (data["detail"].get<bool>())
        return plan_detail(data["plans"][0]);
    text_table table{{{"ID", 3, right},
                      {"Name", 16, left},
                      {"Plan", 8, right},
                      {"Nodes", 6, right},
                      {"Published for", 32, left},
                      {"Patterns", 8, left, left}}};
    for (const auto& p : data["plans"])
        table.row({to_string(p["id"]), p["name"], to_string(p["version"]),
                   std::to_string(p["nodes"].size()), p["why"], patterns_text(p)});
    return table.str();
}

const command_registration plans{
    "show plan [worker <worker:number>]",
    "The plan that each thread runs, or the nodes of one worker's plan by rank", show_plan,
    plan_text};

// A worker's pattern that no node's name matches is most often a mistake, but the node may come
// later.
result<void> warn_of_idle_patterns(engine& engine)
{
    const auto any_is = [&](const std::string& pattern) {
        for (const auto& entry : engine.registry().all())
            if (matches(pattern, entry.name))
                return true;
        return false;
    };
    for (unsigned index = 0; index < engine.thread_count(); ++index)
        for (const auto& pattern : engine.nodes_of(index).list()) {
            if (!any_is(pattern.substr(pattern.starts_with('!') ? 1 : 0)))
                spdlog::warn("cpu.workers[{}].nodes: no node matches `{}'", index - 1, pattern);
        }
    return {};
}
const init_registration idle_patterns{"node-patterns", init_phase::start, warn_of_idle_patterns};

} // namespace

} // namespace weft
