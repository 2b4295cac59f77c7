// SPDX-License-Identifier: Apache-2.0
// A hierarchical timing wheel: start, stop and restart of a timer in O(1), expiry never early and
// at most one tick late (Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", 1987).
#pragma once

#include "base/clock.hh"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace weft {

// Embedded in its owner; stops itself when it goes. Owner thread: the wheel's.
class timer {
public:
    using callback = void (*)(timer&, void* argument);

    timer(callback on_expiry, void* argument) noexcept : callback_{on_expiry}, argument_{argument}
    {}
    timer(const timer&) = delete;
    timer& operator=(const timer&) = delete;
    ~timer(); // stops it

    [[nodiscard]] bool active() const noexcept { return wheel_ != nullptr; }
    [[nodiscard]] duration expires_at() const noexcept { return deadline_; }

private:
    friend class timing_wheel;
    callback callback_;
    void* argument_;
    class timing_wheel* wheel_ = nullptr;
    timer* previous_ = nullptr;
    timer* next_ = nullptr;
    duration deadline_{};
    uint64_t tick_ = 0;
    uint16_t list_ = 0;
};

// What a wheel has done since it was made.
struct timing_wheel_counts {
    uint64_t started = 0; // moved ones too
    uint64_t stopped = 0; // before they expired
    uint64_t expired = 0;
    uint64_t cascaded = 0; // timers brought to a lower level: at most one for each level and start
    size_t most = 0;       // that ran at once
    // The longest time from a deadline to the advance() that expired it: a tick, and what the owner
    // slept or worked too long.
    duration longest_delay{};
};

// Not thread-safe: the thread that owns it calls everything. One tick is `tick` long; the default
// of 100 us gives processes a wait that is at most that much too long.
class timing_wheel {
public:
    explicit timing_wheel(duration now, duration tick = 100us) noexcept;
    ~timing_wheel();
    timing_wheel(const timing_wheel&) = delete;
    timing_wheel& operator=(const timing_wheel&) = delete;

    // Starts `t`, or moves it if it runs. A deadline in the past expires at the next advance().
    void start(timer& t, duration deadline) noexcept;
    void stop(timer& t) noexcept; // no effect if it does not run

    // Runs the callbacks of all timers whose deadline, rounded up to a tick, is at or before `now`:
    // in order of their tick, and within one tick in the order in which they were started. A
    // callback may start, stop or destroy any timer, its own too; what it starts in the past waits
    // for the next advance(). Not called from a callback. Returns how many expired.
    size_t advance(duration now);

    // No timer expires before this time; empty when none runs. May be earlier than the next
    // expiry (the next cascade): sleeping until then and calling advance() is always right.
    [[nodiscard]] std::optional<duration> next_wakeup() const noexcept;

    [[nodiscard]] size_t size() const noexcept { return size_; }
    [[nodiscard]] duration tick() const noexcept { return tick_; }
    [[nodiscard]] const timing_wheel_counts& counts() const noexcept { return counts_; }

private:
    static constexpr unsigned level_bits = 8;
    static constexpr unsigned levels = 4; // 2^32 ticks: five days of 100 us; beyond, re-cascaded
    static constexpr unsigned slots = 1u << level_bits;
    // Lists beside the wheel: too far ahead for it, started in the past, being run by advance().
    static constexpr unsigned far_list = levels * slots;
    static constexpr unsigned due_list = far_list + 1;
    static constexpr unsigned running_list = far_list + 2;

    struct position {
        uint64_t tick; // when the list must be looked at: for a slot, the first tick that it covers
        unsigned list;
    };

    [[nodiscard]] uint64_t tick_after(duration deadline) const noexcept;
    [[nodiscard]] duration time_of(uint64_t tick) const noexcept;
    [[nodiscard]] unsigned list_for(uint64_t tick) const noexcept;
    [[nodiscard]] std::optional<position> next_occupied() const noexcept;
    void append(timer& t, unsigned list) noexcept;
    void unlink(timer& t) noexcept;
    void remove(timer& t) noexcept;
    void redistribute(unsigned list) noexcept;
    size_t run_expired(duration now);

    duration tick_;
    duration origin_;
    // All ticks up to and including this one have been run. A timer sits on the level of the
    // highest digit (of level_bits) in which its tick differs from this one, so the occupied slots
    // of each level lie ahead of the current one, and those of a lower level come before those
    // above.
    uint64_t now_tick_ = 0;
    size_t size_ = 0;
    timing_wheel_counts counts_;
    std::array<timer*, levels * slots + 3> lists_{}; // heads of circular lists
    std::array<std::array<uint64_t, slots / 64>, levels> occupied_{};
};

} // namespace weft
