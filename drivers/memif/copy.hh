// SPDX-License-Identifier: Apache-2.0
// Copies the frames of a vector between shared memory and packet buffers.
#pragma once

#include "graph/frame.hh"
#include "graph/node.hh"

#include <array>
#include <cstddef>
#include <cstdint>

namespace weft::drivers::memif {

// What is to be copied, gathered first so that the copying is one loop.
struct copies {
    std::array<std::byte*, vector_size> to;
    std::array<const std::byte*, vector_size> from;
    std::array<uint32_t, vector_size> length; // bytes, at least 1; never overlapping
    uint32_t count = 0;

    [[gnu::always_inline]] void add(std::byte* to_bytes, const std::byte* from_bytes,
                                    uint32_t bytes) noexcept
    {
        to[count] = to_bytes;
        from[count] = from_bytes;
        length[count++] = bytes;
    }
};

using copy_function = void (*)(const copies&) noexcept;

void copy_plain(const copies& all) noexcept;
// The variants that this processor runs, compiled from one source for a level of x86-64 each; all
// copy the same bytes and touch no others.
[[nodiscard]] copy_function
copy_of(variant which) noexcept; // null: it is not there, or the processor does not run it
[[nodiscard]] copy_function best_copy() noexcept;

// Registers a variant before main().
struct copy_registration {
    copy_registration(variant which, copy_function function) noexcept;
};

} // namespace weft::drivers::memif
