// SPDX-License-Identifier: Apache-2.0
// Several packets side by side: one 32-bit field of each in a lane of one vector. For *_vector.cc files, which the
// build compiles for several levels of x86-64; everything here is inlined into them.
#pragma once

#include "graph/packet.hh"

#include <cstdint>
#include <cstring>

#define WEFT_LANES_INLINE [[gnu::always_inline]] inline

namespace weft::lanes {

using u32x4 = uint32_t __attribute__((vector_size(16)));

#if defined(__AVX2__)

inline constexpr uint32_t count = 8;
using words = uint32_t __attribute__((vector_size(32)));

// Two by two, the packets of the low half of a vector and those of the high half are treated alike.
WEFT_LANES_INLINE words load_row(const std::byte* const* at) noexcept
{
    u32x4 low, high;
    std::memcpy(&low, at[0], sizeof low);
    std::memcpy(&high, at[4], sizeof high);
    return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7);
}
WEFT_LANES_INLINE words low_words(words a, words b) noexcept
{
    return __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13);
}
WEFT_LANES_INLINE words high_words(words a, words b) noexcept
{
    return __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15);
}
WEFT_LANES_INLINE words low_pairs(words a, words b) noexcept
{
    return __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13);
}
WEFT_LANES_INLINE words high_pairs(words a, words b) noexcept
{
    return __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15);
}

// One bit for each lane, from lanes of all bits or none.
WEFT_LANES_INLINE uint32_t bits_of(words mask) noexcept
{
    using floats = float __attribute__((vector_size(32)));
    return static_cast<uint32_t>(__builtin_ia32_movmskps256(reinterpret_cast<floats>(mask)));
}

#else

inline constexpr uint32_t count = 4;
using words = u32x4;

WEFT_LANES_INLINE words load_row(const std::byte* const* at) noexcept
{
    words row;
    std::memcpy(&row, at[0], sizeof row);
    return row;
}
WEFT_LANES_INLINE words low_words(words a, words b) noexcept
{
    return __builtin_shufflevector(a, b, 0, 4, 1, 5);
}
WEFT_LANES_INLINE words high_words(words a, words b) noexcept
{
    return __builtin_shufflevector(a, b, 2, 6, 3, 7);
}
WEFT_LANES_INLINE words low_pairs(words a, words b) noexcept
{
    return __builtin_shufflevector(a, b, 0, 1, 4, 5);
}
WEFT_LANES_INLINE words high_pairs(words a, words b) noexcept
{
    return __builtin_shufflevector(a, b, 2, 3, 6, 7);
}
WEFT_LANES_INLINE uint32_t bits_of(words mask) noexcept
{
    using floats = float __attribute__((vector_size(16)));
    return static_cast<uint32_t>(__builtin_ia32_movmskps(reinterpret_cast<floats>(mask)));
}

#endif

// Four neighbouring words of each packet: word[k] has the k-th of all, in the packets' order.
struct four_words {
    words word[4];
};

WEFT_LANES_INLINE four_words load_four(const std::byte* const* at) noexcept
{
    const words r0 = load_row(at), r1 = load_row(at + 1), r2 = load_row(at + 2), r3 = load_row(at + 3);
    const words low01 = low_words(r0, r1), low23 = low_words(r2, r3);
    const words high01 = high_words(r0, r1), high23 = high_words(r2, r3);
    return {{low_pairs(low01, low23), high_pairs(low01, low23), low_pairs(high01, high23),
             high_pairs(high01, high23)}};
}

// One word of each.
WEFT_LANES_INLINE words load_one(const std::byte* const* at) noexcept
{
    words all{};
    for (uint32_t i = 0; i < count; ++i) {
        uint32_t word;
        std::memcpy(&word, at[i], sizeof word);
        all[i] = word;
    }
    return all;
}

// Between wire and host order.
WEFT_LANES_INLINE words swap_bytes(words w) noexcept
{
    return (w >> 24) | (w >> 8 & 0xff00) | (w << 8 & 0xff'0000) | (w << 24);
}

// All bits of a lane where the condition holds; comparisons give signed lanes.
template <class Compared>
WEFT_LANES_INLINE words mask_of(Compared condition) noexcept
{
    return reinterpret_cast<words>(condition);
}

// What four_words gives of the mbufs' first cache lines when loaded from `offset`: lengths and mark.
struct mbuf_words {
    static constexpr size_t offset = offsetof(rte_mbuf, pkt_len);
    static constexpr size_t pkt_len = 0;
    static constexpr size_t data_len = 1; // in the low half
    static constexpr size_t place = 3; // interface, then 8 bits of l3_offset, then flags
    static_assert(offsetof(rte_mbuf, data_len) == offset + 4);
    static_assert(offsetof(rte_mbuf, hash) == offset + 8);
};

} // namespace weft::lanes
