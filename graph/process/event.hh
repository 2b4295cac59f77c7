// SPDX-License-Identifier: Apache-2.0
// What is signalled to a process: a type and a small piece of data that travels by value.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace weft {

// A process's event types are its own enumeration, converted to this.
using event_type = uint32_t;

// 56 bytes; trivially copyable, so that a worker can post one through a ring without allocating.
struct event {
    static constexpr size_t capacity = 48;

    event_type type = 0;
    alignas(8) std::array<std::byte, capacity> payload{};

    template <class T>
    [[nodiscard]] static event of(event_type type, const T& data) noexcept
    {
        static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= capacity);
        event e;
        e.type = type;
        std::memcpy(e.payload.data(), &data, sizeof(T));
        return e;
    }
    // T must be the type that the event was made of.
    template <class T>
    [[nodiscard]] T as() const noexcept
    {
        static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= capacity);
        T data;
        std::memcpy(&data, payload.data(), sizeof(T));
        return data;
    }
};

} // namespace weft
