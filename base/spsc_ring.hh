// SPDX-License-Identifier: Apache-2.0
// A bounded ring from one thread to one other: the only way in which threads hand things over.
// (DPDK's rte_ring does the same with plain accesses, which ThreadSanitizer cannot check.)
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <memory>

namespace weft {

// Capacity is rounded up to a power of two. push() only on the producer's thread, pop() only on
// the consumer's; neither waits, allocates or fails other than by full or empty.
template <class T>
class spsc_ring {
public:
    explicit spsc_ring(size_t capacity)
        : mask_{std::bit_ceil(capacity) - 1}, slots_{std::make_unique<T[]>(mask_ + 1)}
    {}

    bool push(const T& item) noexcept
    {
        const size_t tail = tail_.load(std::memory_order_relaxed);
        if (tail - head_seen_ > mask_) {
            head_seen_ = head_.load(std::memory_order_acquire);
            if (tail - head_seen_ > mask_)
                return false;
        }
        slots_[tail & mask_] = item;
        tail_.store(tail + 1, std::memory_order_release);
        return true;
    }
    // Room for so many more items as the producer sees it: never more than there is, and exact if
    // it is less than `wanted`.
    size_t room(size_t wanted) noexcept
    {
        const size_t tail = tail_.load(std::memory_order_relaxed);
        if (capacity() - (tail - head_seen_) < wanted)
            head_seen_ = head_.load(std::memory_order_acquire);
        return capacity() - (tail - head_seen_);
    }
    // Pushes item(0), item(1), ... item(count - 1), for which room() has said that there is room.
    template <class Item>
    void push_some(size_t count, Item&& item) noexcept
    {
        const size_t tail = tail_.load(std::memory_order_relaxed);
        for (size_t i = 0; i < count; ++i)
            slots_[(tail + i) & mask_] = item(i);
        tail_.store(tail + count, std::memory_order_release);
    }
    // Pops `count` items at most; returns how many.
    size_t pop_some(T* items, size_t count) noexcept
    {
        const size_t head = head_.load(std::memory_order_relaxed);
        if (tail_seen_ - head < count)
            tail_seen_ = tail_.load(std::memory_order_acquire);
        count = std::min(count, tail_seen_ - head);
        for (size_t i = 0; i < count; ++i)
            items[i] = slots_[(head + i) & mask_];
        head_.store(head + count, std::memory_order_release);
        return count;
    }
    bool pop(T& item) noexcept
    {
        const size_t head = head_.load(std::memory_order_relaxed);
        if (head == tail_seen_) {
            tail_seen_ = tail_.load(std::memory_order_acquire);
            if (head == tail_seen_)
                return false;
        }
        item = slots_[head & mask_];
        head_.store(head + 1, std::memory_order_release);
        return true;
    }
    // A moment's truth, from any thread.
    [[nodiscard]] size_t size() const noexcept
    {
        const size_t head = head_.load(std::memory_order_acquire);
        return tail_.load(std::memory_order_acquire) - head;
    }
    // How many were pushed and popped since the beginning, from any thread.
    [[nodiscard]] size_t pushed() const noexcept { return tail_.load(std::memory_order_acquire); }
    [[nodiscard]] size_t popped() const noexcept { return head_.load(std::memory_order_acquire); }
    [[nodiscard]] size_t capacity() const noexcept { return mask_ + 1; }

private:
    const size_t mask_;
    const std::unique_ptr<T[]> slots_;
    alignas(64) std::atomic<size_t> tail_{0}; // producer's line
    size_t head_seen_ = 0;
    alignas(64) std::atomic<size_t> head_{0}; // consumer's line
    size_t tail_seen_ = 0;
};

} // namespace weft
