// SPDX-License-Identifier: Apache-2.0
// A node's run: how packets go from node to node.
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

void node_run::receive(packet* const* packets, uint32_t count) noexcept
{
    frame& f = *open_;
    thread_->pend(rank_);
    if (f.count + count > vector_size) [[unlikely]] {
        receive_full(packets, count);
        return;
    }
    packet** end = f.packets.data() + f.count;
    for (uint32_t i = 0; i < count; ++i)
        end[i] = packets[i];
    f.count += count;
}

void node_run::route(packet* const* packets, uint32_t count, fate to) noexcept
{
    if (to == consumed)
        return;
    if ((to & drop_bit) != 0) {
        check_taken(packets, count);
        mark_dropped(packets, count, static_cast<uint16_t>(to & ~drop_bit));
        nexts_[next_count_]->receive(packets, count);
        return;
    }
    check_taken(packets, count);
    sent_[to].add(count);
    nexts_[to]->receive(packets, count);
}

void node_run::enqueue_all(frame& in, fate to) noexcept
{
    node_run& target = *nexts_[to];
    if (thread_->tracing()) [[unlikely]]
        trace(in, to);
    if (target.open_->count != 0 || &in != current_) {
        route(in.packets.data(), in.count, to);
        return;
    }
    // the frame changes hands; nothing is copied
    check_taken(in.packets.data(), in.count);
    sent_[to].add(in.count);
    current_ = target.open_;
    target.open_ = &in;
    thread_->pend(target.rank_);
}

void node_run::enqueue(frame& in, const fate* fates) noexcept
{
    const uint32_t count = in.count;
    uint32_t same = 1;
    while (same < count && fates[same] == fates[0])
        ++same;
    if (same == count && fates[0] < consumed) [[likely]] {
        enqueue_all(in, fates[0]);
        return;
    }
    if (thread_->tracing()) [[unlikely]]
        for (uint32_t i = 0; i < count; ++i)
            if (fates[i] != consumed) // those are another's by now
                trace_one(in.packets[i], fates[i]);
    if (scatter(in, fates))
        return;
    for (uint32_t begin = 0; begin < count; begin += same) {
        same = 1;
        while (begin + same < count && fates[begin + same] == fates[begin])
            ++same;
        route(&in.packets[begin], same, fates[begin]);
    }
}

// Deals the packets out to the next nodes' open frames without a branch for each packet. Only where every one of
// them has room for all packets; false, and nothing done, where not.
bool node_run::scatter(frame& in, const fate* fates) noexcept
{
    constexpr uint32_t least = 8; // fewer are dealt out one by one in less time
    if (!scatters_ || in.count < least)
        return false;
    // the last two places are for dropped and for consumed packets
    std::array<packet**, most_scattered + 2> ends;
    std::array<packet*, vector_size> kept;
    for (uint32_t slot = 0; slot < next_count_; ++slot) {
        frame& open = *nexts_[slot]->open_;
        if (open.count + in.count > vector_size)
            return false;
        ends[slot] = open.packets.data() + open.count;
    }
    std::array<packet*, vector_size> dropped;
    std::array<uint16_t, vector_size> why;
    const uint32_t drops = next_count_, keeps = next_count_ + 1u;
    ends[drops] = dropped.data();
    ends[keeps] = kept.data();
    uint32_t drop_count = 0;
    for (uint32_t i = 0; i < in.count; ++i) {
        const fate to = fates[i];
        const bool is_drop = (to & drop_bit) != 0;
        const uint32_t place = is_drop ? drops : to == consumed ? keeps : to;
        why[drop_count] = to & static_cast<fate>(~drop_bit);
        drop_count += is_drop;
        *ends[place]++ = in.packets[i];
    }
    for (uint32_t slot = 0; slot < next_count_; ++slot) {
        node_run& target = *nexts_[slot];
        packet** const begin = target.open_->packets.data() + target.open_->count;
        const auto sent = static_cast<uint32_t>(ends[slot] - begin);
        if (sent == 0)
            continue;
        check_taken(begin, sent);
        sent_[slot].add(sent);
        target.open_->count += sent;
        thread_->pend(target.rank_);
    }
    if (drop_count > 0) {
        check_taken(dropped.data(), drop_count);
        for (uint32_t i = 0; i < drop_count; ++i) {
            reasons_[why[i]].add(1);
            dropped[i]->note().drop_reason = make_reason_id(id_, why[i]);
        }
        nexts_[next_count_]->receive(dropped.data(), drop_count);
    }
    return true;
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

uint64_t node_run::admit(packet** packets, uint32_t count, uint16_t interface, fate to) noexcept
{
    const packet_mark mark{.adjacency = 0, .interface = interface, .l3_offset = 0, .flags = 0};
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; ++i) {
        packets[i]->mark() = mark;
        bytes += packets[i]->length();
    }
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
        return bytes;
    }
    open.count += count;
    thread_->pend(target.rank_);
    return bytes;
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
