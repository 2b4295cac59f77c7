// SPDX-License-Identifier: Apache-2.0
// A worker's life, and what a thread does when its inputs bring little: it waits for their
// interrupts.
#include "graph/engine.hh"
#include "graph/plan.hh"
#include "graph/thread/graph_thread.hh"

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <rte_cycles.h>
#include <rte_pause.h>
#include <sys/epoll.h>
#include <unistd.h>

namespace weft {

namespace {

constexpr duration max_sleep = 100ms;
// Without a file to wait for: the first packet after a rest is under way in less than 1 ms.
constexpr duration back_off = 900us;
// A file is given up for `file_rest` when it ended so many sleeps in a row for nothing, or at once
// if it is in an error state: it would be ready for ever.
constexpr uint8_t max_in_vain = 8;
constexpr uint64_t file_rest = 1; // seconds
// A file is given up for good when so many whole sleeps in a row ended with packets waiting of
// which it had said nothing: there are drivers that offer interrupts which never come (DPDK's em
// with MSI-X).
constexpr uint8_t max_unheard = 4;
constexpr uint64_t never = std::numeric_limits<uint64_t>::max();

} // namespace

// After each poll of an input that may wait. One that brought packets is polled until it brings
// none.
void graph_thread::pace(node_run& node, uint32_t count) noexcept
{
    if (node.state_ != node_state::adaptive) {
        node.polled_ = count > 0;
        return;
    }
    if (node.pace_.note(count, clock_, lengths_)) [[unlikely]] {
        node.activity_->quiet.store(node.pace_.quiet(), std::memory_order_relaxed);
        node.activity_->switches.add(1);
    }
    node.polled_ = count > 0 || !node.pace_.quiet();
}

bool graph_thread::may_sleep() const noexcept
{
    // who is handed packets stays awake for a while: to wake it costs the other thread a system
    // call
    return !awake_ && (index_ == 0 || clock_ - last_posted_ > lengths_.window);
}

duration graph_thread::arm_inputs() noexcept
{
    duration limit = max_sleep;
    for (node_run* node : plan_->inputs()) {
        const int fd = node->wait_ != nullptr ? node->wait_(*node, true) : -1;
        if (fd == nothing_comes)
            continue;
        epoll_event ready{.events = EPOLLIN, .data = {.fd = fd}};
        if (fd >= 0 && fd != node->fd_ && clock_ >= node->file_again_ &&
            (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &ready) == 0 || errno == EEXIST))
            node->fd_ = fd;
        if (fd < 0 || fd != node->fd_)
            limit = back_off;
    }
    for (node_run* node : plan_->pre_inputs())
        node->countdown_ = 0;
    next_look_ = 0;
    return limit;
}

// Whatever ended the sleep, all inputs are looked at: an interrupt that comes just now may be lost
// here.
void graph_thread::disarm_inputs() noexcept
{
    for (node_run* node : plan_->inputs())
        if (node->wait_ != nullptr)
            node->wait_(*node, false);
    next_look_ = 0;
}

// An input that leaves this thread, or is no longer polled, must not end its sleeps.
void graph_thread::keep_files(plan& next) noexcept
{
    lengths_ = {.look = rte_get_tsc_hz() / 10'000, .window = rte_get_tsc_hz() / 1000};
    next_look_ = 0;
    if (plan_ == nullptr)
        return;
    for (node_run* old : plan_->inputs()) {
        if (old->fd_ < 0 && old->file_again_ != never)
            continue;
        const auto inputs = next.inputs();
        const auto same = std::find_if(inputs.begin(), inputs.end(), [&](const node_run* run) {
            return run->counters_ == old->counters_;
        });
        if (same != inputs.end()) {
            (*same)->fd_ = old->fd_;
            (*same)->file_again_ = old->file_again_;
            (*same)->unheard_ = old->unheard_;
            continue;
        }
        if (old->fd_ < 0)
            continue;
        old->wait_(*old, false); // it may be armed: this thread was about to sleep
        epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, old->fd_, nullptr);
    }
}

bool graph_thread::wait_for_inputs(duration limit) noexcept
{
    std::array<epoll_event, 8> events;
    const timespec timeout{.tv_sec = 0, .tv_nsec = limit.count()};
    int count = epoll_pwait2(epoll_fd_, events.data(), events.size(), &timeout, nullptr);
    using std::chrono::milliseconds;
    if (count < 0 && errno == ENOSYS) // Linux before 5.11, valgrind 3.19
        count = epoll_wait(epoll_fd_, events.data(), events.size(),
                           static_cast<int>(std::chrono::ceil<milliseconds>(limit).count()));
    for (int i = 0; i < count; ++i) {
        const epoll_event& ready = events[static_cast<size_t>(i)];
        uint64_t value = 0;
        if (ready.data.fd != wake_fd_)
            note_ready(ready.data.fd, (ready.events & (EPOLLERR | EPOLLHUP)) != 0);
        else [[maybe_unused]]
            const auto drained = read(wake_fd_, &value, sizeof value);
    }
    return count > 0;
}

void graph_thread::note_ready(int fd, bool failed) noexcept
{
    for (node_run* node : plan_->inputs()) {
        if (node->fd_ != fd)
            continue;
        const uint64_t vectors = node->counters_->vectors.get();
        node->in_vain_ = vectors == node->in_vain_vectors_
                             ? static_cast<uint8_t>(node->in_vain_ + 1)
                             : uint8_t{0};
        node->in_vain_vectors_ = vectors;
        node->unheard_ = 0;
        if (failed || node->in_vain_ >= max_in_vain)
            give_up_file(*node, rte_rdtsc() + file_rest * rte_get_tsc_hz());
    }
}

void graph_thread::give_up_file(node_run& node, uint64_t until) noexcept
{
    epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, node.fd_, nullptr);
    node.fd_ = -1;
    node.in_vain_ = 0;
    node.file_again_ = until;
}

// After a whole sleep that no file ended.
void graph_thread::note_unheard() noexcept
{
    for (node_run* node : plan_->inputs())
        node->unheard_vectors_ = node->counters_->vectors.get();
    run_once();
    for (node_run* node : plan_->inputs())
        if (node->fd_ >= 0 && node->counters_->vectors.get() != node->unheard_vectors_ &&
            ++node->unheard_ >= max_unheard)
            give_up_file(*node, never);
}

void graph_thread::run(const std::atomic<bool>& stop) noexcept
{
    engine_.rcu().online(index_);
    while (!stop.load(std::memory_order_relaxed)) {
        const uint32_t received = run_once();
        engine_.rcu().quiescent(index_);
        if (received > 0)
            continue;
        if (may_sleep())
            sleep(stop);
        else
            rte_pause();
    }
    run_once(); // what was handed over meanwhile
    leave_plan();
    engine_.rcu().offline(index_);
}

void graph_thread::sleep(const std::atomic<bool>& stop) noexcept
{
    const duration limit = arm_inputs();
    sleeping_.store(true, std::memory_order_seq_cst);
    bool unheard = false;
    const bool work = woken_.exchange(false, std::memory_order_seq_cst) || stop.load() ||
                      published_.load() != plan_ || run_once() > 0;
    if (!work) {
        sleeps_.add(1);
        engine_.rcu().offline(index_);
        unheard = !wait_for_inputs(limit) && limit == max_sleep;
        engine_.rcu().online(index_);
    }
    sleeping_.store(false, std::memory_order_seq_cst);
    disarm_inputs();
    if (unheard)
        note_unheard();
}

} // namespace weft
