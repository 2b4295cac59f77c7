// SPDX-License-Identifier: Apache-2.0
// The memory of a process's stack: mapped on its own, with a guard area below.
#pragma once

#include "base/result.hh"

#include <cstddef>
#include <string_view>

namespace weft {

// Owner thread: any, one at a time.
class fiber_stack {
public:
    static constexpr size_t minimum_size = 16 * 1024;
    // More than one page, so that a function with a large frame cannot step over it.
    static constexpr size_t guard_size = 64 * 1024;

    // Maps a stack; `size` is rounded up to pages and to minimum_size. `owner` is what
    // owner_of_stack_guard() says of its guard. Fails with errc::exhausted.
    [[nodiscard]] static result<fiber_stack> map(std::string_view owner, size_t size);

    fiber_stack(fiber_stack&& other) noexcept;
    fiber_stack& operator=(fiber_stack&&) = delete;
    ~fiber_stack();

    [[nodiscard]] std::byte* bottom() const noexcept { return bottom_; }
    [[nodiscard]] size_t size() const noexcept { return size_; }
    // The most bytes that were ever in use: fresh pages are zero, so what lies below the lowest
    // byte that is not was never written (or only with zeros). Reads, but does not commit, its
    // pages.
    [[nodiscard]] size_t used() const noexcept;

private:
    fiber_stack(std::byte* bottom, size_t size, std::string_view owner) noexcept;

    std::byte* bottom_; // above the guard; null once moved from
    size_t size_;
    size_t guard_index_; // where the guard is listed for the crash report
};

} // namespace weft
