// SPDX-License-Identifier: Apache-2.0
// What the drop node counts of the packets that end in it.
#pragma once

#include "base/counter.hh"
#include "base/reserved_array.hh"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace weft {

class engine;

// A module of the engine: dropped packets by the number of the interface they came in on. Written
// by the drop node of each thread, read by any thread.
class drop_counts {
public:
    explicit drop_counts(engine& engine);
    explicit drop_counts(unsigned thread_count);

    [[nodiscard]] counter& at(unsigned thread, uint16_t rx_interface) const noexcept
    {
        return threads_[thread][rx_interface];
    }
    [[nodiscard]] uint64_t total(uint16_t rx_interface) const noexcept;

private:
    std::vector<reserved_array<counter>> threads_; // resident where something was dropped
};

} // namespace weft
