// SPDX-License-Identifier: Apache-2.0
// Appends to a thread's packet trace.
#include "graph/trace.hh"

#include <algorithm>

namespace weft {

void trace_buffer::record(const packet& p, node_id node, verdict to, uint64_t tsc) noexcept
{
    const size_t index = used_.load(std::memory_order_relaxed);
    if (index == capacity) {
        lost_.store(lost_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        return;
    }
    trace_record& r = records_[index];
    r.trace_id = p.note().trace_id;
    r.node = node;
    r.to = to;
    r.tsc = tsc;
    r.length = p.length();
    r.thread = static_cast<uint16_t>(thread_);
    r.captured = static_cast<uint16_t>(std::min<size_t>(p.contiguous(), trace_record::snapshot));
    r.metadata = p.metadata();
    r.note = p.note();
    std::memcpy(r.bytes.data(), p.data(), r.captured);
    used_.store(index + 1, std::memory_order_release);
}

bool trace_buffer::mentions(node_id id) const noexcept
{
    const auto all = records();
    return budgets_[id].armed.load(std::memory_order_relaxed) != 0 ||
           std::any_of(all.begin(), all.end(), [id](const trace_record& r) {
               return r.node == id || r.note.drop_reason >> 16 == id;
           });
}

} // namespace weft
