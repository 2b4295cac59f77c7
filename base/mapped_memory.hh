// SPDX-License-Identifier: Apache-2.0
// Memory that is mapped rather than allocated, so that it can lie in huge pages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace weft {

// At least `bytes` of anonymous memory, zero, in whole huge pages' space and aligned to them; empty
// if there is no address space. Pages are taken as they are touched: huge ones if `bytes` fills one
// and the kernel has them (transparent hugepages: `madvise' or `always'), and small ones from
// `small_from` on. The caller unmaps all of it.
[[nodiscard]] std::span<std::byte> map_memory(size_t bytes, size_t small_from = SIZE_MAX) noexcept;

} // namespace weft
