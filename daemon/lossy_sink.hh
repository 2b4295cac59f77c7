// SPDX-License-Identifier: Apache-2.0
// A log's target that may not take lines, such as a pipe that nobody reads: written to by a thread
// of its own.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <spdlog/async_logger.h>
#include <spdlog/sinks/sink.h>

namespace weft {

// Takes lines without waiting, from any thread. What the target does not take in time is lost, the
// oldest first, and counted; once it takes lines again it is told how many.
class lossy_sink final : public spdlog::sinks::sink {
public:
    // `lines`: how many may wait. `begin` runs on the thread first; every signal is blocked there.
    lossy_sink(spdlog::sink_ptr target, size_t lines, std::function<void()> begin);
    // Waits for nothing: a thread that is stuck stays so, with what it needs.
    ~lossy_sink() override;
    lossy_sink(const lossy_sink&) = delete;
    lossy_sink& operator=(const lossy_sink&) = delete;

    void log(const spdlog::details::log_msg& message) override;
    void flush() override {} // each line is, by the thread
    void set_pattern(const std::string& pattern) override;
    void set_formatter(std::unique_ptr<spdlog::formatter> formatter) override;

    [[nodiscard]] uint64_t lost() const; // lines
    // Waits until all that was logged has been taken or is lost, at most for `limit`; whether it
    // has.
    bool drain(std::chrono::milliseconds limit);

private:
    class writer;
    [[nodiscard]] bool is_idle() const;

    std::shared_ptr<writer> writer_;
    std::shared_ptr<spdlog::details::thread_pool> pool_;
    std::shared_ptr<spdlog::async_logger> logger_;
    std::atomic<uint64_t> taken_{0}; // lines
};

} // namespace weft
