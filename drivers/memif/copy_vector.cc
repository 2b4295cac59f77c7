// SPDX-License-Identifier: Apache-2.0
// Copying in the widest registers of a level. A frame's last bytes are copied with the register's
// width as well, over some that lie there already, so that no length needs a loop of bytes.
#include "drivers/memif/copy.hh"

#include <cstring>

namespace weft::drivers::memif {

namespace {

#if defined(__AVX512F__)
constexpr size_t widest = 64;
#elif defined(__AVX2__)
constexpr size_t widest = 32;
#else
constexpr size_t widest = 16;
#endif
using vector16 = char __attribute__((vector_size(16)));
using vector32 = char __attribute__((vector_size(32)));
using vector64 = char __attribute__((vector_size(64)));
constexpr size_t line = 64;

template <class Vector>
[[gnu::always_inline]] inline void move_one(std::byte* to, const std::byte* from) noexcept
{
    Vector bytes;
    std::memcpy(&bytes, from, sizeof bytes);
    std::memcpy(to, &bytes, sizeof bytes);
}

// 16, 32 or 64 bytes.
template <size_t bytes>
[[gnu::always_inline]] inline void move(std::byte* to, const std::byte* from) noexcept
{
    if constexpr (bytes > widest) {
        move<bytes / 2>(to, from);
        move<bytes / 2>(to + bytes / 2, from + bytes / 2);
    } else if constexpr (bytes == 64) {
        move_one<vector64>(to, from);
    } else if constexpr (bytes == 32) {
        move_one<vector32>(to, from);
    } else {
        move_one<vector16>(to, from);
    }
}

// From `bytes` to twice as many.
template <size_t bytes>
[[gnu::always_inline]] inline void move_ends(std::byte* to, const std::byte* from,
                                             size_t length) noexcept
{
    move<bytes>(to, from);
    move<bytes>(to + length - bytes, from + length - bytes);
}

void copy(const copies& all) noexcept
{
    for (uint32_t i = 0; i < all.count; ++i) {
        std::byte* to = all.to[i];
        const std::byte* from = all.from[i];
        const size_t length = all.length[i];
        if (length >= line) {
            size_t at = 0;
            for (; at + line <= length; at += line)
                move<line>(to + at, from + at);
            if (at < length)
                move<line>(to + length - line, from + length - line);
        } else if (length >= 32) {
            move_ends<32>(to, from, length);
        } else if (length >= 16) {
            move_ends<16>(to, from, length);
        } else {
            for (size_t at = 0; at < length; ++at)
                to[at] = from[at];
        }
    }
}

const copy_registration registration{variant::WEFT_VARIANT, copy};

} // namespace

} // namespace weft::drivers::memif
