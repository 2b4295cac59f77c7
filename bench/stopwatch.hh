// SPDX-License-Identifier: Apache-2.0
// Time in TSC cycles: the gaps in a polling loop, and a histogram of durations.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>
#include <x86intrin.h>

namespace weft::bench {

[[nodiscard]] inline uint64_t now() noexcept
{
    return __rdtsc();
}

// Finds the moments at which a polling loop did not run. What falls into them says nothing about
// the device that it polls.
class gap_finder {
public:
    explicit gap_finder(uint64_t threshold) : threshold_{threshold} {}

    // Called in each turn of the loop.
    void turn(uint64_t at) noexcept
    {
        const uint64_t length = at - last_;
        last_ = at;
        if (length <= threshold_ || last_ == length)
            return;
        ended_ = at;
        total_ += length;
        longest_ = std::max(longest_, length);
        ++count_;
    }
    // Forgets what was counted, not when the loop last ran.
    void reset() noexcept { total_ = longest_ = count_ = 0; }

    [[nodiscard]] uint64_t ended() const noexcept { return ended_; } // the latest one
    [[nodiscard]] uint64_t count() const noexcept { return count_; }
    [[nodiscard]] uint64_t total() const noexcept { return total_; }
    [[nodiscard]] uint64_t longest() const noexcept { return longest_; }

private:
    uint64_t threshold_;
    uint64_t last_ = 0;
    uint64_t ended_ = 0;
    uint64_t total_ = 0;
    uint64_t longest_ = 0;
    uint64_t count_ = 0;
};

// Durations in steps of 100 ns up to 20 ms; longer ones count as that, but max() is exact.
class histogram {
public:
    explicit histogram(double tsc_hz) : per_cycle_{1e7 / tsc_hz} {}

    void add(uint64_t cycles) noexcept
    {
        const auto step = static_cast<size_t>(static_cast<double>(cycles) * per_cycle_);
        ++steps_[std::min(step, steps_.size() - 1)];
        ++count_;
        max_ = std::max(max_, cycles);
    }
    void reset() noexcept
    {
        std::fill(steps_.begin(), steps_.end(), 0);
        count_ = max_ = 0;
    }
    [[nodiscard]] uint64_t count() const noexcept { return count_; }
    [[nodiscard]] double max_us() const noexcept
    {
        return static_cast<double>(max_) * per_cycle_ / 10;
    }
    // The duration in microseconds that `share` (0 to 1) of all do not exceed.
    [[nodiscard]] double percentile_us(double share) const noexcept
    {
        const auto wanted = static_cast<uint64_t>(share * static_cast<double>(count_));
        uint64_t seen = 0;
        for (size_t step = 0; step < steps_.size(); ++step) {
            seen += steps_[step];
            if (seen > wanted)
                return std::min(static_cast<double>(step + 1) / 10, max_us());
        }
        return max_us();
    }

private:
    double per_cycle_;
    std::vector<uint64_t> steps_ = std::vector<uint64_t>(200'000);
    uint64_t count_ = 0;
    uint64_t max_ = 0;
};

} // namespace weft::bench
