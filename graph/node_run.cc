// SPDX-License-Identifier: Apache-2.0
// The parts of a node's run that are not on every packet's way.
#include "graph/node_run.hh"

#include "graph/engine.hh"

#include <cstdio>
#include <cstdlib>
#include <rte_cycles.h>

namespace weft {

void node_run::receive_full(packet* const* packets, uint32_t count) noexcept
{
    while (count > 0) {
        if (open_->full()) {
            frame* full = open_;
            open_ = thread_->take_frame();
            full->next = nullptr;
            (full_tail_ == nullptr ? full_head_ : full_tail_->next) = full;
            full_tail_ = full;
        }
        const uint32_t room = vector_size - open_->count;
        const uint32_t part = count < room ? count : room;
        std::memcpy(open_->packets.data() + open_->count, packets, part * sizeof(packet*));
        open_->count += part;
        packets += part;
        count -= part;
    }
}

std::span<packet*> node_run::input_space(fate to) noexcept
{
    constexpr uint32_t least = 64;
    node_run& target = *nexts_[to];
    if (vector_size - target.open_->count < least) {
        frame* full = target.open_;
        target.open_ = thread_->take_frame();
        full->next = nullptr;
        (target.full_tail_ == nullptr ? target.full_head_ : target.full_tail_->next) = full;
        target.full_tail_ = full;
    }
    frame& open = *target.open_;
    return {open.packets.data() + open.count, vector_size - open.count};
}

void node_run::mark_dropped(packet* const* packets, uint32_t count, uint16_t reason) noexcept
{
    reasons_[reason].add(count);
    const reason_id id = make_reason_id(id_, reason);
    for (uint32_t i = 0; i < count; ++i)
        packets[i]->note().drop_reason = id;
}

void node_run::send(packet* p, fate to) noexcept
{
    if (p->traced() && thread_->tracing()) [[unlikely]]
        trace_one(p, to);
#if WEFT_CHECK_FATES
    p->note().custody = token_; // in nobody's custody until now
    ++owned_;
#endif
    route(&p, 1, to);
}

void node_run::admit(packet** packets, uint32_t count, uint16_t interface, fate to) noexcept
{
    const packet_mark mark{.adjacency = 0, .interface = interface, .l3_offset = 0, .flags = 0};
    for (uint32_t i = 0; i < count; ++i)
        packets[i]->mark() = mark;
    thread_->entered_.add(count);
    if (auto* buffer = thread_->tracing_.load(std::memory_order_acquire)) [[unlikely]] {
        for (uint32_t i = 0; i < count; ++i) {
            if (!buffer->take_budget(id_) &&
                (original_ == no_node || !buffer->take_budget(original_)))
                break;
            buffer->begin(*packets[i]);
            trace_one(packets[i], to);
        }
    }
    node_run& target = *nexts_[to];
    sent_[to].add(count);
    frame& open = *target.open_;
    if (packets != open.packets.data() + open.count) {
        target.receive(packets, count);
        return;
    }
    open.count += count;
    thread_->pend(target.rank_);
}

void node_run::trace(frame& in, fate to) noexcept
{
    if (!thread_->tracing())
        return;
    for (packet* p : in.all())
        trace_one(p, to);
}

void node_run::trace_one(packet* p, fate to) noexcept
{
    if (!p->traced())
        return;
    auto* buffer = thread_->tracing_.load(std::memory_order_acquire);
    if (buffer == nullptr)
        return;
    if ((to & drop_bit) != 0 && to != consumed)
        p->note().drop_reason = make_reason_id(id_, static_cast<uint16_t>(to & ~drop_bit));
    buffer->record(*p, id_, to, rte_rdtsc());
}

void node_run::kept(packet& p) noexcept
{
    trace_one(&p, consumed);
    released(1);
}

bool node_run::hand_over(packet& p, graph_thread& to, size_t leave) noexcept
{
    if (p.traced() && thread_->tracing()) [[unlikely]]
        trace_one(&p, consumed);
    if (!thread_->hand_over(to, id_, &p, leave))
        return false;
    released(1);
    return true;
}

void node_run::free(packet** packets, uint32_t count) noexcept
{
    rte_pktmbuf_free_bulk(reinterpret_cast<rte_mbuf**>(packets), count);
    left(count);
}

void node_run::drop_rest(packet** packets, uint32_t count, uint16_t reason) noexcept
{
    route(packets, count, drop(reason));
}

#if WEFT_CHECK_FATES
namespace {

[[noreturn]] void fate_fault(const engine& host, node_id id, const char* what, int64_t count)
{
    std::fprintf(stderr, "node %s: %s (%ld packets)\n", host.registry().at(id).name.c_str(), what,
                 static_cast<long>(count));
    std::abort();
}

} // namespace

void node_run::check_given(packet* const* packets, uint32_t count) noexcept
{
    token_ = (static_cast<uint32_t>(thread_index_) + 1) << 24 | (++thread_->serial_ & 0xff'ffff);
    for (uint32_t i = 0; i < count; ++i) {
        if (packets[i]->note().custody == token_)
            fate_fault(thread_->host(), id_, "a packet stands twice in one frame", 1);
        packets[i]->note().custody = token_;
    }
    owned_ = count;
}

void node_run::check_taken(packet* const* packets, uint32_t count) noexcept
{
    if (type_ != node_type::internal)
        return;
    for (uint32_t i = 0; i < count; ++i) {
        if (packets[i]->note().custody != token_)
            fate_fault(thread_->host(), id_, "a packet met a second fate", 1);
        packets[i]->note().custody = 0;
    }
    owned_ -= count;
}

void node_run::check_settled() noexcept
{
    if (owned_ != 0)
        fate_fault(thread_->host(), id_, "packets met no fate, or more than one", owned_);
}
#endif

} // namespace weft
