// SPDX-License-Identifier: Apache-2.0
// show runtime, show errors, show workers, and what clears them.
#include "base/text_table.hh"
#include "control/command/command.hh"
#include "control/show/statistics.hh"
#include "graph/init.hh"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace weft {

namespace {

using json = nlohmann::ordered_json;
using enum text_table::align;

double ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

// An adaptive input is on each thread what it is just now.
std::string_view state_word(const engine& engine, unsigned thread, const node_entry& entry)
{
    if (entry.descriptor->type == node_type::internal)
        return "active";
    const auto* store = engine.thread(thread).store_of(entry.id);
    const bool quiet = store != nullptr && store->activity.quiet.load(std::memory_order_relaxed);
    switch (entry.state) {
    case node_state::adaptive:
        return quiet ? "interrupt wait" : "polling";
    case node_state::interrupt:
        return "interrupt wait";
    default:
        return to_string(entry.state);
    }
}

json node_row(const engine& engine, unsigned thread, const node_entry& entry,
              const node_statistics& n)
{
    const auto clocks = static_cast<double>(n.clocks);
    const uint64_t per = n.vectors > 0 ? n.vectors : n.calls;
    return {
        {"name", entry.name},
        {"state", state_word(engine, thread, entry)},
        {"calls", n.calls},
        {"vectors", n.vectors},
        {"suspends", 0},
        {"clocks", ratio(clocks, static_cast<double>(per))},
        {"vectors_per_call", ratio(static_cast<double>(n.vectors), static_cast<double>(n.calls))},
        {"clocks_per_call", ratio(clocks, static_cast<double>(n.calls))},
        {"max_node_clocks", n.max_clocks},
        {"vectors_at_max", n.max_clocks_vectors},
        {"max_clocks", ratio(static_cast<double>(n.max_clocks),
                             static_cast<double>(std::max<uint64_t>(n.max_clocks_vectors, 1)))}};
}

json process_row(const process_status& p)
{
    return {{"name", p.name},
            {"state", to_short_string(p.state)},
            {"calls", p.runs},
            {"vectors", 0},
            {"suspends", p.suspends},
            {"clocks", ratio(static_cast<double>(p.clocks), static_cast<double>(p.suspends))},
            {"vectors_per_call", 0.0},
            {"clocks_per_call", ratio(static_cast<double>(p.clocks), static_cast<double>(p.runs))},
            {"max_node_clocks", 0},
            {"vectors_at_max", 0},
            {"max_clocks", 0.0}};
}

json thread_json(engine& engine, unsigned index)
{
    const auto& stats = engine.module<statistics>();
    const thread_statistics t = stats.of_thread(index);
    std::array<uint64_t, 4> by_role{};
    uint64_t internal_calls = 0;
    uint64_t internal_vectors = 0;
    std::vector<json> rows;
    for (const auto& n : t.nodes) {
        const auto& entry = engine.registry().at(n.id);
        by_role[static_cast<size_t>(entry.descriptor->role)] += n.vectors;
        if (entry.descriptor->type == node_type::internal) {
            internal_calls += n.calls;
            internal_vectors += n.vectors;
        }
        if (n.calls > 0)
            rows.push_back(node_row(engine, index, entry, n));
    }
    if (index == 0)
        for (const auto& p : stats.processes())
            if (p.runs > 0)
                rows.push_back(process_row(p));
    std::sort(rows.begin(), rows.end(),
              [](const json& a, const json& b) { return a["name"] < b["name"]; });
    const auto rate = [&](node_role role) {
        return ratio(static_cast<double>(by_role[static_cast<size_t>(role)]), t.seconds);
    };
    return {{"index", index},
            {"name", engine.thread(index).name()},
            {"core", engine.thread(index).core()},
            {"seconds", t.seconds},
            {"vectors_per_node",
             ratio(static_cast<double>(internal_vectors), static_cast<double>(internal_calls))},
            {"loops_per_second", ratio(static_cast<double>(t.loops), t.seconds)},
            {"in", ratio(static_cast<double>(t.entered), t.seconds)},
            {"out", rate(node_role::output)},
            {"drop", rate(node_role::dropped)},
            {"punt", rate(node_role::punted)},
            {"nodes", rows}};
}

result<json> show_runtime(command_context& context)
{
    json threads = json::array();
    const auto& args = context.arguments;
    if (args.has("worker") && args.number("worker") >= context.engine.thread_count())
        return fail(errc::not_found, "no thread {}; threads are 0 (main) to {}",
                    args.number("worker"), context.engine.thread_count() - 1);
    for (unsigned index = 0; index < context.engine.thread_count(); ++index)
        if (!args.has("worker") || args.number("worker") == index)
            threads.push_back(thread_json(context.engine, index));
    return json{{"max", args.has("max")}, {"summary", args.has("summary")}, {"threads", threads}};
}

text_table usual_table(const json& thread)
{
    text_table table{{{"Name", 30, left},
                      {"State", 12, centre},
                      {"Calls", 16, right},
                      {"Vectors", 16, right},
                      {"Suspends", 16, right},
                      {"Clocks", 16, right},
                      {"Vectors/Call", 16, right}}};
    for (const auto& n : thread["nodes"])
        table.row({n["name"], n["state"], to_string(n["calls"]), to_string(n["vectors"]),
                   to_string(n["suspends"]), fmt::format("{:.2e}", n["clocks"].get<double>()),
                   fmt::format("{:.2f}", n["vectors_per_call"].get<double>())});
    return table;
}

text_table max_table(const json& thread)
{
    text_table table{{{"Name", 30, left},
                      {"Max Node Clocks", 17, right},
                      {"Vectors at Max", 16, right},
                      {"Max Clocks", 16, right},
                      {"Avg Clocks", 16, right},
                      {"Avg Vectors/Call", 18, right}}};
    for (const auto& n : thread["nodes"])
        table.row({n["name"], fmt::format("{:.2e}", n["max_node_clocks"].get<double>()),
                   to_string(n["vectors_at_max"]),
                   fmt::format("{:.2e}", n["max_clocks"].get<double>()),
                   fmt::format("{:.2e}", n["clocks"].get<double>()),
                   fmt::format("{:.2f}", n["vectors_per_call"].get<double>())});
    return table;
}

std::string runtime_text(const json& data)
{
    std::string out;
    for (const auto& t : data["threads"]) {
        if (!out.empty())
            out += "\n---------------\n";
        if (data["threads"].size() > 1 || t["index"] != 0)
            out += fmt::format("Thread {} {} (lcore {})\n", t["index"].get<unsigned>(),
                               t["name"].get<std::string>(), t["core"].get<unsigned>());
        out += fmt::format(
            "Time {:.1f}, {:.0f} sec internal node vector rate {:.2f} loops/sec {:.2f}\n"
            "  vector rates in {:.4e}, out {:.4e}, drop {:.4e}, punt {:.4e}",
            t["seconds"].get<double>(), t["seconds"].get<double>(),
            t["vectors_per_node"].get<double>(), t["loops_per_second"].get<double>(),
            t["in"].get<double>(), t["out"].get<double>(), t["drop"].get<double>(),
            t["punt"].get<double>());
        if (!data["summary"].get<bool>())
            out += '\n' + (data["max"].get<bool>() ? max_table(t) : usual_table(t)).str();
    }
    return out;
}

const command_registration runtime{
    "show runtime [max] [summary] [worker <worker:number>]",
    "Calls, packets and TSC cycles per packet of every node, by thread", show_runtime,
    runtime_text};

result<json> show_errors(command_context& context)
{
    json rows = json::array();
    for (const auto& r : context.engine.module<statistics>().reasons()) {
        const auto& entry = context.engine.registry().at(r.node);
        const reason& what = entry.descriptor->reasons[r.reason];
        rows.push_back({{"count", r.count},
                        {"node", entry.name},
                        {"reason", what.name},
                        {"severity", to_string(what.level)},
                        {"description", what.description}});
    }
    return json{{"errors", rows}};
}

std::string errors_text(const json& data)
{
    text_table table{{{"Count", 10, right},
                      {"Node", 35, left},
                      {"Reason", 35, left},
                      {"Severity", 10, left},
                      {"Description", 11, left, left}}};
    for (const auto& r : data["errors"])
        table.row({to_string(r["count"]), r["node"], r["reason"], r["severity"], r["description"]});
    return table.str();
}

const command_registration errors{"show errors", "Why packets were dropped or refused, by node",
                                  show_errors, errors_text};

result<json> show_workers(command_context& context)
{
    json rows = json::array();
    for (unsigned i = 0; i < context.engine.thread_count(); ++i) {
        const graph_thread& t = context.engine.thread(i);
        const change_pause pause = t.longest_pause();
        rows.push_back({{"id", i},
                        {"name", t.name()},
                        {"type", i == 0 ? "main" : "worker"},
                        {"core", t.core()},
                        {"loops", t.loops()},
                        {"sleeps", t.sleeps()},
                        {"packets_in", t.entered()},
                        {"plan_changes", t.plan_changes()},
                        {"longest_pause_us", context.engine.seconds_of(pause.clocks) * 1e6},
                        {"longest_pause_cause", pause.cause},
                        {"events_lost", t.events_lost()}});
    }
    return json{{"workers", rows}};
}

std::string workers_text(const json& data)
{
    text_table table{{{"ID", 3, right},
                      {"Name", 16, left},
                      {"Type", 8, left},
                      {"lcore", 6, right},
                      {"Loops", 16, right},
                      {"Sleeps", 12, right},
                      {"Packets in", 16, right},
                      {"Plans", 6, right},
                      {"Longest pause us", 17, right},
                      {"Cause", 5, left, left}}};
    for (const auto& w : data["workers"])
        table.row(
            {to_string(w["id"]), w["name"], w["type"], to_string(w["core"]), to_string(w["loops"]),
             to_string(w["sleeps"]), to_string(w["packets_in"]), to_string(w["plan_changes"]),
             fmt::format("{:.1f}", w["longest_pause_us"].get<double>()), w["longest_pause_cause"]});
    return table.str();
}

const command_registration workers{
    "show workers", "Threads and cores; the longest pause of each for a change, and its cause",
    show_workers, workers_text};

result<json> clear_runtime(command_context& context)
{
    context.engine.module<statistics>().clear_runtime();
    return json("");
}
result<json> clear_errors(command_context& context)
{
    context.engine.module<statistics>().clear_reasons();
    return json("");
}
const command_registration clear_1{
    "clear runtime", "Clears the counters and maxima of `show runtime'", clear_runtime};
const command_registration clear_2{"clear errors", "Clears the counters of `show errors'",
                                   clear_errors};

// The time of `show runtime' begins when the router does its work.
const init_registration begin{"statistics", init_phase::main_loop_enter,
                              [](engine& engine) -> result<void> {
                                  engine.module<statistics>().clear_runtime();
                                  return {};
                              }};

} // namespace

} // namespace weft
