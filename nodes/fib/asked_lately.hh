// SPDX-License-Identifier: Apache-2.0
// Which neighbours were asked for in the last seconds, so that workers know an answer from what
// nobody asked for.
#pragma once

#include "nodes/interface/flow_hash.hh"
#include "nodes/interface/interface.hh"

#include <array>
#include <atomic>
#include <cstdint>

namespace weft::fib {

// Bits by hash, one set for each of the last seconds: few strangers pass for someone who was asked,
// and nobody who was asked is missed. Main thread writes, any thread reads.
class asked_lately {
public:
    void note(interface_index i, const net::ip_address& a) noexcept
    {
        const uint32_t bit = bit_of(i, a);
        auto& word = seconds_[now_][bit / 64];
        word.store(word.load(std::memory_order_relaxed) | uint64_t{1} << bit % 64,
                   std::memory_order_relaxed);
    }
    // A second has passed.
    void advance() noexcept
    {
        now_ = (now_ + 1) % seconds_.size();
        for (auto& word : seconds_[now_])
            word.store(0, std::memory_order_relaxed);
    }
    [[nodiscard]] bool has(interface_index i, const net::ip_address& a) const noexcept
    {
        const uint32_t bit = bit_of(i, a);
        uint64_t any = 0;
        for (const auto& second : seconds_)
            any |= second[bit / 64].load(std::memory_order_relaxed);
        return (any >> bit % 64 & 1) != 0;
    }

private:
    static constexpr uint32_t bits = 1u << 16;
    static uint32_t bit_of(interface_index i, const net::ip_address& a) noexcept
    {
        return fold_hash(std::hash<net::ip_address>{}(a) + i) % bits;
    }

    std::array<std::array<std::atomic<uint64_t>, bits / 64>, 4> seconds_{};
    size_t now_ = 0;
};

} // namespace weft::fib
