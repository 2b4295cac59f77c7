// SPDX-License-Identifier: Apache-2.0
// A forked child that tells its verdict through a pipe.
#include "daemon/trial.hh"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <fcntl.h>
#include <poll.h>
#include <string_view>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace weft {

namespace {

constexpr char passed = '+';
constexpr char refused = '-';

int verdict_to = -1; // in the child: the pipe's end

// One write, whole or not at all, since it is no longer than a pipe's atomic unit.
[[noreturn]] void end_child(char verdict, std::string_view why)
{
    char text[PIPE_BUF];
    text[0] = verdict;
    const size_t bytes = std::min(why.size(), sizeof text - 1);
    std::memcpy(text + 1, why.data(), bytes);
    const ssize_t written = write(verdict_to, text, bytes + 1);
    _exit(written > 0 ? 0 : 1);
}

// What is thrown out of constructors that dlopen() calls gets no further than its frames, which are
// noexcept.
[[noreturn]] void on_terminate()
{
    if (!std::current_exception())
        end_child(refused, "it called std::terminate()");
    try {
        throw;
    } catch (const std::exception& e) {
        end_child(refused, fmt::format("it threw an exception: {}", e.what()));
    } catch (...) {
        end_child(refused, "it threw something that is not a std::exception");
    }
}

[[noreturn]] void run_child(const std::function<result<void>()>& work, int pipe)
{
    verdict_to = pipe;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const rlimit none{0, 0};
    setrlimit(RLIMIT_CORE, &none);
    for (int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTERM, SIGINT})
        std::signal(signal, SIG_DFL);
    std::set_terminate(on_terminate);
    try {
        const auto outcome = work();
        end_child(outcome ? passed : refused, outcome ? "" : outcome.error().message);
    } catch (...) {
        on_terminate();
    }
}

// The child's verdict; empty if it ended without one, or did not end.
std::string verdict_of(int pipe, duration limit, bool& late)
{
    const auto end = std::chrono::steady_clock::now() + limit;
    char text[PIPE_BUF];
    while (true) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
        pollfd readable{pipe, POLLIN, 0};
        const int ready = left.count() > 0 ? poll(&readable, 1, static_cast<int>(left.count())) : 0;
        if (ready < 0 && errno == EINTR)
            continue;
        late = ready == 0;
        const ssize_t bytes = ready > 0 ? read(pipe, text, sizeof text) : 0;
        return {text, static_cast<size_t>(std::max<ssize_t>(bytes, 0))};
    }
}

result<void> judge(const std::string& verdict, int status)
{
    if (!verdict.empty() && verdict.front() == passed)
        return {};
    if (!verdict.empty())
        return fail(errc::invalid_argument, "{}", verdict.substr(1));
    if (WIFSIGNALED(status))
        return fail(errc::invalid_argument, "it crashed: SIG{} ({})",
                    sigabbrev_np(WTERMSIG(status)), strsignal(WTERMSIG(status)));
    return fail(errc::invalid_argument, "it ended the process with status {}", WEXITSTATUS(status));
}

} // namespace

result<void> trial(const std::function<result<void>()>& work, duration limit)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return fail(errc::io, "cannot create a pipe to try it in a separate process: {}",
                    strerror(errno));
    fflush(nullptr); // or the child would write what is buffered once more
    const pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        run_child(work, ends[1]);
    }
    const int error = errno;
    close(ends[1]);
    std::string verdict;
    bool late = false;
    int status = 0;
    if (child > 0) {
        verdict = verdict_of(ends[0], limit, late);
        if (late)
            kill(child, SIGKILL);
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            ;
    }
    close(ends[0]);
    if (child < 0)
        return fail(errc::io, "cannot start a process to try it in: {}", strerror(error));
    if (late)
        return fail(errc::timeout, "it took longer than {} s",
                    std::chrono::ceil<std::chrono::seconds>(limit).count());
    return judge(verdict, status);
}

} // namespace weft
