// SPDX-License-Identifier: Apache-2.0
// Read-copy-update between the main thread and the workers, on DPDK's quiescent-state library.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>

struct rte_rcu_qsbr;

namespace weft {

// Workers are readers: inside a loop they may hold what they read, at its end they announce that
// they hold nothing. The main thread is the only writer and never a reader in this sense.
class rcu_domain {
public:
    explicit rcu_domain(unsigned max_threads);
    ~rcu_domain(); // all readers are offline; runs what is still deferred

    // A reader's side, on its own thread. A thread that sleeps is offline and delays nobody.
    void online(unsigned thread) noexcept;
    void offline(unsigned thread) noexcept;
    void quiescent(unsigned thread) noexcept;

    // Main thread: runs `release` in a later reclaim(), when no reader can still hold what was
    // replaced before this call. Released in order.
    void defer(std::function<void()> release);
    // Runs what has become free; returns how many.
    size_t reclaim();
    [[nodiscard]] size_t pending() const noexcept { return deferred_.size(); }

private:
    struct deferred {
        uint64_t token;
        std::function<void()> release;
    };
    struct free_aligned {
        void operator()(rte_rcu_qsbr* p) const noexcept;
    };
    std::unique_ptr<rte_rcu_qsbr, free_aligned> qsbr_;
    std::deque<deferred> deferred_;
};

} // namespace weft
