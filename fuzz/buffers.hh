// SPDX-License-Identifier: Apache-2.0
// Makes AddressSanitizer see who writes beyond a packet buffer: buffers stand side by side in one piece of memory.
#pragma once

#include <rte_mempool.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace weft::fuzz {

// What stands before each buffer is looked at by DPDK only where it checks pools.
inline void poison_between([[maybe_unused]] rte_mempool* pool)
{
#if defined(__SANITIZE_ADDRESS__)
    rte_mempool_obj_iter(
        pool,
        [](rte_mempool*, void*, void* buffer, unsigned) {
            __asan_poison_memory_region(static_cast<char*>(buffer) - sizeof(rte_mempool_objhdr), sizeof(rte_mempool_objhdr));
        },
        nullptr);
#endif
}

} // namespace weft::fuzz
