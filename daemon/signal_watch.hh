// SPDX-License-Identifier: Apache-2.0
// Takes the signals that end the daemon, and sees to it that the end comes.
#pragma once

#include "base/unique_fd.hh"

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

namespace weft {

class engine;

// A thread of its own takes SIGTERM, SIGINT and SIGHUP, because the main thread may be busy, or
// hang. Whatever hangs when the daemon is to end, it has ended after two seconds: the last resort
// says what was being done, and ends the process with exit_status::stuck.
class signal_watch {
public:
    static constexpr std::chrono::milliseconds patience{1700};

    // Blocks the signals here and in all threads that are made from now on, and ignores SIGPIPE.
    // Main thread, as all but asked(). Throws std::system_error without files for them.
    signal_watch();
    ~signal_watch(); // the end has come in order
    signal_watch(const signal_watch&) = delete;
    signal_watch& operator=(const signal_watch&) = delete;

    // Whether the daemon is to end. Any thread.
    [[nodiscard]] bool asked() const noexcept { return asked_; }
    // Ends the run() of an engine then, while it lives.
    class attachment {
    public:
        attachment(signal_watch& watch, engine& engine) : watch_{watch} { watch_.attach(&engine); }
        ~attachment() { watch_.attach(nullptr); }
        attachment(const attachment&) = delete;
        attachment& operator=(const attachment&) = delete;

    private:
        signal_watch& watch_;
    };
    // What the main thread is about to do, for the last resort: the constant text of a part of a
    // sentence.
    void doing(const char* what) noexcept { doing_ = what; }

private:
    void attach(engine* engine);
    void watch();
    void ask(const char* signal, int sender);
    [[noreturn]] void give_up() const;

    unique_fd signals_;
    unique_fd ended_;
    std::atomic<bool> asked_{false};
    std::atomic<const char*> doing_{"starting"};
    std::mutex mutex_; // of host_
    engine* engine_ = nullptr;
    std::chrono::steady_clock::time_point deadline_; // once asked; the thread's
    std::thread thread_;
};

} // namespace weft
