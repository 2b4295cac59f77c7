// SPDX-License-Identifier: Apache-2.0
// A thread that ends what may take its time to end: close() of a file that a stranger handed over
// sleeps as long as the stranger likes (SO_LINGER), and memory that another process filled is freed
// page by page.
#pragma once

#include "base/unique_fd.hh"

#include <cstddef>

namespace weft {

// One for the process, which starts with the first thing it is given. Any thread.
class reaper {
public:
    // Things that wait. One more is never ended, so whoever lets strangers in asks has_room()
    // first.
    static constexpr size_t bound = 2048;

    // Calls `end` with `what` on the reaper's thread. Does not wait.
    static void take(void* what, void (*end)(void* what)) noexcept;
    static void take(unique_fd file) noexcept;
    // Whether another stranger's things will be ended soon: half of the bound is free.
    [[nodiscard]] static bool has_room() noexcept;
    // At the end of the program: waits for at most half a second until nothing is left. The kernel
    // closes what is, and does not linger then.
    static void finish() noexcept;
};

// Deletes an object on the reaper's thread: std::unique_ptr<T, reaped<T>>.
template <class T>
struct reaped {
    void operator()(T* object) const noexcept
    {
        reaper::take(object, [](void* gone) { delete static_cast<T*>(gone); });
    }
};

} // namespace weft
