// SPDX-License-Identifier: Apache-2.0
// Which transmit queues keep sent packets until they are asked for them.
#pragma once

#include "nodes/interface/interface.hh"

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

// A module of the engine: a list for each thread, which the main thread replaces and the thread
// goes through.
class tx_cleanup {
public:
    using list = std::vector<cleaned_queue>;
    static constexpr size_t max_queues = 64; // of one thread: DPDK has 32 ports

    explicit tx_cleanup(engine& engine);
    ~tx_cleanup();
    tx_cleanup(const tx_cleanup&) = delete;
    tx_cleanup& operator=(const tx_cleanup&) = delete;

    // Main thread. An interface that a thread has already stays as it is.
    void add(unsigned thread, const cleaned_queue& queue);
    // Its interface is being deleted.
    void remove(interface_index interface);
    // Any thread, inside a loop.
    [[nodiscard]] const list& of(unsigned thread) const noexcept
    {
        return *lists_[thread].load(std::memory_order_acquire);
    }

private:
    void publish(unsigned thread, std::unique_ptr<const list> fresh);

    engine& engine_;
    std::vector<std::atomic<const list*>> lists_; // by thread
};

} // namespace weft::drivers
