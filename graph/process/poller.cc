// SPDX-License-Identifier: Apache-2.0
// The epoll calls of the main thread, and the wake-up that costs nothing while it is awake.
#include "graph/process/poller.hh"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fmt/format.h>
#include <stdexcept>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>

namespace weft {

namespace {

constexpr uint64_t wake_token = UINT64_MAX; // no file has the number -1
constexpr uint64_t watch_token = UINT64_MAX - 1;

[[noreturn]] void throw_errno(const char* what)
{
    throw std::system_error{errno, std::generic_category(), what};
}

// The generation tells a report about an earlier wait for the same number, on a file whose
// duplicate is still open and which epoll therefore still knows, from one about the present wait.
uint64_t token_of(int fd, uint32_t generation)
{
    return uint64_t{generation} << 32 | static_cast<uint32_t>(fd);
}

} // namespace

poller::poller()
{
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ < 0)
        throw_errno("epoll_create1");
    event_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event_ < 0 || !add(event_, EPOLLIN, wake_token)) {
        const int reason = errno;
        if (event_ >= 0)
            close(event_);
        close(epoll_);
        errno = reason;
        throw_errno("eventfd");
    }
}

poller::~poller()
{
    close(event_);
    close(epoll_);
}

bool poller::add(int fd, uint32_t events, uint64_t token) const
{
    epoll_event request{.events = events, .data = {.u64 = token}};
    return epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &request) == 0;
}

poller::arming poller::arm(int fd, direction which, callback on_ready, void* argument)
{
    const uint32_t events =
        EPOLLONESHOT | (which == direction::read ? EPOLLIN | EPOLLRDHUP : EPOLLOUT);
    const uint64_t token = token_of(fd, ++generation_);
    const auto old = waiters_.find(fd);
    if (!add(fd, events, token)) {
        if (errno == EPERM || errno == EBADF)
            return arming::at_once;
        if (errno != EEXIST)
            throw_errno("epoll_ctl");
        if (old != waiters_.end())
            throw std::logic_error{
                fmt::format("another process is already waiting for file {}", fd)};
        // Left from a file that was closed while a duplicate of it stayed open, and is back now.
        epoll_event request{.events = events, .data = {.u64 = token}};
        if (epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &request) != 0)
            throw_errno("epoll_ctl");
    } else if (old != waiters_.end()) {
        // epoll no longer knew the number: its file was closed under whoever waited for it.
        const waiter left = old->second;
        waiters_.erase(old);
        left.on_ready(left.argument);
    }
    waiters_.insert_or_assign(fd, waiter{generation_, on_ready, argument});
    return arming::armed;
}

void poller::watch(int fd)
{
    if (!add(fd, EPOLLIN, watch_token))
        throw_errno("epoll_ctl");
}

void poller::disarm(int fd, const void* argument) noexcept
{
    const auto found = waiters_.find(fd);
    if (found == waiters_.end() || found->second.argument != argument)
        return;
    waiters_.erase(found);
    epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr); // fails if the file was closed: all the better
}

std::optional<poller::waiter> poller::take(uint64_t token)
{
    const auto found = waiters_.find(static_cast<int>(static_cast<uint32_t>(token)));
    if (found == waiters_.end() || token_of(found->first, found->second.generation) != token)
        return std::nullopt;
    const waiter taken = found->second;
    waiters_.erase(found);
    epoll_ctl(epoll_, EPOLL_CTL_DEL, static_cast<int>(static_cast<uint32_t>(token)), nullptr);
    return taken;
}

void poller::wait(duration limit)
{
    limit = std::max(limit, duration::zero());
    // Either wake() sees that this thread sleeps, or this thread sees that something is pending:
    // the two stores and the two loads have one order that all threads agree on.
    if (limit > duration::zero()) {
        sleeping_.store(true, std::memory_order_seq_cst);
        if (pending_.load(std::memory_order_seq_cst))
            limit = duration::zero();
    }
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(limit);
    const timespec timeout{.tv_sec = seconds.count(), .tv_nsec = (limit - seconds).count()};
    std::array<epoll_event, 64> ready;
    int count =
        epoll_pwait2(epoll_, ready.data(), static_cast<int>(ready.size()), &timeout, nullptr);
    using std::chrono::milliseconds;
    if (count < 0 && errno == ENOSYS) // Linux before 5.11, valgrind 3.19
        count = epoll_wait(epoll_, ready.data(), static_cast<int>(ready.size()),
                           static_cast<int>(std::chrono::ceil<milliseconds>(limit).count()));
    const int reason = errno;
    sleeping_.store(false, std::memory_order_seq_cst);
    // With the order of an acquire: what was queued before wake() is seen by the caller, who looks
    // now.
    pending_.exchange(false, std::memory_order_seq_cst);
    if (count < 0 && reason != EINTR)
        throw std::system_error{reason, std::generic_category(), "waiting for events"};

    for (int index = 0; index < count; ++index) {
        const uint64_t token = ready[static_cast<size_t>(index)].data.u64;
        if (token == watch_token)
            continue;
        if (token != wake_token) {
            if (const auto ready_one = take(token))
                ready_one->on_ready(ready_one->argument);
            continue;
        }
        uint64_t wakes = 0;
        [[maybe_unused]] const auto taken = read(event_, &wakes, sizeof(wakes));
    }
}

void poller::wake() noexcept
{
    // Whoever set `pending` first writes for all.
    if (pending_.exchange(true, std::memory_order_seq_cst))
        return;
    if (!sleeping_.load(std::memory_order_seq_cst))
        return;
    const int before = errno;
    const uint64_t one = 1;
    [[maybe_unused]] const auto written = write(event_, &one, sizeof(one));
    errno = before;
}

} // namespace weft
