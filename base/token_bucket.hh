// SPDX-License-Identifier: Apache-2.0
// How much may be done at a rate: a bucket of tokens that fills with time.
#pragma once

#include <algorithm>
#include <cstdint>

namespace weft {

// Owner: one thread at a time. The clock is the caller's: any that counts up, `hz` ticks a second.
class token_bucket {
public:
    static constexpr uint64_t max_rate = 1'000'000'000; // tokens per second

    // `rate`: tokens per second, highest_rate at most. `depth`: what the bucket holds, hence the
    // longest burst; the product of depth and hz fits 63 bits.
    token_bucket(uint64_t rate, uint64_t hz, uint64_t depth) noexcept
        : rate_{rate}, hz_{hz}, full_{hz * depth}
    {}

    // Empty at `now`.
    void restart(uint64_t now) noexcept
    {
        last_ = now;
        credit_ = 0;
    }
    // Takes what is there at `now`, `most` at most.
    [[nodiscard]] uint32_t take(uint64_t now, uint32_t most) noexcept
    {
        // a second fills any bucket that rates up to highest_rate have, and its product fits
        credit_ += std::min(now - last_, hz_) * rate_;
        last_ = now;
        credit_ = std::min(credit_, full_);
        const auto due = static_cast<uint32_t>(std::min<uint64_t>(credit_ / hz_, most));
        credit_ -= due * hz_;
        return due;
    }
    // Ticks from the last take() until there is a token; `rate` is not 0.
    [[nodiscard]] uint64_t wait() const noexcept
    {
        return credit_ >= hz_ ? 0 : (hz_ - credit_ + rate_ - 1) / rate_;
    }

private:
    const uint64_t rate_;
    const uint64_t hz_;
    const uint64_t full_;
    uint64_t last_ = 0;
    uint64_t credit_ = 0; // tokens times ticks per second
};

} // namespace weft
