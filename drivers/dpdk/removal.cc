// SPDX-License-Identifier: Apache-2.0
// Listens to DPDK's device events, whose interface is still called experimental after many
// releases.
#define ALLOW_EXPERIMENTAL_API
#include "drivers/dpdk/removal.hh"

#include <cerrno>

namespace weft::drivers {

void removal::listen(const std::string& device)
{
    forget();
    asked_.store(false, std::memory_order_relaxed);
    if (rte_dev_event_callback_register(device.c_str(), hear, this) == 0)
        device_ = device;
}

void removal::forget()
{
    if (device_.empty())
        return;
    while (rte_dev_event_callback_unregister(device_.c_str(), hear, this) == -EAGAIN) {
        // it is being called just now, which takes no time
    }
    device_.clear();
}

void removal::hear(const char*, rte_dev_event_type what, void* self) noexcept
{
    if (what == RTE_DEV_EVENT_REMOVE)
        static_cast<removal*>(self)->asked_.store(true, std::memory_order_relaxed);
}

} // namespace weft::drivers
