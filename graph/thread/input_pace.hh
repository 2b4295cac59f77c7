// SPDX-License-Identifier: Apache-2.0
// When an adaptive input is polled in every loop and when it waits: a decision with hysteresis on
// the average vector.
#pragma once

#include <cstdint>

namespace weft {

// An average vector is what a poll would bring if there were one in each `look`. An input that
// waits is looked at as often as that while its thread is awake, so it is how long the input's own
// vectors are then.
struct pace_lengths {
    uint64_t look;   // 100 us, in TSC cycles
    uint64_t window; // over which is averaged: 1 ms
};

class input_pace {
public:
    static constexpr uint32_t enough = 8;  // packets in a vector from which on polling pays
    static constexpr uint32_t too_few = 2; // ... and below which waiting does

    input_pace() = default;
    explicit input_pace(bool quiet) noexcept : quiet_{quiet} {}

    [[nodiscard]] bool quiet() const noexcept { return quiet_; }
    // Told of each poll: how many packets it brought, and the TSC then. True if the input changed
    // from polling to waiting or back. A single vector that is long enough ends the waiting at
    // once.
    bool note(uint32_t count, uint64_t now, const pace_lengths& lengths) noexcept
    {
        packets_ += count;
        const uint64_t elapsed = now - begin_;
        if (elapsed < lengths.window && (!quiet_ || count < enough)) [[likely]]
            return false;
        return judge(count, now, elapsed, lengths);
    }

private:
    [[gnu::noinline]] bool judge(uint32_t count, uint64_t now, uint64_t elapsed,
                                 const pace_lengths& lengths) noexcept
    {
        if (begin_ == 0 && !quiet_) { // told for the first time
            begin_ = now;
            return false;
        }
        const uint64_t vector = elapsed == 0 ? count : packets_ * lengths.look / elapsed;
        begin_ = now;
        packets_ = 0;
        const bool change = quiet_ ? count >= enough || vector >= enough : vector < too_few;
        quiet_ ^= change;
        return change;
    }

    uint64_t begin_ = 0; // of the window
    uint64_t packets_ = 0;
    bool quiet_ = false;
};

} // namespace weft
