// SPDX-License-Identifier: Apache-2.0
// Sets up spdlog; show log and show version.
#include "daemon/log.hh"

#include "graph/command.hh"

#include <nlohmann/json.hpp>
#include <rte_version.h>
#include <spdlog/sinks/ringbuffer_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/systemd_sink.h>
#include <spdlog/spdlog.h>

namespace weft {

namespace {

using json = nlohmann::ordered_json;

std::shared_ptr<spdlog::sinks::ringbuffer_sink_mt>& ring()
{
    static auto sink = std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(log_ring_lines);
    return sink;
}

result<json> show_log(command_context&)
{
    json lines = json::array();
    for (const auto& line : ring()->last_formatted())
        lines.push_back(line.substr(0, line.find_last_not_of('\n') + 1));
    return json{{"lines", lines}};
}

std::string log_text(const json& data)
{
    std::string out;
    for (const auto& line : data["lines"])
        out += (out.empty() ? "" : "\n") + line.get<std::string>();
    return out;
}

const command_registration log{"show log", "The last lines of the log", show_log, log_text};

result<json> show_version(command_context&)
{
    return json{{"version", WEFT_VERSION}, {"dpdk", rte_version()}, {"compiler", __VERSION__}};
}

std::string version_text(const json& data)
{
    return fmt::format("weft {}, on {}, built with g++ {}", data["version"].get<std::string>(),
                       data["dpdk"].get<std::string>(), data["compiler"].get<std::string>());
}

const command_registration version{"show version", "Versions of weft and what it is built on",
                                   show_version, version_text};

} // namespace

void start_log(const settings& s)
{
    std::vector<spdlog::sink_ptr> sinks{ring()};
    if (s.log_target == "journal")
        sinks.push_back(std::make_shared<spdlog::sinks::systemd_sink_mt>("weftd"));
    else
        sinks.push_back(std::make_shared<spdlog::sinks::stderr_sink_mt>());
    auto logger = std::make_shared<spdlog::logger>("weftd", sinks.begin(), sinks.end());
    logger->set_pattern("%Y-%m-%d %H:%M:%S.%e %l %v");
    logger->set_level(spdlog::level::from_str(s.log_level));
    logger->flush_on(spdlog::level::info);
    spdlog::set_default_logger(logger);
}

} // namespace weft
