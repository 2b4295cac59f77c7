// SPDX-License-Identifier: Apache-2.0
// Vectors on their way from a thread that runs the graph to a capture file: copied, without
// waiting.
#pragma once

#include "base/counter.hh"
#include "graph/node.hh"
#include "graph/packet.hh"

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace weft {

// What is known of a copied packet, as it was when the node was given it.
struct captured_packet {
    uint64_t tsc = 0;      // of the vector
    uint32_t vector = 0;   // the thread's, from 1
    uint32_t length = 0;   // of the whole packet
    uint32_t captured = 0; // bytes that were copied
    node_id node = no_node;
    uint16_t thread = 0;
    uint16_t place = 0; // in the vector, from 0
    uint16_t size = 0;  // of the vector
    packet_metadata metadata;
    packet_note note;
};

// One thread's part of a capture: a ring of packets. The thread copies whole vectors into it, the
// main thread takes them out. A vector for which there is no room is missed and counted.
class capture_buffer {
public:
    static constexpr size_t ring_bytes = 4 << 20; // many vectors, or one of jumbo frames
    static constexpr size_t max_nodes = 4096;

    // Copies what the given nodes (or templates of clones) are given, `snap` bytes of a packet at
    // most.
    capture_buffer(unsigned thread, std::span<const node_id> nodes, uint32_t snap);

    // Main thread. When the oldest packet's vector came; empty if there is none.
    [[nodiscard]] std::optional<uint64_t> oldest() const noexcept;
    // Takes the oldest packet out; false if there is none.
    [[nodiscard]] bool take(captured_packet& what, std::vector<std::byte>& bytes);
    [[nodiscard]] uint64_t missed() const noexcept { return missed_.get(); } // packets

    // The thread.
    [[nodiscard]] bool wants(node_id id) const noexcept
    {
        return id != no_node && (nodes_[id >> 6] >> (id & 63) & 1) != 0;
    }
    void record(node_id node, std::span<packet* const> packets, uint64_t tsc) noexcept;

private:
    [[nodiscard]] uint32_t bytes_of(const packet& p) const noexcept
    {
        return p.length() < snap_ ? p.length() : snap_;
    }
    void put(const void* from, size_t bytes) noexcept;
    void get(uint64_t at, void* to, size_t bytes) const noexcept;
    void put_data(packet& p, size_t bytes) noexcept;

    const unsigned thread_;
    const uint32_t snap_;
    std::array<uint64_t, max_nodes / 64> nodes_{};
    const std::unique_ptr<std::byte[]> ring_ = std::make_unique<std::byte[]>(ring_bytes);
    // Positions count on for ever; where in the ring they are is their remainder.
    uint64_t end_ = 0; // of what the thread has written, published in head_ once a vector is whole
    uint32_t vectors_ = 0;
    counter missed_;
    alignas(cache_line) std::atomic<uint64_t> head_{0};
    alignas(cache_line) std::atomic<uint64_t> tail_{0};
};

} // namespace weft
