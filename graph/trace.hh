// SPDX-License-Identifier: Apache-2.0
// The packet trace: what each node did with a sampled packet, recorded by the threads without
// waiting.
#pragma once

#include "graph/node.hh"
#include "graph/packet.hh"

#include <array>
#include <atomic>
#include <memory>
#include <span>

namespace weft {

class capture_buffer;

// One node's handling of one packet, as the packet was when the node had decided.
struct trace_record {
    static constexpr size_t snapshot = 88; // bytes of the packet

    uint32_t trace_id = 0; // the same along the packet's way, also over threads
    node_id node = no_node;
    verdict to = next_index{0};
    uint64_t tsc = 0;
    uint32_t length = 0; // of the whole packet
    uint16_t thread = 0;
    uint16_t captured = 0; // valid bytes in `bytes`
    packet_metadata metadata;
    packet_note note;
    std::array<std::byte, snapshot> bytes;

    // A header of the recorded bytes, null if they do not hold it whole.
    template <class Header>
    [[nodiscard]] const Header* header(size_t offset) const noexcept
    {
        static_assert(alignof(Header) == 1);
        if (offset + sizeof(Header) > captured)
            return nullptr;
        return reinterpret_cast<const Header*>(bytes.data() + offset);
    }
    template <class Header>
    [[nodiscard]] const Header* network() const noexcept
    {
        return header<Header>(metadata.l3_offset);
    }
};

// One thread's trace. The thread appends, the main thread arms and reads; to clear is to publish
// a new one. When it is full, the trace is dropped and counted, never the packet.
class trace_buffer {
public:
    static constexpr size_t capacity = 8192;
    static constexpr size_t max_nodes = 4096;

    explicit trace_buffer(unsigned thread) : thread_{thread} {}

    // Main thread: the next `count` packets that node `id` is given.
    void arm(node_id id, uint32_t count) noexcept
    {
        budgets_[id].armed.fetch_add(count, std::memory_order_release);
    }
    [[nodiscard]] std::span<const trace_record> records() const noexcept
    {
        return {records_.get(), used_.load(std::memory_order_acquire)};
    }
    // Main thread: whether anything here is about node `id`.
    [[nodiscard]] bool mentions(node_id id) const noexcept;
    [[nodiscard]] uint64_t lost() const noexcept { return lost_.load(std::memory_order_relaxed); }
    // Main thread: where the thread copies vectors to beside; null: nowhere. Any thread reads it.
    void capture_to(capture_buffer* to) noexcept { capture_.store(to, std::memory_order_release); }
    [[nodiscard]] capture_buffer* capture() const noexcept
    {
        return capture_.load(std::memory_order_acquire);
    }

    // The thread: how many more packets may be sampled at a node, and taking one.
    [[nodiscard]] bool take_budget(node_id id) noexcept
    {
        auto& mine = budgets_[id];
        if (mine.used == mine.armed.load(std::memory_order_acquire))
            return false;
        ++mine.used;
        return true;
    }
    void begin(packet& p) noexcept
    {
        p.metadata().flags |= packet_metadata::traced;
        p.note().trace_id = thread_ << 24 | (++started_ & 0xff'ffff);
    }
    void record(const packet& p, node_id node, verdict to, uint64_t tsc) noexcept;

private:
    struct budget {
        std::atomic<uint32_t> armed{0};
        uint32_t used = 0;
    };

    const unsigned thread_;
    uint32_t started_ = 0;
    std::atomic<size_t> used_{0};
    std::atomic<uint64_t> lost_{0};
    std::atomic<capture_buffer*> capture_{nullptr};
    std::unique_ptr<budget[]> budgets_ = std::make_unique<budget[]>(max_nodes);
    std::unique_ptr<trace_record[]> records_ = std::make_unique<trace_record[]>(capacity);
};

} // namespace weft
