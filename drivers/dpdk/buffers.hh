// SPDX-License-Identifier: Apache-2.0
// The pool of packet buffers: its shape, and its memory ahead of it.
#pragma once

#include "control/config/config.hh"

#include <cstdint>

namespace weft::drivers {

// What the section `buffers` asks for, with what holds where it is silent.
struct pool_shape {
    uint32_t count = 16384; // packets that can exist at once
    uint32_t size = 2048;   // bytes of a packet that one buffer holds

    explicit pool_shape(const config::value& root);
};

// Lets a thread touch the memory that the section `buffers` will ask for, if it will not be DPDK's:
// the kernel clears it, on a virtual machine slowly, while DPDK starts. Main thread, at most once,
// with signals blocked.
void take_buffer_memory(const config::value& root);

// A driver is closed that does not give back the buffers in its rings (DPDK's af_xdp): those that
// are missing at the end are no fault of the graph's then.
void forgive_missing_buffers() noexcept;

} // namespace weft::drivers
