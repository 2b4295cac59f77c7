// SPDX-License-Identifier: Apache-2.0
// Maps memory for transparent hugepages.
#include "base/mapped_memory.hh"

#include <algorithm>
#include <cstdint>
#include <sys/mman.h>

namespace weft {

namespace {

constexpr size_t huge_page = size_t{2} << 20;

} // namespace

std::span<std::byte> map_memory(size_t bytes, size_t small_from) noexcept
{
    const size_t whole = (bytes + huge_page - 1) / huge_page * huge_page;
    void* area = mmap(nullptr, whole + huge_page, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (area == MAP_FAILED)
        return {};
    // Aligned by cutting off both ends.
    const auto start = reinterpret_cast<uintptr_t>(area);
    const size_t before = (huge_page - start % huge_page) % huge_page;
    auto* const aligned = static_cast<std::byte*>(area) + before;
    if (before > 0)
        munmap(area, before);
    munmap(aligned + whole, huge_page - before);
    if (bytes >= huge_page)
        madvise(aligned, std::min(whole, small_from), MADV_HUGEPAGE);
    return {aligned, whole};
}

} // namespace weft
