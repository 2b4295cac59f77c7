// SPDX-License-Identifier: Apache-2.0
// Tells AddressSanitizer and ThreadSanitizer of a fiber's switches; nothing in other builds.
#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace weft {

// One for each fiber. entering() and returned() are called by the one who resumes, right before and
// after the switch; entered() and leaving() on the fiber's own stack, right after and before it.
//
// Both ThreadSanitizer switches are made on the resumer's side, around the jump: so every call
// frame is pushed to and popped from the same one of its shadow stacks, also the frames of the
// fiber's beginning and end, which are Boost's. That holds only if the functions here are inlined.
#if defined(__SANITIZE_ADDRESS__)

class fiber_annotations {
public:
    [[gnu::always_inline]] void entering(const void* bottom, size_t size) noexcept
    {
        __sanitizer_start_switch_fiber(&resumer_frames_, bottom, size);
    }
    [[gnu::always_inline]] void returned() noexcept
    {
        __sanitizer_finish_switch_fiber(resumer_frames_, nullptr, nullptr);
    }
    [[gnu::always_inline]] void entered() noexcept
    {
        __sanitizer_finish_switch_fiber(frames_, &resumer_bottom_, &resumer_size_);
    }
    [[gnu::always_inline]] void leaving(bool for_good) noexcept
    {
        __sanitizer_start_switch_fiber(for_good ? nullptr : &frames_, resumer_bottom_,
                                       resumer_size_);
    }

private:
    void* frames_ = nullptr; // AddressSanitizer's own, for use after return
    void* resumer_frames_ = nullptr;
    const void* resumer_bottom_ = nullptr;
    size_t resumer_size_ = 0;
};

#elif defined(__SANITIZE_THREAD__)

class fiber_annotations {
public:
    fiber_annotations() : fiber_{__tsan_create_fiber(0)} {}
    ~fiber_annotations() { __tsan_destroy_fiber(fiber_); }
    fiber_annotations(const fiber_annotations&) = delete;
    fiber_annotations& operator=(const fiber_annotations&) = delete;

    [[gnu::always_inline]] void entering(const void*, size_t) noexcept
    {
        resumer_ = __tsan_get_current_fiber();
        __tsan_switch_to_fiber(fiber_, 0);
    }
    [[gnu::always_inline]] void returned() noexcept { __tsan_switch_to_fiber(resumer_, 0); }
    [[gnu::always_inline]] void entered() noexcept {}
    [[gnu::always_inline]] void leaving(bool) noexcept {}

private:
    void* fiber_;
    void* resumer_ = nullptr;
};

#else

class fiber_annotations {
public:
    void entering(const void*, size_t) noexcept {}
    void returned() noexcept {}
    void entered() noexcept {}
    void leaving(bool) noexcept {}
};

#endif

} // namespace weft
