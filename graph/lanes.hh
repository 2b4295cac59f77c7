// SPDX-License-Identifier: Apache-2.0
// Several packets side by side: one 32-bit field of each in a lane of one vector, and what a
// comparison says of each in a lane of a mask. For *_vector.cc files, which the build compiles for
// several levels of x86-64; everything here is inlined into them.
#pragma once

#include "graph/packet.hh"

#include <cstdint>
#include <cstring>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#define WEFT_LANES_INLINE [[gnu::always_inline]] inline

// A variant's own: the same names mean other types at another level.
namespace weft::lanes::inline WEFT_VARIANT {

using u32x4 = uint32_t __attribute__((vector_size(16)));

WEFT_LANES_INLINE u32x4 load_words(const std::byte* at) noexcept
{
    u32x4 words;
    std::memcpy(&words, at, sizeof words);
    return words;
}
WEFT_LANES_INLINE uint32_t load_word(const std::byte* at) noexcept
{
    uint32_t word;
    std::memcpy(&word, at, sizeof word);
    return word;
}

// Of four packets: the first four words of each, and the fifths of all.
struct quartet {
    u32x4 part[5];
};

#if defined(__AVX512F__)

inline constexpr uint32_t count = 16;
using words = uint32_t __attribute__((vector_size(64)));
using mask = __mmask16;

WEFT_LANES_INLINE __m512i as_vector(words w) noexcept
{
    return reinterpret_cast<__m512i>(w);
}
WEFT_LANES_INLINE words as_words(__m512i w) noexcept
{
    return reinterpret_cast<words>(w);
}

// One part of all quartets, side by side.
WEFT_LANES_INLINE words join(const quartet (&four)[4], uint32_t part) noexcept
{
    __m512i all = _mm512_castsi128_si512(reinterpret_cast<__m128i>(four[0].part[part]));
    all = _mm512_inserti32x4(all, reinterpret_cast<__m128i>(four[1].part[part]), 1);
    all = _mm512_inserti32x4(all, reinterpret_cast<__m128i>(four[2].part[part]), 2);
    return as_words(_mm512_inserti32x4(all, reinterpret_cast<__m128i>(four[3].part[part]), 3));
}
// Each quarter of a vector is treated alike.
WEFT_LANES_INLINE words low_words(words a, words b) noexcept
{
    return __builtin_shufflevector(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29);
}
WEFT_LANES_INLINE words high_words(words a, words b) noexcept
{
    return __builtin_shufflevector(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15,
                                   31);
}
using pairs = uint64_t __attribute__((vector_size(64)));
WEFT_LANES_INLINE words low_pairs(words a, words b) noexcept
{
    return reinterpret_cast<words>(__builtin_shufflevector(
        reinterpret_cast<pairs>(a), reinterpret_cast<pairs>(b), 0, 8, 2, 10, 4, 12, 6, 14));
}
WEFT_LANES_INLINE words high_pairs(words a, words b) noexcept
{
    return reinterpret_cast<words>(__builtin_shufflevector(
        reinterpret_cast<pairs>(a), reinterpret_cast<pairs>(b), 1, 9, 3, 11, 5, 13, 7, 15));
}

WEFT_LANES_INLINE words all_of(uint32_t word) noexcept
{
    return as_words(_mm512_set1_epi32(static_cast<int>(word)));
}
WEFT_LANES_INLINE mask equal(words a, words b) noexcept
{
    return _mm512_cmpeq_epi32_mask(as_vector(a), as_vector(b));
}
WEFT_LANES_INLINE mask below(words a, words b) noexcept
{
    return _mm512_cmplt_epu32_mask(as_vector(a), as_vector(b));
}
WEFT_LANES_INLINE mask either(mask a, mask b) noexcept
{
    return static_cast<mask>(a | b);
}
WEFT_LANES_INLINE mask inverse(mask a) noexcept
{
    return static_cast<mask>(~a);
}
// One bit for each lane.
WEFT_LANES_INLINE uint32_t bits_of(mask m) noexcept
{
    return m;
}
// The words' highest bits.
WEFT_LANES_INLINE uint32_t top_bits(words w) noexcept
{
    return _mm512_movepi32_mask(as_vector(w));
}
WEFT_LANES_INLINE words gather(const uint32_t* from, words index) noexcept
{
    return as_words(_mm512_mask_i32gather_epi32(__m512i{}, 0xffff, as_vector(index), from, 4));
}

#else

#if defined(__AVX2__)

inline constexpr uint32_t count = 8;
using words = uint32_t __attribute__((vector_size(32)));

// One part of both quartets, side by side.
WEFT_LANES_INLINE words join(const quartet (&two)[2], uint32_t part) noexcept
{
    return __builtin_shufflevector(two[0].part[part], two[1].part[part], 0, 1, 2, 3, 4, 5, 6, 7);
}
// Each half of a vector is treated alike.
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
    return reinterpret_cast<words>(
        _mm256_unpacklo_epi64(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
}
WEFT_LANES_INLINE words high_pairs(words a, words b) noexcept
{
    return reinterpret_cast<words>(
        _mm256_unpackhi_epi64(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
}
WEFT_LANES_INLINE uint32_t top_bits(words w) noexcept
{
    return static_cast<uint32_t>(_mm256_movemask_ps(reinterpret_cast<__m256>(w)));
}

#else

inline constexpr uint32_t count = 4;
using words = u32x4;

WEFT_LANES_INLINE words join(const quartet (&one)[1], uint32_t part) noexcept
{
    return one[0].part[part];
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
WEFT_LANES_INLINE uint32_t top_bits(words w) noexcept
{
    using floats = float __attribute__((vector_size(16)));
    return static_cast<uint32_t>(__builtin_ia32_movmskps(reinterpret_cast<floats>(w)));
}

#endif

using mask = words; // all bits of a lane, or none

WEFT_LANES_INLINE words all_of(uint32_t word) noexcept
{
    return words{} + word;
}
WEFT_LANES_INLINE mask equal(words a, words b) noexcept
{
    return reinterpret_cast<mask>(a == b);
}
WEFT_LANES_INLINE mask below(words a, words b) noexcept
{
    return reinterpret_cast<mask>(a < b);
}
WEFT_LANES_INLINE mask either(mask a, mask b) noexcept
{
    return a | b;
}
WEFT_LANES_INLINE mask inverse(mask a) noexcept
{
    return ~a;
}
WEFT_LANES_INLINE uint32_t bits_of(mask m) noexcept
{
    return top_bits(m);
}
WEFT_LANES_INLINE words gather(const uint32_t* from, words index) noexcept
{
    words all{};
    for (uint32_t i = 0; i < count; ++i)
        all[i] = from[index[i]];
    return all;
}

#endif

template <class... More>
WEFT_LANES_INLINE mask either(mask a, mask b, More... more) noexcept
{
    return either(either(a, b), more...);
}
WEFT_LANES_INLINE mask differ(words a, words b) noexcept
{
    return inverse(equal(a, b));
}

// Neighbouring words of each packet: word[k] has the k-th of all, in the packets' order.
template <uint32_t size>
struct neighbours {
    words word[size];
};

// From where `at` says, called as const std::byte*(uint32_t) for each of the `count` packets once.
template <class At>
WEFT_LANES_INLINE neighbours<5> load_five(At&& at) noexcept
{
    quartet all[count / 4];
#pragma GCC unroll 4
    for (uint32_t i = 0; i < count / 4; ++i) {
        const std::byte *const a = at(4 * i), *const b = at(4 * i + 1), *const c = at(4 * i + 2),
                               *const d = at(4 * i + 3);
        constexpr size_t fifth = sizeof(u32x4);
        all[i] = {{load_words(a), load_words(b), load_words(c), load_words(d),
                   u32x4{load_word(a + fifth), load_word(b + fifth), load_word(c + fifth),
                         load_word(d + fifth)}}};
    }
    const words r0 = join(all, 0), r1 = join(all, 1), r2 = join(all, 2), r3 = join(all, 3);
    const words low01 = low_words(r0, r1), low23 = low_words(r2, r3);
    const words high01 = high_words(r0, r1), high23 = high_words(r2, r3);
    return {{low_pairs(low01, low23), high_pairs(low01, low23), low_pairs(high01, high23),
             high_pairs(high01, high23), join(all, 4)}};
}
// The first four of them; the compiler leaves out what nobody asks for.
template <class At>
WEFT_LANES_INLINE neighbours<4> load_four(At&& at) noexcept
{
    const auto five = load_five(at);
    return {{five.word[0], five.word[1], five.word[2], five.word[3]}};
}

// Between wire and host order.
WEFT_LANES_INLINE words swap_bytes(words w) noexcept
{
    return (w >> 24) | (w >> 8 & 0xff00) | (w << 8 & 0xff'0000) | (w << 24);
}

// What load_four gives of the mbufs' first cache lines when loaded from `offset`: lengths and mark.
struct mbuf_words {
    static constexpr size_t offset = offsetof(rte_mbuf, pkt_len);
    static constexpr size_t pkt_len = 0;
    static constexpr size_t data_len = 1; // in the low half
    static constexpr size_t place = 3;    // interface, then 8 bits of l3_offset, then flags
    static_assert(offsetof(rte_mbuf, data_len) == offset + 4);
    static_assert(offsetof(rte_mbuf, hash) == offset + 8);
};
[[nodiscard]] WEFT_LANES_INLINE neighbours<4> load_mbufs(packet* const* packets) noexcept
{
    return load_four([&](uint32_t i) noexcept {
        return reinterpret_cast<const std::byte*>(packets[i]) + mbuf_words::offset;
    });
}

} // namespace weft::lanes::inline WEFT_VARIANT
