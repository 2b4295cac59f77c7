// SPDX-License-Identifier: Apache-2.0
// The ring of copied packets.
#include "graph/thread/capture_buffer.hh"

#include <algorithm>
#include <cstring>

namespace weft {

namespace {

// Records begin at multiples of eight.
constexpr size_t padded(size_t bytes) noexcept
{
    return (bytes + 7) / 8 * 8;
}

} // namespace

capture_buffer::capture_buffer(unsigned thread, std::span<const node_id> nodes, uint32_t snap)
    : thread_{thread}, snap_{snap}
{
    for (node_id id : nodes)
        nodes_[id >> 6] |= uint64_t{1} << (id & 63);
}

void capture_buffer::put(const void* from, size_t bytes) noexcept
{
    const size_t at = end_ % ring_bytes;
    const size_t first = std::min(bytes, ring_bytes - at);
    std::memcpy(ring_.get() + at, from, first);
    std::memcpy(ring_.get(), static_cast<const std::byte*>(from) + first, bytes - first);
    end_ += bytes;
}

void capture_buffer::get(uint64_t from, void* to, size_t bytes) const noexcept
{
    const size_t at = from % ring_bytes;
    const size_t first = std::min(bytes, ring_bytes - at);
    std::memcpy(to, ring_.get() + at, first);
    std::memcpy(static_cast<std::byte*>(to) + first, ring_.get(), bytes - first);
}

// Of all segments, as far as is wanted.
void capture_buffer::put_data(packet& p, size_t bytes) noexcept
{
    for (rte_mbuf* part = p.mbuf(); part != nullptr && bytes > 0; part = part->next) {
        const size_t here = std::min<size_t>(part->data_len, bytes);
        put(rte_pktmbuf_mtod(part, const void*), here);
        bytes -= here;
    }
    end_ += bytes; // a chain that is shorter than it says
    end_ = padded(end_);
}

void capture_buffer::record(node_id node, std::span<packet* const> packets, uint64_t tsc) noexcept
{
    size_t needed = 0;
    for (const packet* p : packets)
        needed += sizeof(captured_packet) + padded(bytes_of(*p));
    const uint64_t used = end_ - tail_.load(std::memory_order_acquire);
    ++vectors_;
    if (needed > ring_bytes - used) {
        missed_.add(packets.size());
        return;
    }
    captured_packet what;
    what.tsc = tsc;
    what.vector = vectors_;
    what.node = node;
    what.thread = static_cast<uint16_t>(thread_);
    what.size = static_cast<uint16_t>(packets.size());
    for (packet* p : packets) {
        what.length = p->length();
        what.captured = bytes_of(*p);
        what.metadata = p->metadata();
        what.note = p->note();
        put(&what, sizeof what);
        put_data(*p, what.captured);
        ++what.place;
    }
    head_.store(end_, std::memory_order_release);
}

std::optional<uint64_t> capture_buffer::oldest() const noexcept
{
    static_assert(sizeof(captured_packet) % 8 == 0 && offsetof(captured_packet, tsc) == 0);
    const uint64_t tail = tail_.load(std::memory_order_relaxed);
    if (tail == head_.load(std::memory_order_acquire))
        return {};
    uint64_t tsc = 0;
    get(tail, &tsc, sizeof tsc);
    return tsc;
}

bool capture_buffer::take(captured_packet& what, std::vector<std::byte>& bytes)
{
    const uint64_t tail = tail_.load(std::memory_order_relaxed);
    if (tail == head_.load(std::memory_order_acquire))
        return false;
    get(tail, &what, sizeof what);
    bytes.resize(what.captured);
    get(tail + sizeof what, bytes.data(), bytes.size());
    tail_.store(tail + sizeof what + padded(bytes.size()), std::memory_order_release);
    return true;
}

} // namespace weft
