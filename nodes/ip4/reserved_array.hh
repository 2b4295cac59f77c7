// SPDX-License-Identifier: Apache-2.0
// An array whose memory is mapped, for tables that are large or may become so.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

namespace weft::ip4 {

// Memory that takes address space at once, and pages, which are zero, when they are touched. Where it
// fills huge pages it asks for them: the tables are read at random, and on small pages most reads
// would miss the TLB too.
template <class T>
class reserved_array {
public:
    reserved_array() = default;
    reserved_array(reserved_array&& other) noexcept
        : data_{std::exchange(other.data_, nullptr)}, bytes_{std::exchange(other.bytes_, 0)}
    {
    }
    reserved_array& operator=(reserved_array&& other) noexcept
    {
        std::swap(data_, other.data_);
        std::swap(bytes_, other.bytes_);
        return *this;
    }
    ~reserved_array()
    {
        if (data_ != nullptr)
            munmap(data_, bytes_);
    }

    [[nodiscard]] bool map(size_t count) noexcept
    {
        bytes_ = (count * sizeof(T) + huge_page - 1) / huge_page * huge_page;
        void* area = mmap(nullptr, bytes_ + huge_page, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (area == MAP_FAILED)
            return false;
        // Aligned by cutting off both ends, so that huge pages fit.
        const auto start = reinterpret_cast<uintptr_t>(area);
        const size_t before = (huge_page - start % huge_page) % huge_page;
        auto* const aligned = static_cast<std::byte*>(area) + before;
        if (before > 0)
            munmap(area, before);
        munmap(aligned + bytes_, huge_page - before);
        if (count * sizeof(T) >= huge_page)
            madvise(aligned, bytes_, MADV_HUGEPAGE);
        data_ = reinterpret_cast<T*>(aligned);
        return true;
    }

    T& operator[](size_t i) const noexcept { return data_[i]; }
    [[nodiscard]] T* data() const noexcept { return data_; }

    [[nodiscard]] size_t resident_bytes() const noexcept
    {
        const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
        std::array<unsigned char, 4096> present;
        size_t pages = 0;
        for (size_t at = 0; at < bytes_; at += present.size() * page) {
            const size_t length = std::min(present.size() * page, bytes_ - at);
            if (mincore(reinterpret_cast<std::byte*>(data_) + at, length, present.data()) == 0)
                pages += static_cast<size_t>(std::count_if(present.begin(),
                                                           present.begin() + length / page,
                                                           [](auto flags) { return flags & 1; }));
        }
        return pages * page;
    }

private:
    static constexpr size_t huge_page = size_t{2} << 20;
    T* data_ = nullptr;
    size_t bytes_ = 0;
};

} // namespace weft::ip4
