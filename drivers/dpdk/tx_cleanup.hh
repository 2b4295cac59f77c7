// SPDX-License-Identifier: Apache-2.0
// Which transmit queues keep sent packets until they are asked for them.
#pragma once

#include "nodes/interface/interface.hh"

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

namespace weft {
class engine;
}

namespace weft::drivers {

// A thread's own transmit queue; `clean` is rte_eth_tx_done_cleanup but for tests.
struct cleaned_queue {
    const std::atomic<uint16_t>* port; // 0xffff: none at present
    uint16_t queue;
    interface_index interface;
    int (*clean)(uint16_t port, uint16_t queue, uint32_t most);
};

// A module of the engine: a list for each thread, which the main thread appends to and the thread
// goes through.
class tx_cleanup {
public:
    explicit tx_cleanup(engine& engine);

    // Main thread. An interface that a thread has already stays as it is.
    void add(unsigned thread, const cleaned_queue& queue);
    // Any thread.
    [[nodiscard]] uint32_t count(unsigned thread) const noexcept
    {
        return lists_[thread]->count.load(std::memory_order_acquire);
    }
    [[nodiscard]] const cleaned_queue& at(unsigned thread, uint32_t i) const noexcept
    {
        return lists_[thread]->queues[i];
    }

private:
    struct list {
        std::atomic<uint32_t> count{0};
        std::array<cleaned_queue, max_interfaces> queues{};
    };
    std::vector<std::unique_ptr<list>> lists_; // by thread
};

} // namespace weft::drivers
