// SPDX-License-Identifier: Apache-2.0
// The timing wheel's slots, cascades and the search for the next occupied slot.
#include "graph/process/timing_wheel.hh"

#include <algorithm>
#include <bit>

namespace weft {

timer::~timer()
{
    if (wheel_ != nullptr)
        wheel_->stop(*this);
}

timing_wheel::timing_wheel(duration now, duration tick) noexcept : tick_{tick}, origin_{now} {}

timing_wheel::~timing_wheel()
{
    for (unsigned list = 0; list < lists_.size(); ++list) {
        while (lists_[list] != nullptr)
            stop(*lists_[list]);
    }
}

void timing_wheel::start(timer& t, duration deadline) noexcept
{
    if (t.wheel_ != nullptr)
        t.wheel_->remove(t);
    t.deadline_ = deadline;
    t.tick_ = tick_after(deadline);
    t.wheel_ = this;
    append(t, list_for(t.tick_));
    ++size_;
    ++counts_.started;
    counts_.most = std::max(counts_.most, size_);
}

void timing_wheel::stop(timer& t) noexcept
{
    if (t.wheel_ != this)
        return;
    remove(t);
    ++counts_.stopped;
}

void timing_wheel::remove(timer& t) noexcept
{
    unlink(t);
    t.wheel_ = nullptr;
    --size_;
}

size_t timing_wheel::advance(duration now)
{
    // Only what was late before this call: what a callback starts in the past waits for the next
    // one.
    while (timer* const t = lists_[due_list]) {
        unlink(*t);
        append(*t, running_list);
    }
    size_t expired = run_expired(now);

    const uint64_t target =
        now <= origin_
            ? 0
            : (static_cast<uint64_t>(now.count()) - static_cast<uint64_t>(origin_.count())) /
                  static_cast<uint64_t>(tick_.count());
    for (auto next = next_occupied(); next && next->tick <= target; next = next_occupied()) {
        now_tick_ = next->tick;
        redistribute(next->list);
        expired += run_expired(now);
    }
    if (target > now_tick_)
        now_tick_ = target;
    return expired;
}

std::optional<duration> timing_wheel::next_wakeup() const noexcept
{
    if (lists_[due_list] != nullptr || lists_[running_list] != nullptr)
        return time_of(now_tick_);
    const auto next = next_occupied();
    return next ? std::optional{time_of(next->tick)} : std::nullopt;
}

// Rounded up, so that a timer is never early. In unsigned arithmetic, where the longest difference
// of two times has room.
uint64_t timing_wheel::tick_after(duration deadline) const noexcept
{
    if (deadline <= origin_)
        return 0;
    const auto tick = static_cast<uint64_t>(tick_.count());
    const auto distance =
        static_cast<uint64_t>(deadline.count()) - static_cast<uint64_t>(origin_.count());
    return distance / tick + (distance % tick != 0 ? 1 : 0);
}

duration timing_wheel::time_of(uint64_t tick) const noexcept
{
    const auto room =
        static_cast<uint64_t>(duration::max().count()) - static_cast<uint64_t>(origin_.count());
    if (tick > room / static_cast<uint64_t>(tick_.count()))
        return duration::max();
    return duration{static_cast<int64_t>(static_cast<uint64_t>(origin_.count()) +
                                         tick * static_cast<uint64_t>(tick_.count()))};
}

unsigned timing_wheel::list_for(uint64_t tick) const noexcept
{
    if (tick <= now_tick_)
        return due_list;
    const auto highest_bit = static_cast<unsigned>(std::bit_width(tick ^ now_tick_)) - 1;
    const unsigned level = highest_bit / level_bits;
    if (level >= levels)
        return far_list;
    return level * slots + static_cast<unsigned>((tick >> (level * level_bits)) % slots);
}

std::optional<timing_wheel::position> timing_wheel::next_occupied() const noexcept
{
    for (unsigned level = 0; level < levels; ++level) {
        for (unsigned word = 0; word < occupied_[level].size(); ++word) {
            const uint64_t bits = occupied_[level][word];
            if (bits == 0)
                continue;
            const unsigned slot = word * 64 + static_cast<unsigned>(std::countr_zero(bits));
            const unsigned shift = level * level_bits;
            const uint64_t above = now_tick_ >> (shift + level_bits) << (shift + level_bits);
            return position{above | static_cast<uint64_t>(slot) << shift, level * slots + slot};
        }
    }
    if (lists_[far_list] == nullptr)
        return std::nullopt;
    constexpr unsigned reach = levels * level_bits;
    return position{((now_tick_ >> reach) + 1) << reach, far_list};
}

void timing_wheel::append(timer& t, unsigned list) noexcept
{
    timer*& head = lists_[list];
    t.list_ = static_cast<uint16_t>(list);
    if (head == nullptr) {
        t.previous_ = t.next_ = &t;
        head = &t;
        if (list < far_list)
            occupied_[list / slots][list % slots / 64] |= uint64_t{1} << (list % 64);
        return;
    }
    t.next_ = head;
    t.previous_ = head->previous_;
    t.previous_->next_ = &t;
    head->previous_ = &t;
}

void timing_wheel::unlink(timer& t) noexcept
{
    timer*& head = lists_[t.list_];
    if (t.next_ == &t) {
        head = nullptr;
        if (t.list_ < far_list)
            occupied_[t.list_ / slots][t.list_ % slots / 64] &= ~(uint64_t{1} << (t.list_ % 64));
    } else {
        t.previous_->next_ = t.next_;
        t.next_->previous_ = t.previous_;
        if (head == &t)
            head = t.next_;
    }
    t.previous_ = t.next_ = nullptr;
}

// Spreads a list that now_tick_ has reached over the lower levels. In order, which keeps the timers
// of one tick in the order of their start: before this, all of them were in this list.
void timing_wheel::redistribute(unsigned list) noexcept
{
    timer* const first = lists_[list];
    if (first == nullptr)
        return;
    // A timer may come back to the far list, behind the last one that is there now.
    for (timer* const last = first->previous_;;) {
        timer& t = *lists_[list];
        const bool was_last = &t == last;
        unlink(t);
        if (t.tick_ == now_tick_) {
            append(t, running_list);
        } else {
            append(t, list_for(t.tick_));
            ++counts_.cascaded;
        }
        if (was_last)
            return;
    }
}

size_t timing_wheel::run_expired(duration now)
{
    size_t expired = 0;
    while (timer* const t = lists_[running_list]) {
        remove(*t);
        ++expired;
        ++counts_.expired;
        counts_.longest_delay = std::max(counts_.longest_delay, now - t->deadline_);
        t->callback_(*t, t->argument_); // the timer may be gone after this
    }
    return expired;
}

} // namespace weft
