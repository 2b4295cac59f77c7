// SPDX-License-Identifier: Apache-2.0
#include "base/reaper.hh"

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <exception>
#include <fcntl.h>
#include <future>
#include <mutex>
#include <optional>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

namespace weft {

namespace {

struct thing {
    void* what;
    void (*end)(void*);
};

// Shared by the givers and the thread; never destroyed, for the thread is not joined.
struct shared_queue {
    std::mutex mutex;
    std::condition_variable filled;
    std::array<thing, reaper::bound> things;
    std::condition_variable emptied;
    size_t first = 0, waiting = 0; // things
    size_t lost = 0;               // in a close() that does not return
    bool started = false, busy = false;
    std::atomic<bool> finishing{false};
};

shared_queue& queue()
{
    static auto* const made = new shared_queue;
    return *made;
}

// Interrupts this thread again and again while it lives: what sleeps in close() until a socket has
// lingered, or a terminal has drained, goes on at a signal.
class impatience {
public:
    impatience() noexcept
    {
        sigevent how{};
        how.sigev_notify = SIGEV_THREAD_ID;
        how.sigev_signo = SIGURG;
        how._sigev_un._tid = gettid();
        made_ = timer_create(CLOCK_MONOTONIC, &how, &timer_) == 0;
        set(patience_ns);
    }
    ~impatience()
    {
        if (made_)
            timer_delete(timer_);
    }
    impatience(const impatience&) = delete;
    impatience& operator=(const impatience&) = delete;

private:
    static constexpr long patience_ns = 10'000'000;
    void set(long ns) noexcept
    {
        const itimerspec every{.it_interval = {0, ns}, .it_value = {0, ns}};
        if (made_)
            timer_settime(timer_, 0, &every, nullptr);
    }
    timer_t timer_{};
    bool made_ = false;
};

// The connection of a file that a program may serve (FUSE), empty of any other. That program is
// asked before the file is closed, no signal ends the wait for its answer, and no process can exit
// in it.
std::optional<uint32_t> fuse_connection(int fd) noexcept
{
    struct statx about {};
    const bool is_memory = fcntl(fd, F_GET_SEALS) >= 0;
    // not fstat(), which asks the program
    if (is_memory || statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &about) != 0)
        return {};
    const bool in_a_tree = S_ISREG(about.stx_mode) || S_ISDIR(about.stx_mode);
    if (!in_a_tree || about.stx_dev_major != 0) // on a disk
        return {};
    return about.stx_dev_minor;
}

// Lets all that waits for the program fail. Nothing happens if the file is of another file system,
// or this is not root.
void abort_connection(uint32_t number) noexcept
{
    const unique_fd control{static_cast<int>(syscall(SYS_fsopen, "fusectl", FSOPEN_CLOEXEC))};
    if (control.get() < 0 ||
        syscall(SYS_fsconfig, control.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
        return;
    const unique_fd tree{static_cast<int>(syscall(SYS_fsmount, control.get(), FSMOUNT_CLOEXEC, 0))};
    std::array<char, 32> path{};
    std::snprintf(path.data(), path.size(), "%u/abort", number);
    const unique_fd abort{openat(tree.get(), path.data(), O_WRONLY | O_CLOEXEC)};
    [[maybe_unused]] const auto done = write(abort.get(), "1", 1);
}

// On a thread of its own, which is left behind if nothing helps.
void close_of_program(int fd, uint32_t connection)
{
    std::promise<void> closed;
    const auto done = closed.get_future();
    std::thread{[fd, told = std::move(closed)]() mutable {
        close(fd);
        told.set_value();
    }}.detach();
    using namespace std::chrono_literals;
    for (int i = 0; i < 10 && !queue().finishing; ++i)
        if (done.wait_for(10ms) == std::future_status::ready)
            return;
    abort_connection(connection);
    if (done.wait_for(100ms) == std::future_status::ready)
        return;
    auto& q = queue();
    const std::lock_guard lock{q.mutex};
    ++q.lost;
}

void close_file(void* what)
{
    const int fd = static_cast<int>(reinterpret_cast<intptr_t>(what));
    if (const auto connection = fuse_connection(fd)) {
        close_of_program(fd, *connection);
        return;
    }
    const impatience limit;
    close(fd);
}

[[noreturn]] void reap()
{
    pthread_setname_np(pthread_self(), "weft-reaper");
    sigset_t most;
    sigfillset(&most);
    sigdelset(&most, SIGURG);
    pthread_sigmask(SIG_SETMASK, &most, nullptr);
    struct sigaction go_on {};
    go_on.sa_handler = [](int) {}; // its default action, to be ignored, ends no wait
    sigaction(SIGURG, &go_on, nullptr);
    auto& q = queue();
    std::unique_lock lock{q.mutex};
    while (true) {
        q.filled.wait(lock, [&] { return q.waiting > 0; });
        const thing next = q.things[q.first];
        q.first = (q.first + 1) % reaper::bound;
        --q.waiting;
        q.busy = true;
        lock.unlock();
        next.end(next.what);
        lock.lock();
        q.busy = false;
        if (q.waiting == 0)
            q.emptied.notify_all();
    }
}

} // namespace

void reaper::take(void* what, void (*end)(void*)) noexcept
try {
    auto& q = queue();
    const std::lock_guard lock{q.mutex};
    if (!q.started)
        std::thread{reap}.detach();
    q.started = true;
    if (q.waiting + q.lost >= bound)
        return;
    q.things[(q.first + q.waiting++) % bound] = {what, end};
    q.filled.notify_one();
} catch (const std::exception&) {
    // no thread can be made: it is kept
}

void reaper::take(unique_fd file) noexcept
{
    if (const int fd = file.release(); fd >= 0)
        take(reinterpret_cast<void*>(static_cast<intptr_t>(fd)), close_file);
}

bool reaper::has_room() noexcept
{
    auto& q = queue();
    const std::lock_guard lock{q.mutex};
    return q.waiting + q.lost <= bound / 2;
}

void reaper::finish() noexcept
{
    auto& q = queue();
    q.finishing = true;
    std::unique_lock lock{q.mutex};
    q.emptied.wait_for(lock, std::chrono::milliseconds{500},
                       [&] { return q.waiting == 0 && !q.busy; });
}

} // namespace weft
