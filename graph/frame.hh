// SPDX-License-Identifier: Apache-2.0
// A frame: the vector of packets that a node receives.
#pragma once

#include "graph/packet.hh"

#include <array>
#include <cstdint>
#include <rte_prefetch.h>
#include <span>

namespace weft {

inline constexpr uint32_t vector_size = 256; // maximum number of packets in a frame
inline constexpr uint32_t lookahead = 16;    // packets between prefetching a header and reading it
inline constexpr uint32_t max_group = 16;    // maximum number of packets processed side by side

// Has a fixed size and comes from its worker's free list.
struct frame {
    uint32_t count = 0;
    uint32_t aux_count = 0; // `aux` is valid for the first so many packets
    frame* next = nullptr;  // free list, or the queue of full frames of a node
    static_assert(lookahead <= max_group);
    // What follows the last packet is arbitrary, so prefetch_header() need not know where it is.
    alignas(64) std::array<packet*, vector_size + max_group> packets{};
    // A value per packet that a node passes to the next one with a whole frame
    // (node_run::enqueue_all), as ip4-input does with the destination. Not valid in frames that
    // were filled in any other way.
    alignas(64) std::array<uint32_t, vector_size + max_group> aux;

    [[nodiscard]] std::span<packet*> all() noexcept { return {packets.data(), count}; }
    // Repeats the last packet to fill up the last group of packets. The frame must be the one that
    // its node is working on, and must not be empty.
    void pad() noexcept
    {
        for (uint32_t i = count; i % max_group != 0; ++i)
            packets[i] = packets[count - 1];
    }
    // Prefetches the headers of the packet `lookahead` places after the one at `place`, without
    // touching that packet: in weft's own pools, the data of a fresh packet is at a fixed distance
    // from it.
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
