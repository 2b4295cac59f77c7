// SPDX-License-Identifier: Apache-2.0
// Hears of a device that Linux wants to take out: pulled from its slot, deleted by a hypervisor, or
// unbound by an operator. The kernel waits until who has it through vfio-pci lets it go.
#pragma once

#include <atomic>
#include <rte_dev.h>
#include <string>

namespace weft::drivers {

class removal {
public:
    removal() = default;
    removal(const removal&) = delete;
    removal& operator=(const removal&) = delete;
    ~removal() { forget(); }

    // Listens for a device that DPDK has probed, under DPDK's name of it. Main thread, as forget().
    void listen(const std::string& device);
    void forget();
    [[nodiscard]] bool asked() const noexcept { return asked_.load(std::memory_order_relaxed); }

private:
    // Called by DPDK's interrupt thread.
    static void hear(const char* device, rte_dev_event_type what, void* self) noexcept;

    std::string device_; // empty: none
    std::atomic<bool> asked_{false};
};

} // namespace weft::drivers
