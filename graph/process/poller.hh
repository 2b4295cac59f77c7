// SPDX-License-Identifier: Apache-2.0
// Where the main thread sleeps: epoll over the files that processes wait for, and a wake-up.
#pragma once

#include "base/clock.hh"

#include <atomic>
#include <cstdint>
#include <optional>
#include <unordered_map>

namespace weft {

// Owner thread: the one that makes it; wake() is for any thread and for signal handlers.
class poller {
public:
    using callback = void (*)(void* argument);
    enum class direction { read, write };
    enum class arming {
        armed,   // the callback will be called once, unless disarm() comes first
        at_once, // the file is always ready, or is not open: there is nothing to wait for
    };

    poller(); // throws std::system_error if the kernel gives no epoll or eventfd
    ~poller();
    poller(const poller&) = delete;
    poller& operator=(const poller&) = delete;

    // Calls `on_ready`, which neither arms nor disarms, from the next wait() that finds the file
    // ready, hung up or failed. A second wait for a file that one waits for is a std::logic_error;
    // std::system_error if the kernel has no room.
    arming arm(int fd, direction which, callback on_ready, void* argument);
    // Makes wait() return while the file is readable. It is not read here, nor ever forgotten.
    void watch(int fd);
    // No effect if the file is not armed with this argument.
    void disarm(int fd, const void* argument) noexcept;

    // Sleeps at most `limit` until a file is ready, wake() is called or a signal arrives, and calls
    // the callbacks of what is ready.
    void wait(duration limit);
    // Makes wait() return: the one that sleeps, or else the next.
    void wake() noexcept;

private:
    struct waiter {
        uint32_t generation;
        callback on_ready;
        void* argument;
    };

    bool add(int fd, uint32_t events, uint64_t token) const;
    std::optional<waiter> take(uint64_t token);

    int epoll_ = -1;
    int event_ = -1;
    uint32_t generation_ = 0;
    std::unordered_map<int, waiter> waiters_; // by fd
    std::atomic<bool> pending_{false};
    std::atomic<bool> sleeping_{false};
};

} // namespace weft
