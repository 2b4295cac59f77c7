// SPDX-License-Identifier: Apache-2.0
// The thread that writes the log, on spdlog's queue.
#include "daemon/lossy_sink.hh"

#include <csignal>
#include <fmt/format.h>
#include <spdlog/details/thread_pool.h>
#include <thread>
#include <utility>
#include <vector>

namespace weft {

namespace {

// Signals are for others to take.
class without_signals {
public:
    without_signals()
    {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~without_signals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    without_signals(const without_signals&) = delete;
    without_signals& operator=(const without_signals&) = delete;

private:
    sigset_t before_{};
};

} // namespace

// On the thread.
class lossy_sink::writer final : public spdlog::sinks::sink {
public:
    explicit writer(spdlog::sink_ptr target) : target_{std::move(target)} {}

    void watch(spdlog::details::thread_pool& pool) { pool_ = &pool; }
    [[nodiscard]] uint64_t written() const noexcept { return written_; }

    void log(const spdlog::details::log_msg& message) override
    {
        struct count {
            std::atomic<uint64_t>& lines;
            ~count() { ++lines; } // also where the target throws
        } const one{written_};
        if (const auto lost = pool_->overrun_counter(); lost > told_) {
            const auto text = fmt::format(
                "{} log lines were lost because the log target did not keep up", lost - told_);
            target_->log({message.logger_name, spdlog::level::warn, text});
            told_ = lost;
        }
        target_->log(message);
        target_->flush();
    }
    void flush() override {}
    void set_pattern(const std::string& pattern) override { target_->set_pattern(pattern); }
    void set_formatter(std::unique_ptr<spdlog::formatter> formatter) override
    {
        target_->set_formatter(std::move(formatter));
    }

private:
    spdlog::sink_ptr target_;
    spdlog::details::thread_pool* pool_ = nullptr;
    size_t told_ = 0;
    std::atomic<uint64_t> written_{0};
};

lossy_sink::lossy_sink(spdlog::sink_ptr target, size_t lines, std::function<void()> begin)
    : writer_{std::make_shared<writer>(std::move(target))}
{
    const without_signals here;
    pool_ = std::make_shared<spdlog::details::thread_pool>(lines, 1, std::move(begin));
    writer_->watch(*pool_);
    logger_ = std::make_shared<spdlog::async_logger>("weftd", writer_, pool_,
                                                     spdlog::async_overflow_policy::overrun_oldest);
    logger_->set_level(spdlog::level::trace);
}

lossy_sink::~lossy_sink()
{
    using kept = std::pair<decltype(pool_), decltype(logger_)>;
    static auto& given_up = *new std::vector<kept>; // they would be joined
    if (!is_idle())
        given_up.emplace_back(std::move(pool_), std::move(logger_));
}

void lossy_sink::log(const spdlog::details::log_msg& message)
{
    ++taken_;
    logger_->log(message.time, message.source, message.level, message.payload);
}

void lossy_sink::set_pattern(const std::string& pattern)
{
    logger_->set_pattern(pattern);
}

void lossy_sink::set_formatter(std::unique_ptr<spdlog::formatter> formatter)
{
    logger_->set_formatter(std::move(formatter));
}

uint64_t lossy_sink::lost() const
{
    return pool_->overrun_counter();
}

bool lossy_sink::is_idle() const
{
    return writer_->written() + pool_->overrun_counter() >= taken_;
}

bool lossy_sink::drain(std::chrono::milliseconds limit)
{
    using clock = std::chrono::steady_clock;
    for (const auto end = clock::now() + limit; !is_idle();
         std::this_thread::sleep_for(std::chrono::milliseconds{1}))
        if (clock::now() > end)
            return false;
    return true;
}

} // namespace weft
