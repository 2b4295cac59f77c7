// SPDX-License-Identifier: Apache-2.0
// A frame: the vector of packets that a node is given.
#pragma once

#include "graph/packet.hh"

#include <array>
#include <cstdint>
#include <rte_prefetch.h>
#include <span>

namespace weft {

inline constexpr uint32_t vector_size = 256; // packets in a frame at most
inline constexpr uint32_t lookahead = 16;    // packets between asking for a header and reading it
inline constexpr uint32_t max_group = 16;    // packets that a node judges side by side, at most

// Fixed size, from its worker's free list, never grown.
struct frame {
    uint32_t count = 0;
    uint32_t aux_count = 0; // of the first so many packets `words` says something
    frame* next = nullptr;  // free list, or the queue of full frames of a node
    static_assert(lookahead <= max_group);
    // Behind the last packet lies anything, so that prefetch_header() need not know where that is.
    alignas(64) std::array<packet*, vector_size + max_group> packets{};
    // What a node knows of each packet and gives to the next one with the whole frame
    // (node_run::enqueue_all), as ip4-input does with the destination; nothing in a frame that came
    // about in any other way.
    alignas(64) std::array<uint32_t, vector_size + max_group> aux;

    [[nodiscard]] std::span<packet*> all() noexcept { return {packets.data(), count}; }
    // Repeats the last packet behind itself, so that all groups of packets, counted from the first,
    // are whole. The frame is the one that its node works on, and not empty.
    void pad() noexcept
    {
        for (uint32_t i = count; i % max_group != 0; ++i)
            packets[i] = packets[count - 1];
    }
    // Asks for the headers of the packet `lookahead` places behind the one at `place`. Found
    // without a look at that packet: in pools of weft's own the data of a fresh packet lies at one
    // distance from it.
    void prefetch_header(uint32_t place) const noexcept
    {
        constexpr uintptr_t distance = sizeof(rte_mbuf) + RTE_PKTMBUF_HEADROOM;
        rte_prefetch0(reinterpret_cast<const void*>(
            reinterpret_cast<uintptr_t>(packets[place + lookahead]) + distance));
    }
    [[nodiscard]] bool full() const noexcept { return count == vector_size; }
    [[nodiscard]] rte_mbuf** mbufs() noexcept
    {
        return reinterpret_cast<rte_mbuf**>(packets.data());
    }
};

} // namespace weft
