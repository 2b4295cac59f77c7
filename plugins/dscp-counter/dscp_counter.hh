// SPDX-License-Identifier: Apache-2.0
// Packets by DSCP, counted by each thread for itself.
#pragma once

#include "base/counter.hh"
#include "graph/engine.hh"

#include <array>
#include <vector>

namespace dscp_counter {

inline constexpr size_t dscp_count = 64; // six bits (RFC 2474)

// The plugin's module: engine::module<counts>() makes it when it is first asked for. Main thread,
// but for what the contexts of the node take from it.
class counts {
public:
    explicit counts(weft::engine& engine)
    {
        for (unsigned thread = 0; thread < engine.thread_count(); ++thread)
            all_.emplace_back(dscp_count);
    }

    // What one thread writes.
    [[nodiscard]] weft::counter* of(unsigned thread) noexcept { return all_[thread].data(); }

    // Of all threads, since the last clear().
    [[nodiscard]] uint64_t sum(size_t dscp) const noexcept { return raw(dscp) - cleared_[dscp]; }
    // The counters are the threads' to write: what they hold now is taken off later.
    void clear() noexcept
    {
        for (size_t dscp = 0; dscp < dscp_count; ++dscp)
            cleared_[dscp] = raw(dscp);
    }

private:
    [[nodiscard]] uint64_t raw(size_t dscp) const noexcept
    {
        uint64_t total = 0;
        for (const auto& each : all_)
            total += each[dscp].get();
        return total;
    }

    std::vector<weft::counter_array> all_; // by thread
    std::array<uint64_t, dscp_count> cleared_{};
};

} // namespace dscp_counter
