// SPDX-License-Identifier: Apache-2.0
// Whether an interface can carry packets: its administrative state and its link count alike.
#pragma once

#include "nodes/interface/interface.hh"

namespace weft {

// Administratively up, and with a link as last seen. Main thread.
[[nodiscard]] inline bool is_up(const interface_table& interfaces, interface_index index) noexcept
{
    return interfaces.hot(index).admin_up.load(std::memory_order_relaxed) &&
           interfaces.at(index).link.up;
}

// Asks the driver for the link. True, and observers are told, if it came or went since the last
// look. Main thread.
inline bool look_at_link(const interface_table& interfaces, interface& i)
{
    if (i.driver == nullptr)
        return false; // it is being closed
    const link_status now = i.driver->link();
    const bool changed = now.up != i.link.up;
    i.link = now;
    if (changed)
        interfaces.notify(i);
    return changed;
}

} // namespace weft
