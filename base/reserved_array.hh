// SPDX-License-Identifier: Apache-2.0
// An array whose memory is mapped, for tables that are large or may become so.
#pragma once

#include "base/mapped_memory.hh"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

namespace weft {

// Mapped, not allocated, because tables are read at random: on small pages most reads would miss
// the TLB too.
template <class T>
class reserved_array {
public:
    reserved_array() = default;
    reserved_array(reserved_array&& other) noexcept
        : data_{std::exchange(other.data_, nullptr)}, bytes_{std::exchange(other.bytes_, 0)}
    {}
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

    // Elements from `small_from` on lie in small pages.
    [[nodiscard]] bool map(size_t count, size_t small_from = SIZE_MAX / sizeof(T)) noexcept
    {
        const auto area = map_memory(count * sizeof(T), small_from * sizeof(T));
        data_ = reinterpret_cast<T*>(area.data());
        bytes_ = area.size();
        return data_ != nullptr;
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
    T* data_ = nullptr;
    size_t bytes_ = 0;
};

} // namespace weft
