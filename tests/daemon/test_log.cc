// SPDX-License-Identifier: Apache-2.0
// A log whose target takes lines, takes none, and takes them again.
#include "daemon/lossy_sink.hh"

#include <algorithm>
#include <catch2/catch.hpp>
#include <mutex>
#include <spdlog/logger.h>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;

// A target that takes lines while its gate is open.
class gated_target final : public spdlog::sinks::sink {
public:
    void log(const spdlog::details::log_msg& message) override
    {
        const std::lock_guard held{gate};
        lines.emplace_back(message.payload.data(), message.payload.size());
    }
    void flush() override {}
    void set_pattern(const std::string&) override {}
    void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

    std::mutex gate;
    std::vector<std::string> lines;
};

struct gated_log {
    std::shared_ptr<gated_target> target = std::make_shared<gated_target>();
    std::shared_ptr<weft::lossy_sink> sink = std::make_shared<weft::lossy_sink>(target, 8, [] {});
    spdlog::logger logger{"test", sink};
};

} // namespace

TEST_CASE("lines of the log come in order, by a thread", "[daemon]")
{
    gated_log log;
    log.logger.info("one");
    log.logger.warn("two");
    CHECK(log.sink->drain(10s));
    CHECK(log.target->lines == std::vector<std::string>{"one", "two"});
    CHECK(log.sink->lost() == 0);
}

TEST_CASE("a log that nobody reads holds up nobody, and what is lost is said", "[daemon]")
{
    gated_log log;
    {
        const std::lock_guard closed{log.target->gate};
        for (int i = 0; i < 100; ++i)
            log.logger.info("line {}", i);
        CHECK_FALSE(log.sink->drain(1ms));
        CHECK(log.sink->lost() >= 91); // eight wait, and one may be with the target
    }
    CHECK(log.sink->drain(10s));
    log.logger.info("open again");
    CHECK(log.sink->drain(10s));
    const auto& lines = log.target->lines;
    CHECK(lines.back() == "open again");
    CHECK(lines[lines.size() - 2] == "line 99"); // the oldest are lost
    CHECK(std::count_if(lines.begin(), lines.end(), [](const std::string& line) {
              return line.find("log lines were lost because") != std::string::npos;
          }) == 1);
}

TEST_CASE("a log that is stuck can be given up", "[daemon]")
{
    const auto target = std::make_shared<gated_target>();
    target->gate.lock();
    {
        const auto sink = std::make_shared<weft::lossy_sink>(target, 8, [] {});
        spdlog::logger{"test", sink}.info("never");
    }
    target->gate.unlock(); // the thread goes on with what it has
    for (bool taken = false; !taken; std::this_thread::sleep_for(1ms)) {
        const std::lock_guard held{target->gate};
        taken = !target->lines.empty();
    }
}
