// SPDX-License-Identifier: Apache-2.0
// A counter with one writer and any number of readers.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace weft {

// Written by one thread without an atomic read-modify-write; read by any thread, never torn.
class counter {
public:
    void add(uint64_t n) noexcept
    {
        value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }
    void set(uint64_t n) noexcept { value_.store(n, std::memory_order_relaxed); }
    [[nodiscard]] uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<uint64_t> value_{0};
};

inline constexpr size_t cache_line = 64; // bytes

// Counters of one thread, in cache lines in which nothing else lies: no line is written by two
// threads.
class counter_array {
public:
    explicit counter_array(size_t count)
        : lines_{std::make_unique<line[]>((count + per_line - 1) / per_line)}
    {}
    [[nodiscard]] counter* data() const noexcept { return lines_[0].counters; }
    [[nodiscard]] counter& operator[](size_t i) const noexcept
    {
        return lines_[i / per_line].counters[i % per_line];
    }

private:
    static constexpr size_t per_line = cache_line / sizeof(counter);
    struct alignas(cache_line) line {
        counter counters[per_line];
    };
    static_assert(sizeof(line) == cache_line);

    std::unique_ptr<line[]> lines_;
};

} // namespace weft
