// SPDX-License-Identifier: Apache-2.0
// show processes, what starts and stops them, and the timers that they wait by.
#include "base/text_table.hh"
#include "control/command/command.hh"
#include "control/show/statistics.hh"
#include "graph/process_table.hh"

#include <nlohmann/json.hpp>

namespace weft {

namespace {

using json = nlohmann::ordered_json;
using enum text_table::align;

double milliseconds(duration d)
{
    return std::chrono::duration<double, std::milli>(d).count();
}

json time_left(const process_status& p)
{
    if (!p.time_left)
        return nullptr;
    return std::chrono::duration<double>(*p.time_left).count();
}

result<json> show_processes(command_context& context)
{
    json rows = json::array();
    for (const auto& p : context.engine.module<statistics>().processes())
        rows.push_back({{"id", p.id},
                        {"name", p.name},
                        {"state", to_short_string(p.state)},
                        {"waits_for", p.waits_for},
                        {"time_left_s", time_left(p)},
                        {"starts", p.starts},
                        {"suspends", p.suspends},
                        {"runs", p.runs},
                        {"clocks", p.clocks},
                        {"events", p.events},
                        {"events_pending", p.events_pending},
                        {"events_lost", p.events_lost},
                        {"events_late", p.events_late},
                        {"long_runs", p.long_runs},
                        {"longest_run_ms", milliseconds(p.longest_run)},
                        {"stack_size", p.stack_size},
                        {"stack_used", p.stack_used}});
    return json{{"processes", rows}};
}

std::string processes_text(const json& data)
{
    text_table table{{{"ID", 5, right},
                      {"Name", 20, left},
                      {"State", 12, centre},
                      {"Waits for", 24, left},
                      {"Left", 9, right},
                      {"Suspends", 10, right},
                      {"Clocks/run", 12, right},
                      {"Events", 8, right},
                      {"Lost", 6, right},
                      {"Long", 6, right},
                      {"Longest ms", 11, right},
                      {"Stack used", 18, right}}};
    for (const auto& p : data["processes"]) {
        const double runs = std::max<double>(p["runs"].get<double>(), 1);
        table.row(
            {to_string(p["id"]), p["name"], p["state"], p["waits_for"],
             p["time_left_s"].is_null() ? "-"
                                        : fmt::format("{:.2f}", p["time_left_s"].get<double>()),
             to_string(p["suspends"]), fmt::format("{:.2e}", p["clocks"].get<double>() / runs),
             to_string(p["events"]), to_string(p["events_lost"]), to_string(p["long_runs"]),
             fmt::format("{:.2f}", p["longest_run_ms"].get<double>()),
             fmt::format("{} of {}", p["stack_used"].get<size_t>(),
                         p["stack_size"].get<size_t>())});
    }
    return table.str();
}

const command_registration processes{
    "show processes", "Processes of the main thread, what each is waiting for, and its stack use",
    show_processes, processes_text};

result<json> control(command_context& context)
{
    auto& table = context.engine.module<process_table>();
    const auto name = context.arguments.text("name");
    const auto action = context.arguments.text("action");
    if (action == "stop") {
        if (auto done = table.stop(name); !done)
            return pass(done);
    } else if (auto done = action == "start" ? table.start(name) : table.restart(name); !done) {
        return pass(done);
    }
    return json("");
}

const command_registration control_command{"process <action:start|stop|restart> <name:process>",
                                           "Starts, stops or restarts a process of the daemon",
                                           control};

result<json> show_timers(command_context& context)
{
    auto& loop = context.engine.loop();
    const timing_wheel& wheel = loop.timers();
    const auto& counts = wheel.counts();
    json next = nullptr;
    if (const auto at = wheel.next_wakeup())
        next = std::max(milliseconds(*at - loop.now()), 0.0);
    return json{{"running", wheel.size()},
                {"most", counts.most},
                {"tick_us", std::chrono::duration<double, std::micro>(wheel.tick()).count()},
                {"next_ms", next},
                {"started", counts.started},
                {"stopped", counts.stopped},
                {"expired", counts.expired},
                {"cascaded", counts.cascaded},
                {"longest_delay_ms", milliseconds(counts.longest_delay)}};
}

std::string timers_text(const json& data)
{
    return fmt::format(
        "{} timers running (maximum {}), tick {:g} us\nnext wheel check: {}\nstarted {}, stopped "
        "{}, expired {}, cascaded {}\nlongest expiry delay: {:.3f} ms",
        data["running"].get<size_t>(), data["most"].get<size_t>(), data["tick_us"].get<double>(),
        data["next_ms"].is_null() ? "never"
                                  : fmt::format("in {:.3f} ms", data["next_ms"].get<double>()),
        data["started"].get<uint64_t>(), data["stopped"].get<uint64_t>(),
        data["expired"].get<uint64_t>(), data["cascaded"].get<uint64_t>(),
        data["longest_delay_ms"].get<double>());
}

const command_registration timers{
    "show timers", "The main thread's timing wheel: timers, expiries and their delay", show_timers,
    timers_text};

// Those that cannot be stopped too: the table's errors say why.
const argument_type_registration process_names{
    {.name = "process", .help = "a process", .names = [](engine& engine) {
         std::vector<std::string> names;
         for (auto& p : engine.module<process_table>().status())
             names.push_back(std::move(p.name));
         return names;
     }}};

} // namespace

} // namespace weft
