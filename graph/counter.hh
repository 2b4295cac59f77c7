// SPDX-License-Identifier: Apache-2.0
// A counter with one writer and any number of readers.
#pragma once

#include <atomic>
#include <cstdint>

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

} // namespace weft
