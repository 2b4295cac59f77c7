// SPDX-License-Identifier: Apache-2.0
// For node functions that judge many packets at once: what is odd in a frame, and the bodies of
// node_run's templates that deal with whole groups.
#pragma once

#include "graph/node_run.hh"

#include <array>
#include <cstdint>
#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace weft {

// Some packets of a frame, by their places in it.
class packet_set {
public:
    // Adds those of the first `count` for whose places `odd` is true, asked in order; few of them
    // should be.
    template <class Odd>
    [[gnu::always_inline]] void find(uint32_t count, Odd&& odd) noexcept
    {
#pragma GCC unroll 4
        for (uint32_t i = 0; i < count; ++i)
            if (odd(i)) [[unlikely]]
                words_[i / 64] |= uint64_t{1} << i % 64;
    }
    // The same by groups, for which `odd` gives one bit each. It looks at places behind the last
    // (frame::pad), of which its bits do not matter.
    template <uint32_t group, class Odd>
    [[gnu::always_inline]] void find_groups(uint32_t count, Odd&& odd) noexcept
    {
        for (uint32_t begin = 0; begin < count; begin += 64) {
            const uint32_t end = count - begin < 64 ? count : begin + 64;
            uint64_t bits =
                0; // not in words_, where each group would wait for the store of the one before
            for (uint32_t i = begin; i < end; i += group)
                bits |= uint64_t{odd(i)} << (i - begin);
            words_[begin / 64] = bits & ~uint64_t{0} >> (begin + 64 - end);
        }
    }
    [[nodiscard]] bool none() const noexcept
    {
        return (words_[0] | words_[1] | words_[2] | words_[3]) == 0;
    }
    [[nodiscard]] bool has(uint32_t place) const noexcept
    {
        return (words_[place / 64] >> place % 64 & 1) != 0;
    }
    void remove(uint32_t place) noexcept
    {
        words_[place / 64] &= ~(uint64_t{1} << place % 64);
    }
    // Copies, in order, the packets that are not in the set to `to`, and with AVX-512 what belongs
    // to them from `words` to `words_to`, if that is not null. Reads and writes up to
    // `largest_group` places behind the last.
    [[gnu::always_inline]] void copy_others(packet* const* packets, uint32_t count, packet** to,
                                            [[maybe_unused]] const uint32_t* aux,
                                            [[maybe_unused]] uint32_t* aux_to) const noexcept
    {
#if defined(__AVX512F__)
        for (uint32_t begin = 0; begin < count; begin += 64) {
            const uint64_t all = ~uint64_t{0} >> (count - begin < 64 ? 64 - (count - begin) : 0);
            const uint64_t those = all & ~words_[begin / 64];
#pragma GCC unroll 8
            for (uint32_t i = 0; i < 64;
                 i += 8) { // no group waits for where the one before it ended
                const auto at = __builtin_popcountll(those & ((uint64_t{1} << i) - 1));
                const auto mask = static_cast<__mmask8>(those >> i);
                _mm512_storeu_si512(to + at, _mm512_maskz_compress_epi64(
                                                 mask, _mm512_loadu_si512(packets + begin + i)));
            }
            if (aux_to != nullptr)
#pragma GCC unroll 4
                for (uint32_t i = 0; i < 64; i += 16) {
                    const auto at = __builtin_popcountll(those & ((uint64_t{1} << i) - 1));
                    const auto mask = static_cast<__mmask16>(those >> i);
                    _mm512_storeu_si512(
                        aux_to + at,
                        _mm512_maskz_compress_epi32(mask, _mm512_loadu_si512(aux + begin + i)));
                }
            to += __builtin_popcountll(those);
            if (aux_to != nullptr)
                aux_to += __builtin_popcountll(those);
        }
#else
        for (uint32_t i = 0; i < count; ++i) {
            *to = packets[i];
            to += !has(i);
        }
#endif
    }
    template <class Function>
    void for_each(Function&& function) const noexcept
    {
        for (uint32_t word = 0; word < words_.size(); ++word)
            for (uint64_t bits = words_[word]; bits != 0; bits &= bits - 1)
                function(word * 64 + static_cast<uint32_t>(__builtin_ctzll(bits)));
    }

private:
    std::array<uint64_t, vector_size / 64> words_{};
    static_assert(vector_size == 256);
};

