// SPDX-License-Identifier: Apache-2.0
// Rings a peer's eventfd without ever waiting.
//
// write(2) to an eventfd whose count is at its limit waits unless the file has O_NONBLOCK, and that
// flag is its peer's as well as ours, as is the count; no flag of a single write says otherwise
// (RWF_NOWAIT is refused). But the kernel itself never waits when it signals an eventfd, as it does
// at the end of an asynchronous read (io_submit(2), IOCB_FLAG_RESFD). So a bell is rung by reading
// nothing.
#pragma once

#include "base/result.hh"
#include "base/unique_fd.hh"

#include <linux/aio_abi.h>
#include <memory>
#include <vector>

namespace weft {
class engine;
}

namespace weft::drivers::memif {

// Used by one thread at a time.
class ringer {
public:
    // Errors say what the kernel lacks.
    [[nodiscard]] static result<std::unique_ptr<ringer>> make();
    // Does nothing if it is no eventfd.
    void ring(int bell) noexcept;

private:
    ringer() = default;

    // Stays until the process exits: io_destroy() waits for some 30 ms.
    aio_context_t context_ = 0;
    unique_fd nothing_;
    iocb read_{};
};

// One for each thread of an engine.
class ringers {
public:
    explicit ringers(engine& engine);
    // Why there are none.
    [[nodiscard]] const result<void>& state() const noexcept { return state_; }
    [[nodiscard]] ringer& of(unsigned thread) noexcept { return *all_[thread]; }

private:
    result<void> state_;
    std::vector<std::unique_ptr<ringer>> all_;
};

} // namespace weft::drivers::memif
