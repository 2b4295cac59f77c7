// SPDX-License-Identifier: Apache-2.0
// Makes AddressSanitizer see who writes beyond a packet buffer: buffers stand side by side in one
// piece of memory.
#pragma once

#include <rte_mempool.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace weft::fuzz {

// All of a pool's memory but its buffers: what is between them is looked at by DPDK only.
inline void poison_between([[maybe_unused]] rte_mempool* pool)
{
#if defined(__SANITIZE_ADDRESS__)
    rte_mempool_mem_iter(
        pool,
        [](rte_mempool*, void*, rte_mempool_memhdr* part, unsigned) {
            __asan_poison_memory_region(part->addr, part->len);
        },
        nullptr);
    rte_mempool_obj_iter(
        pool,
        [](rte_mempool* of, void*, void* buffer, unsigned) {
            __asan_unpoison_memory_region(buffer, of->elt_size);
        },
        nullptr);
#endif
}

} // namespace weft::fuzz
