// SPDX-License-Identifier: Apache-2.0
// The thread that waits for the signals that end the daemon.
#include "daemon/signal_watch.hh"

#include "daemon/log.hh"
#include "daemon/options.hh"
#include "graph/engine.hh"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <poll.h>
#include <pthread.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <system_error>
#include <unistd.h>

namespace weft {

namespace {

unique_fd open_signals()
{
    sigset_t signals;
    sigemptyset(&signals);
    for (int signal : {SIGTERM, SIGINT, SIGHUP})
        sigaddset(&signals, signal);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    return unique_fd{signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK)};
}

} // namespace

signal_watch::signal_watch()
    : signals_{open_signals()}, ended_{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)}
{
    if (signals_.get() < 0 || ended_.get() < 0)
        throw std::system_error{errno, std::system_category(), "cannot create a signalfd"};
    thread_ = std::thread{[this] { watch(); }};
    pthread_setname_np(thread_.native_handle(), "weft-signals");
}

signal_watch::~signal_watch()
{
    eventfd_write(ended_.get(), 1);
    thread_.join();
}

void signal_watch::attach(engine* engine)
{
    const std::lock_guard held{mutex_};
    engine_ = engine;
    if (engine_ != nullptr && asked_)
        engine_->request_stop();
}

void signal_watch::watch()
{
    using namespace std::chrono;
    std::array<pollfd, 2> files{pollfd{signals_.get(), POLLIN, 0}, pollfd{ended_.get(), POLLIN, 0}};
    while (true) {
        const auto left = duration_cast<milliseconds>(deadline_ - steady_clock::now()).count();
        if (asked_ && left <= 0)
            give_up();
        if (::poll(files.data(), files.size(), asked_ ? static_cast<int>(left) + 1 : -1) <= 0)
            continue;
        if (files[1].revents != 0)
            return;
        signalfd_siginfo info{};
        if (::read(signals_.get(), &info, sizeof info) != sizeof info)
            continue;
        if (info.ssi_signo == SIGHUP)
            spdlog::warn("SIGHUP ignored: the configuration is only read at startup");
        else if (!asked_)
            ask(info.ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT", static_cast<int>(info.ssi_pid));
    }
}

void signal_watch::ask(const char* signal, int sender)
{
    deadline_ = std::chrono::steady_clock::now() + patience;
    spdlog::info("{} from process {}: stopping", signal, sender);
    const std::lock_guard held{mutex_};
    asked_ = true;
    if (engine_ != nullptr)
        engine_->request_stop();
}

// Nothing that the main thread may hold is touched.
void signal_watch::give_up() const
{
    spdlog::critical("not stopped {} ms after the signal, while {}: exiting by force",
                     patience.count(), doing_.load());
    drain_log(std::chrono::milliseconds{100});
    ::_exit(exit_status::stuck);
}

} // namespace weft
