// SPDX-License-Identifier: Apache-2.0
// The configuration sections cpu, memory, cli, log and startup.
#include "daemon/settings.hh"

#include "control/command/command.hh"
#include "control/config/worker_patterns.hh"

#include <algorithm>
#include <cstdio>
#include <fmt/ranges.h>
#include <fstream>
#include <map>
#include <regex>
#include <sched.h>
#include <sstream>
#include <sys/un.h>
#include <thread>

namespace weft {

namespace {

constexpr unsigned max_core = CPU_SETSIZE - 1;
constexpr uint32_t min_vector = 4; // some drivers' vector receive paths take as many, or none
constexpr size_t max_workers = 62; // hand-over bells are bits of one word

// No process starts on an isolated core, but one may go there if its cpuset has it: a thread of its
// own tries.
cpu_set_t isolated_cores()
{
    cpu_set_t set;
    CPU_ZERO(&set);
    std::string text;
    std::getline(std::ifstream{"/sys/devices/system/cpu/isolated"}, text);
    const auto isolated = parse_core_list(text);
    for (const unsigned core : isolated)
        CPU_SET(core, &set);
    if (isolated.empty())
        return set;
    std::jthread{[&set] {
        if (sched_setaffinity(0, sizeof set, &set) != 0 ||
            sched_getaffinity(0, sizeof set, &set) != 0)
            CPU_ZERO(&set);
    }}.join();
    return set;
}

void check_core(const config::value& core, config::problems& problems)
{
    const auto& usable = usable_cores();
    if (std::find(usable.begin(), usable.end(), core.as<uint32_t>()) == usable.end())
        problems.add(core,
                     "core {} does not exist or is not available to this process (usable: {})",
                     core.text(), fmt::join(usable, ", "));
}

const config::value& core_of(const config::value& worker)
{
    return worker.what() == config::value::kind::mapping ? *worker.find("core") : worker;
}

void check_cpu(const config::value& root, config::problems& problems)
{
    const auto* cpu = root.find("cpu");
    if (cpu == nullptr)
        return;
    if (const auto* main = cpu->find("main"))
        check_core(*main, problems);
    const auto* workers = cpu->find("workers");
    if (workers == nullptr)
        return;
    if (workers->what() == config::value::kind::null)
        problems.add(
            *workers,
            "no value; expected a list of cores, or [] for none (the main thread then forwards)");
    std::map<uint32_t, std::string> taken;
    for (const auto& worker : workers->items()) {
        const auto& core = core_of(worker);
        check_core(core, problems);
        const auto [first, fresh] = taken.emplace(core.as<uint32_t>(), core.path());
        if (!fresh)
            problems.add(core, "core {} already has a worker ({})", core.text(), first->second);
        const auto* nodes = worker.find("nodes");
        if (nodes != nullptr && nodes->items().empty())
            problems.add(*nodes, "the list is empty; omit the key to run every node");
    }
    if (workers->items().size() > max_workers)
        problems.add(*workers, "{} workers, more than the maximum of {}", workers->items().size(),
                     max_workers);
}

void check_socket(const config::value& root, config::problems& problems)
{
    const auto* cli = root.find("cli");
    const auto* path = cli == nullptr ? nullptr : cli->find("socket");
    if (path == nullptr)
        return;
    if (path->text().front() != '/')
        problems.add(*path, "`{}' is not an absolute path", path->text());
    else if (path->text().size() >= sizeof(sockaddr_un::sun_path))
        problems.add(*path, "a socket path can have at most {} bytes, this one has {}",
                     sizeof(sockaddr_un::sun_path) - 1, path->text().size());
}

config::type node_pattern()
{
    return {"a shell pattern of node names, such as dpdk-input-a-*, or `!' and a pattern to "
            "exclude nodes",
            [](const config::value& v, config::problems& problems) {
                static const config::type text = config::text("a shell pattern of node names");
                text.check(v, problems);
                if (v.what() != config::value::kind::scalar || v.text().empty())
                    return;
                if (auto right = node_patterns::check(v.text()); !right)
                    problems.add(v, "{}", right.error().message);
            }};
}

const config::registration cpu{{
    .name = "cpu",
    .keys =
        {{"cpu", config::mapping(), "Which cores weft uses."},
         {"cpu.main", config::number(0, max_core),
          "Core of the main thread (default: the first usable one)."},
         {"cpu.workers[]", config::or_mapping(config::number(0, max_core)),
          "Cores to run a worker on (default: the last usable core); with [] the main thread "
          "forwards."},
         {"cpu.workers[].core", config::number(0, max_core), "The worker's core.", true},
         {"cpu.workers[].nodes", config::list_of(node_pattern()),
          "Which nodes the worker runs (default: all): [\"*\", \"!dpdk-input-b-*\"] polls every "
          "port except b. `drop', `handoff-input' and pre-input nodes run on every worker."},
         {"cpu.vector-size", config::number(min_vector, vector_size),
          "Largest number of packets taken from a receive queue at once (default 256). Smaller "
          "vectors can lower the delay, and cost more per packet."}},
    .check = check_cpu,
}};

const config::registration memory{{
    .name = "memory",
    .keys = {{"memory", config::mapping(), "Memory for packets and devices."},
             {"memory.hugepages", config::boolean(),
              "Whether to use hugepages (default false; use true with physical NICs)."},
             {"memory.size", config::size(uint64_t{64} << 20, uint64_t{1} << 40),
              "How much memory (default 256M). Without hugepages, buffers for virtual devices take "
              "additional memory."}},
}};

const config::registration cli{{
    .name = "cli",
    .keys = {{"cli", config::mapping(), "The control socket."},
             {"cli.socket", config::text("an absolute path"),
              "Path of the socket that weftctl connects to (default /run/weft/cli.sock)."}},
    .check = check_socket,
}};

const config::registration log{{
    .name = "log",
    .keys = {{"log", config::mapping(), "What is logged, and where."},
             {"log.level", config::one_of({"trace", "debug", "info", "warning", "error", "off"}),
              "Lowest severity that is logged (default info)."},
             {"log.target", config::one_of({"stderr", "journal"}),
              "Standard error, or the systemd journal with priorities (default stderr)."}},
}};

void check_startup(const config::value& root, config::problems& problems)
{
    const auto* lines = root.find("startup");
    if (lines == nullptr)
        return;
    const auto commands = command_table::registered();
    for (const auto& line : lines->items())
        if (const auto good = commands ? commands->check(line.text()) : result<void>{}; !good)
            problems.add(line, "{}", good.error().message);
}

const config::registration startup{{
    .name = "startup",
    .keys = {{"startup", config::list_of(config::text("a command")),
              "Commands to run once at startup, when the graph is running."}},
    .check = check_startup,
}};

} // namespace

std::vector<unsigned> parse_core_list(const std::string& text)
{
    std::vector<unsigned> cores;
    std::istringstream parts{text};
    for (std::string part; std::getline(parts, part, ',');) {
        unsigned first = 0;
        unsigned last = 0;
        const int numbers = std::sscanf(part.c_str(), "%u-%u", &first, &last);
        if (numbers < 1)
            continue;
        for (unsigned core = first; core <= std::min(numbers == 1 ? first : last, max_core); ++core)
            cores.push_back(core);
    }
    return cores;
}

const std::vector<unsigned>& usable_cores()
{
    static const std::vector<unsigned> cores = [] {
        cpu_set_t own;
        CPU_ZERO(&own);
        sched_getaffinity(0, sizeof own, &own);
        cpu_set_t isolated = isolated_cores();
        CPU_OR(&own, &own, &isolated);
        std::vector<unsigned> found;
        for (unsigned core = 0; core <= max_core; ++core)
            if (CPU_ISSET(core, &own))
                found.push_back(core);
        return found;
    }();
    return cores;
}

settings settings_of(const config::value& root)
{
    settings s;
    static const config::value nothing;
    const auto part = [&](const char* name) -> const config::value& {
        const auto* found = root.find(name);
        return found == nullptr ? nothing : *found;
    };
    s.main_core = part("cpu").get<uint32_t>("main", usable_cores().front());
    if (part("cpu").find("workers") != nullptr)
        for (const auto& worker : part("cpu").find("workers")->items())
            s.worker_cores.push_back(core_of(worker).as<uint32_t>());
    else
        s.worker_cores = {usable_cores().back()};
    s.worker_nodes = patterns_of_workers(root);
    s.vector_size = part("cpu").get<uint32_t>("vector-size", s.vector_size);
    s.hugepages = part("memory").get("hugepages", s.hugepages);
    s.memory_bytes = part("memory").get<uint64_t>("size", s.memory_bytes);
    s.buffer_count = part("buffers").get<uint32_t>("count", s.buffer_count);
    s.socket = part("cli").get<std::string>("socket", s.socket);
    s.log_level = part("log").get<std::string>("level", s.log_level);
    s.log_target = part("log").get<std::string>("target", s.log_target);
    s.startup = root.list<std::string>("startup");
    static const std::regex pci{"([0-9a-fA-F]{4}:)?[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\\.[0-7].*"};
    for (const auto& [name, key_at, interface] : part("interfaces").entries())
        if (const auto* device = interface.find("device");
            device != nullptr && std::regex_match(device->text(), pci))
            s.pci_devices.push_back(device->text());
    return s;
}

} // namespace weft
