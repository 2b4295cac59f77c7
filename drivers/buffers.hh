// SPDX-License-Identifier: Apache-2.0
// The memory of the packet buffers, ahead of their pool.
#pragma once

#include "graph/config.hh"

namespace weft::drivers {

// Lets a thread touch the memory that the section `buffers` will ask for, if it will not be DPDK's:
// the kernel clears it, on a virtual machine slowly, while DPDK starts. Main thread, at most once,
// with signals blocked.
void take_buffer_memory(const config::value& root);

} // namespace weft::drivers
