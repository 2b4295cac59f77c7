// SPDX-License-Identifier: Apache-2.0
// A frame: the vector of packets that a node is given.
#pragma once

#include "graph/packet.hh"

#include <array>
#include <cstdint>
#include <span>

namespace weft {

inline constexpr uint32_t vector_size = 256; // packets in a frame at most

// Fixed size, from its worker's free list, never grown.
struct frame {
    uint32_t count = 0;
    frame* next = nullptr; // free list, or the queue of full frames of a node
    alignas(64) std::array<packet*, vector_size> packets;

    [[nodiscard]] std::span<packet*> all() noexcept { return {packets.data(), count}; }
    [[nodiscard]] bool full() const noexcept { return count == vector_size; }
    [[nodiscard]] rte_mbuf** mbufs() noexcept
    {
        return reinterpret_cast<rte_mbuf**>(packets.data());
    }
};

} // namespace weft
