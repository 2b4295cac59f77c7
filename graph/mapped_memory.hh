// SPDX-License-Identifier: Apache-2.0
// Memory that is mapped rather than allocated, so that it can lie in huge pages.
#pragma once

#include <cstddef>
#include <span>

namespace weft {

// At least `bytes` of anonymous memory, zero, in whole huge pages' space and aligned to them; empty if
// there is no address space. Pages are taken as they are touched: huge ones if `bytes` fills one and
// the kernel has them (transparent hugepages: `madvise' or `always'). The caller unmaps all of it.
[[nodiscard]] std::span<std::byte> map_memory(size_t bytes) noexcept;

} // namespace weft
