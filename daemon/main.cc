// SPDX-License-Identifier: Apache-2.0
// weftd: reads the configuration, brings the router to life, and ends it in order.
#include "base/reaper.hh"
#include "control/command/command.hh"
#include "control/config/config.hh"
#include "daemon/control_socket.hh"
#include "daemon/eal.hh"
#include "daemon/instance_lock.hh"
#include "daemon/log.hh"
#include "daemon/notify.hh"
#include "daemon/options.hh"
#include "daemon/pages.hh"
#include "daemon/plugins.hh"
#include "daemon/settings.hh"
#include "daemon/signal_watch.hh"
#include "daemon/yaml_file.hh"
#include "drivers/dpdk/buffers.hh"
#include "drivers/dpdk/claims.hh"
#include "graph/engine.hh"
#include "graph/init.hh"
#include "nodes/interface/kind.hh"
#include "observe/crash_report.hh"
#include "observe/replay.hh"

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

namespace weft {

namespace {

config::value without(const config::value& from, std::initializer_list<std::string_view> keys)
{
    std::vector<config::value::entry> kept;
    for (const auto& entry : from.entries())
        if (std::find(keys.begin(), keys.end(), entry.key) == keys.end())
            kept.push_back(entry);
    return config::value::mapping(std::move(kept), from.at(), from.path());
}

// What a replay does without: the cores and the memory of the machine that the configuration was
// written for.
config::value without_machine(const config::value& tree)
{
    using kind = config::value::kind;
    const auto rest = without(tree, {"cpu", "memory"});
    std::vector<config::value::entry> entries = rest.entries();
    for (auto& entry : entries) {
        if (entry.key != "interfaces" || entry.value.what() != kind::mapping)
            continue;
        std::vector<config::value::entry> ports = entry.value.entries();
        for (auto& port : ports)
            if (port.value.what() == kind::mapping)
                port.value = without(port.value, {"handoff"}); // names workers
        entry.value =
            config::value::mapping(std::move(ports), entry.value.at(), entry.value.path());
    }
    return config::value::mapping(std::move(entries), rest.at(), rest.path());
}

// The tree, or empty after every problem was printed. Loads the plugins, which bring keys of their
// own.
std::optional<config::value> read_configuration(const std::string& file, bool any_machine)
{
    config::problems found;
    auto tree = read_yaml(file, found);
    if (!tree && found.empty())
        fmt::print(stderr, "{}\n", tree.error().message);
    if (tree && any_machine && tree->what() == config::value::kind::mapping)
        tree = without_machine(*tree);
    if (tree && load_plugins(*tree, found))
        if (const auto schema = config::schema::registered())
            schema->check(*tree, found);
    for (const auto& problem : found.sorted())
        fmt::print(stderr, "{}\n", format_problem(file, problem));
    if (!tree || !found.empty())
        return {};
    return std::move(*tree);
}

void log_plugins()
{
    for (const auto& p : plugins().all)
        spdlog::log(p.state == plugin_state::refused ? spdlog::level::err : spdlog::level::info,
                    "{}", describe(p));
}

int say_checked(const std::string& file)
{
    for (const auto& p : plugins().all)
        if (p.state == plugin_state::refused)
            fmt::print(stderr, "{}\n", describe(p));
    fmt::print("{}: no errors\n", file);
    return exit_status::fine;
}

result<void> bring_to_life(engine& engine, const config::value& tree, const config::schema& schema)
{
    if (auto done = run_init(init_phase::early, engine); !done)
        return done;
    if (auto done = schema.apply(tree, engine); !done)
        return done;
    if (auto done = engine.publish_plans("start"); !done)
        return done;
    // the main thread's graph takes what bringing up the interfaces sends; no port is polled yet
    engine.main().adopt_plan();
    if (auto done = run_init(init_phase::start, engine); !done)
        return done;
    return engine.start();
}

void run_startup(engine& engine, const command_table& commands, const settings& s)
{
    for (const auto& line : s.startup) {
        if (engine.stop_requested())
            return;
        auto answer = commands.run(engine, line, false);
        if (answer)
            spdlog::info("startup: {}{}{}", line, answer->empty() ? "" : "\n", *answer);
        else
            spdlog::error("startup: {}: {}", line, answer.error().message);
    }
}

// A manager whose queue is full is told when there is room; forwarding does not wait for that.
void say_ready(engine& engine)
{
    constexpr std::string_view state = "READY=1\nSTATUS=forwarding";
    if (notify(state))
        return;
    const auto again = [state](process& self) {
        while (!notify(state))
            self.sleep_for(100ms);
    };
    if (auto started = engine.loop().start("notify", again); !started)
        spdlog::warn("{}", started.error().message);
}

// From the moment when the router is whole until it is asked to stop.
result<void> serve(engine& engine, const command_table& commands, const settings& s,
                   signal_watch& watch)
{
    auto socket = control_socket::open(s.socket, engine, engine.loop(), commands);
    if (!socket)
        return pass(socket);
    run_startup(engine, commands, s);
    if (auto done = run_init(init_phase::main_loop_enter, engine); !done)
        return done;
    if (!engine.stop_requested()) {
        say_ready(engine);
        spdlog::info("forwarding; control socket at {}", s.socket);
    }
    watch.doing("forwarding");
    engine.run();
    watch.doing("stopping workers and processes");
    notify("STOPPING=1\nSTATUS=stopping");
    return {};
}

// Ends what was brought to life, however it went.
result<void> shut_down(engine& engine, result<void> outcome)
{
    engine.shut_down();
    if (auto done = run_init(init_phase::exit, engine); !done) {
        spdlog::error("{}", done.error().message);
        if (outcome)
            outcome = done;
    }
    return outcome;
}

// What another daemon would lose if this one went on.
struct claims {
    instance_lock instance;
    drivers::device_claims devices;
};

// Everything is claimed before anything is touched. What optional interfaces have to wait for is
// not probed.
result<claims> claim_all(const config::value& tree, settings& s)
{
    auto instance = instance_lock::take(s.socket);
    if (!instance)
        return pass(instance);
    claims all{std::move(*instance), {}};
    std::vector<std::string> left_out;
    if (auto done = all.devices.claim_all(tree, left_out); !done)
        return pass(done);
    for (const auto& device : left_out)
        std::erase(s.pci_devices, device);
    return all;
}

result<void> run_router(const config::value& tree, const config::schema& schema,
                        const command_table& commands, const settings& s, signal_watch& watch,
                        drivers::device_claims devices)
{
    const steady_clock_source clock;
    auto nodes = node_registry::registered();
    if (!nodes)
        return pass(nodes);
    engine engine{
        clock,
        std::move(*nodes),
        {s.main_core, s.worker_cores, s.buffer_count, true, s.worker_nodes, s.vector_size}};
    const crash_scope crash{engine.main()};
    engine.module<drivers::device_claims>() = std::move(devices);
    const signal_watch::attachment attached{watch, engine};
    result<void> outcome = bring_to_life(engine, tree, schema);
    if (watch.asked())
        outcome = {}; // whatever of the start was cut short by that
    else if (outcome)
        outcome = serve(engine, commands, s, watch);
    return shut_down(engine, std::move(outcome));
}

// Prints what became of the recorded vectors.
result<void> run_replay(const config::value& tree, const config::schema& schema,
                        const command_table& commands, const settings& s, const recording& what)
{
    replay_clock clock;
    auto nodes = node_registry::registered();
    if (!nodes)
        return pass(nodes);
    engine engine{clock, std::move(*nodes), {s.main_core, {}, s.buffer_count, false}};
    const crash_scope crash{engine.main()};
    auto& devices = engine.module<stand_in_devices>();
    devices.wanted = true;
    for (const auto& i : what.interfaces)
        devices.macs[i.name] = i.mac;
    result<void> outcome = bring_to_life(engine, tree, schema);
    if (outcome) {
        run_startup(engine, commands, s);
        const auto done = replay(engine, what, clock);
        if (done)
            fmt::print("{}", replay_text(*done));
        else
            outcome = pass(done);
    }
    return shut_down(engine, std::move(outcome));
}

// Says what ended the daemon. What is wrong in the file stays wrong; what a device or the machine
// lacks may come.
int end_with(const result<void>& outcome, const std::string& before)
{
    if (!outcome)
        spdlog::critical("{}{}", before, outcome.error().message);
    reaper::finish();
    if (outcome)
        return exit_status::fine;
    const errc code = outcome.error().code;
    return code == errc::invalid_argument || code == errc::unsupported
               ? exit_status::wrong_configuration
               : exit_status::failed;
}

int replay_capture(const options& asked, const config::value& tree, const config::schema& schema,
                   const command_table& commands, settings s)
{
    const auto what = read_recording(asked.replay);
    if (!what) {
        spdlog::critical("{}", what.error().message);
        return exit_status::failed;
    }
    s.pci_devices.clear();
    drivers::take_buffer_memory(tree);
    auto dpdk = eal::start(s);
    result<void> outcome =
        dpdk ? run_replay(tree, schema, commands, s, *what) : result<void>{pass(dpdk)};
    return end_with(outcome, asked.replay + ": ");
}

int forward(const config::value& tree, const config::schema& schema, const command_table& commands,
            settings s)
{
    auto claimed = claim_all(tree, s);
    if (!claimed)
        return end_with(pass(claimed), "");
    signal_watch watch; // outlives DPDK, whose end it sees too
    drivers::take_buffer_memory(tree);
    auto dpdk = eal::start(s);
    result<void> outcome{};
    if (dpdk)
        outcome = run_router(tree, schema, commands, s, watch, std::move(claimed->devices));
    else
        outcome = pass(dpdk);
    return end_with(outcome, "");
}

int run(const options& asked)
{
    std::optional<config::value> tree;
    if (asked.page.empty() && !(tree = read_configuration(asked.file, !asked.replay.empty())))
        return exit_status::wrong_configuration;
    auto schema = config::schema::registered();
    auto commands = command_table::registered();
    if (!schema || !commands) {
        fmt::print(stderr, "{}\n", schema ? commands.error().message : schema.error().message);
        return exit_status::failed;
    }
    if (const auto kinds = interface_kinds::registered(); !kinds) {
        fmt::print(stderr, "{}\n", kinds.error().message);
        return exit_status::failed;
    }
    if (const auto order = check_init_order(); !order) {
        fmt::print(stderr, "{}\n", order.error().message);
        return exit_status::failed;
    }
    if (!asked.page.empty()) {
        const auto text = page(asked.page, *schema, *commands);
        fmt::print(text ? stdout : stderr, "{}", text ? *text : text.error().message + '\n');
        return text ? exit_status::fine : exit_status::failed;
    }
    if (asked.check)
        return say_checked(asked.file);
    const settings s = settings_of(*tree);
    install_crash_report();
    start_log(s);
    log_plugins();
    return asked.replay.empty() ? forward(*tree, *schema, *commands, s)
                                : replay_capture(asked, *tree, *schema, *commands, s);
}

} // namespace

} // namespace weft

int main(int count, char** words)
{
    int status = 0;
    const auto asked = weft::parse_options(count, words, status);
    if (asked)
        status = weft::run(*asked);
    if (!weft::drain_log(std::chrono::milliseconds{200}))
        std::_Exit(status); // nobody reads the log, and its thread hangs
    return status;
}
