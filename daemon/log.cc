// SPDX-License-Identifier: Apache-2.0
// Sets up spdlog; show log and show version.
#include "daemon/log.hh"

#include "control/command/command.hh"
#include "daemon/lossy_sink.hh"

#include <nlohmann/json.hpp>
#include <pthread.h>
#include <rte_version.h>
#include <sched.h>
#include <spdlog/sinks/ringbuffer_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/systemd_sink.h>
#include <spdlog/spdlog.h>

namespace weft {

namespace {

using json = nlohmann::ordered_json;

constexpr size_t waiting_lines = 4096;

std::shared_ptr<spdlog::sinks::ringbuffer_sink_mt>& ring()
{
    static auto sink = std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(log_ring_lines);
    return sink;
}

// To stderr or the journal. Never destroyed: others may log until the process ends.
lossy_sink*& outlet()
{
    static lossy_sink* sink = nullptr;
    return sink;
}

result<json> show_log(command_context&)
{
    json lines = json::array();
    for (const auto& line : ring()->last_formatted())
        lines.push_back(line.substr(0, line.find_last_not_of('\n') + 1));
    return json{{"lines", lines}, {"lost", outlet() == nullptr ? 0 : outlet()->lost()}};
}

std::string log_text(const json& data)
{
    std::string out;
    for (const auto& line : data["lines"])
        out += (out.empty() ? "" : "\n") + line.get<std::string>();
    if (const auto lost = data["lost"].get<uint64_t>(); lost > 0)
        out +=
            fmt::format("\n({} lines were dropped because the log target did not keep up)", lost);
    return out;
}

const command_registration log{"show log", "The most recent log lines", show_log, log_text};

result<json> show_version(command_context&)
{
    return json{{"version", WEFT_VERSION}, {"dpdk", rte_version()}, {"compiler", __VERSION__}};
}

std::string version_text(const json& data)
{
    return fmt::format("weft {}, on {}, built with g++ {}", data["version"].get<std::string>(),
                       data["dpdk"].get<std::string>(), data["compiler"].get<std::string>());
}

const command_registration version{"show version", "Versions of weft and of the libraries it uses",
                                   show_version, version_text};

} // namespace

void start_log(const settings& s)
{
    spdlog::sink_ptr target;
    if (s.log_target == "journal")
        target = std::make_shared<spdlog::sinks::systemd_sink_mt>("weftd");
    else
        target = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    const auto beside_main = [core = s.main_core] {
        cpu_set_t cores;
        CPU_ZERO(&cores);
        CPU_SET(core, &cores);
        pthread_setaffinity_np(pthread_self(), sizeof cores, &cores);
        pthread_setname_np(pthread_self(), "weft-log");
    };
    const auto sink = std::make_shared<lossy_sink>(target, waiting_lines, beside_main);
    static const auto kept = new std::shared_ptr<lossy_sink>{sink};
    outlet() = kept->get();
    auto logger = std::make_shared<spdlog::logger>("weftd", spdlog::sinks_init_list{ring(), sink});
    logger->set_pattern("%Y-%m-%d %H:%M:%S.%e %l %v");
    logger->set_level(spdlog::level::from_str(s.log_level));
    spdlog::set_default_logger(logger);
}

bool drain_log(std::chrono::milliseconds limit)
{
    return outlet() == nullptr || outlet()->drain(limit);
}

} // namespace weft