namespace groups {

// How many packets from the first on have its key.
template <class Key>
[[nodiscard, gnu::always_inline]] inline uint32_t count_alike(packet* const* packets,
                                                              uint32_t count, Key&& key) noexcept
{
    constexpr uint32_t group = 8; // without a branch for each
    const auto first = key(*packets[0]);
    uint32_t same = 0;
    for (; same + group <= count; same += group) {
        uint64_t differ = 0;
#pragma GCC unroll 8
        for (uint32_t i = 0; i < group; ++i)
            differ |= key(*packets[same + i]) ^ first;
        if (differ != 0)
            break;
    }
    while (same < count && key(*packets[same]) == first)
        ++same;
    return same;
}
// Appends each packet to the one of `ends` that is for the first key, the second, or any other.
template <class Key>
[[gnu::always_inline]] inline void part(packet* const* packets, uint32_t count, Key&& key,
                                        uint32_t first, uint32_t second,
                                        packet** (&ends)[3]) noexcept
{
    packet **firsts = ends[0], **seconds = ends[1], **others = ends[2];
    uint32_t i = 0;
#if defined(__AVX512F__)
    for (; i + 8 <= count; i += 8) {
        uint32_t keys __attribute__((vector_size(32))) = {};
        for (uint32_t k = 0; k < 8; ++k)
            keys[k] = key(*packets[i + k]);
        const auto all = reinterpret_cast<__m256i>(keys);
        const uint32_t is_first =
            _mm256_cmpeq_epi32_mask(all, _mm256_set1_epi32(static_cast<int>(first)));
        const uint32_t is_second =
            _mm256_cmpeq_epi32_mask(all, _mm256_set1_epi32(static_cast<int>(second)));
        const __m512i eight = _mm512_loadu_si512(packets + i);
        const auto append = [&](packet**& end, uint32_t those) noexcept {
            _mm512_storeu_si512(end,
                                _mm512_maskz_compress_epi64(static_cast<__mmask8>(those), eight));
            end += __builtin_popcount(those);
        };
        append(firsts, is_first);
        append(seconds, is_second);
        if (const uint32_t is_other = ~(is_first | is_second) & 0xff; is_other != 0) // mostly none
            append(others, is_other);
    }
#endif
    for (; i < count; ++i) { // written to all three, kept in one
        const uint32_t of = key(*packets[i]);
        *firsts = *seconds = *others = packets[i];
        firsts += of == first;
        seconds += of == second;
        others += of != first && of != second;
    }
    ends[0] = firsts;
    ends[1] = seconds;
    ends[2] = others;
}
} // namespace groups

// Where to write of the packets that go to `to` what the next node is to know, if that is told of
// all packets before them; else null. Only where it costs less than to find it out again.
[[gnu::always_inline]] inline uint32_t*
node_run::aux_behind([[maybe_unused]] next_index usual,
                     [[maybe_unused]] packet* const* to) const noexcept
{
#if defined(__AVX512F__)
    frame& open = *nexts_[usual]->open_;
    if (to == open.packets.data() + open.count && open.aux_count == open.count)
        return open.aux.data() + open.count;
#endif
    return nullptr;
}
template <class Decide>
void node_run::each_but(frame& in, next_index usual, packet_set& odd, Decide&& decide,
                        uint32_t aux) noexcept
{
    if (odd.none()) {
        enqueue_all(in, usual, aux);
        return;
    }
    std::array<packet*, vector_size> others; // whose verdict is another
    std::array<verdict, vector_size> verdicts;
    uint32_t count = 0;
    odd.for_each([&](uint32_t i) noexcept {
        others[count] = in.packets[i];
        verdicts[count] = decide(*in.packets[i]);
        if (verdicts[count] == usual)
            odd.remove(i);
        else
            ++count;
    });
    if (count == 0) {
        enqueue_all(in, usual, aux);
        return;
    }
    std::array<packet*, vector_size + max_group> spare;
    packet** const to = room_for(usual, in.count, spare.data());
    uint32_t* const aux_to = aux == in.count ? aux_behind(usual, to) : nullptr;
    odd.copy_others(in.packets.data(), in.count, to, in.aux.data(), aux_to);
    if (aux_to != nullptr)
        nexts_[usual]->open_->aux_count += in.count - count;
    deliver(usual, to, in.count - count);
    deliver_each(others.data(), verdicts.data(), count);
}

template <class Key, class Decide>
void node_run::each_by(frame& in, Key&& key, Decide&& decide) noexcept
{
    constexpr uint32_t max_turns =
        4; // of two keys each; packets of any more are decided one by one
    std::array<packet*, vector_size + max_group> left[2], spare[2];
    packet* const* rest = in.packets.data();
    uint32_t count = in.count;
    for (uint32_t turn = 0; turn < max_turns && count > 0; ++turn) {
        const auto first = key(*rest[0]);
        const verdict to = decide(first);
        const uint32_t same = groups::count_alike(rest, count, key);
        if (same == count) {
            if (turn == 0 && to.is_next())
                enqueue_all(in, to.next());
            else
                deliver_all(rest, count, to);
            return;
        }
        const auto second = key(*rest[same]);
        const verdict to_second = decide(second);
        packet** const firsts = place_for(to, count, spare[0].data());
        packet** const seconds =
            to_second == to ? spare[1].data() : place_for(to_second, count, spare[1].data());
        packet** const others = left[turn % 2].data();
        packet** ends[] = {firsts, seconds, others};
        groups::part(rest, count, key, first, second, ends);
        deliver_placed(to, firsts, static_cast<uint32_t>(ends[0] - firsts));
        deliver_placed(to_second, seconds, static_cast<uint32_t>(ends[1] - seconds));
        rest = others;
        count = static_cast<uint32_t>(ends[2] - others);
    }
    std::array<verdict, vector_size> verdicts;
    for (uint32_t i = 0; i < count; ++i)
        verdicts[i] = decide(key(*rest[i]));
    if (count > 0)
        deliver_each(rest, verdicts.data(), count);
}
} // namespace weft
