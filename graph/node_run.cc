// SPDX-License-Identifier: Apache-2.0
// A node's run: how packets go from node to node.
#include "graph/node_run.hh"

#include "base/net/headers.hh"
#include "graph/engine.hh"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <rte_cycles.h>

namespace weft {

// Until a packet comes to it a node has no frame, which looks like one that is too full.
void node_run::open_first() noexcept
{
    open_ = thread_->take_frame();
    thread_->note_opened(rank_);
}

void node_run::receive_full(packet* const* packets, uint32_t count) noexcept
{
    if (open_->count > vector_size)
        open_first();
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

void node_run::route(packet* const* packets, uint32_t count, verdict to) noexcept
{
    if (to.is_consumed())
        return;
    if (to.is_drop()) {
        check_taken(packets, count);
        note_dropped(packets, count, to.reason());
        nexts_[next_count_]->receive(packets, count);
        return;
    }
    check_taken(packets, count);
    sent_[to.next()].add(count);
    nexts_[to.next()]->receive(packets, count);
}

void node_run::enqueue_all(frame& in, next_index to, uint32_t aux) noexcept
{
    node_run& target = *nexts_[to];
    if (thread_->tracing()) [[unlikely]]
        trace(in, to);
    if (target.open_->count != 0 || &in != current_) {
        if (target.open_->count <= vector_size || &in != current_) {
            route(in.packets.data(), in.count, to);
            return;
        }
        target.open_first();
    }
    // the frame changes hands; nothing is copied
    check_taken(in.packets.data(), in.count);
    sent_[to].add(in.count);
    in.aux_count = aux;
    current_ = target.open_;
    target.open_ = &in;
    thread_->pend(target.rank_);
}

void node_run::enqueue(frame& in, const verdict* verdicts) noexcept
{
    const uint32_t count = in.count;
    uint32_t same = 1;
    while (same < count && verdicts[same] == verdicts[0])
        ++same;
    if (same == count && verdicts[0].is_next()) [[likely]] {
        enqueue_all(in, verdicts[0].next());
        return;
    }
    deliver_each(in.packets.data(), verdicts, count);
}

// The end of the open frame of a next node if it has room for so many.
packet** node_run::room_for(next_index to, uint32_t count, packet** otherwise) noexcept
{
    frame& open = *nexts_[to]->open_;
    return open.count + count <= vector_size ? open.packets.data() + open.count : otherwise;
}

// Packets that lie where room_for() said.
void node_run::deliver(next_index to, packet** packets, uint32_t count) noexcept
{
    if (thread_->tracing()) [[unlikely]]
        for (uint32_t i = 0; i < count; ++i)
            trace_one(packets[i], to);
    node_run& target = *nexts_[to];
    if (count > 0 && packets == target.open_->packets.data() + target.open_->count)
        received(target, to, count);
    else if (count > 0)
        route(packets, count, to);
}

void node_run::deliver_all(packet* const* packets, uint32_t count, verdict to) noexcept
{
    if (thread_->tracing() && to != consumed) [[unlikely]]
        for (uint32_t i = 0; i < count; ++i)
            trace_one(packets[i], to);
    route(packets, count, to);
}

void node_run::deliver_each(packet* const* packets, const verdict* verdicts,
                            uint32_t count) noexcept
{
    if (thread_->tracing()) [[unlikely]]
        for (uint32_t i = 0; i < count; ++i)
            if (verdicts[i] != consumed) // those are another's by now
                trace_one(packets[i], verdicts[i]);
    deal(packets, verdicts, count);
}

// Packets to slot `to` that stand behind those of its open frame already.
void node_run::received(node_run& target, next_index to, uint32_t count) noexcept
{
    check_taken(target.open_->packets.data() + target.open_->count, count);
    sent_[to].add(count);
    target.open_->count += count;
    thread_->pend(target.rank_);
}

// Deals packets out by their verdicts, in order, without a branch for each: all packets are gone
// through once for each place that some of them go to, which are few.
void node_run::deal(packet* const* packets, const verdict* verdicts, uint32_t count) noexcept
{
    constexpr uint32_t max_places = 64;
    constexpr uint32_t few = 32; // for which this does not pay
    const uint32_t dropped = next_count_, kept = next_count_ + 1u;
    if (count <= few) {
        deal_few(packets, verdicts, count);
        return;
    }
    uint32_t differ = 0;
    for (uint32_t i = 1; i < count; ++i)
        differ |= uint32_t{verdicts[i].bits()} ^ verdicts[0].bits();
    if (differ == 0 || kept >= max_places) {
        deal_runs(packets, verdicts, count);
        return;
    }
    std::array<uint8_t, vector_size> places;
    uint64_t present = 0;
    for (uint32_t i = 0; i < count; ++i) {
        uint32_t place = verdicts[i].bits();
        place = verdicts[i].is_drop() ? dropped : place;
        place = verdicts[i] == consumed ? kept : place;
        places[i] = static_cast<uint8_t>(place);
        present |= uint64_t{1} << place;
    }
    present &= ~(uint64_t{1} << kept);
    for (; present != 0; present &= present - 1) {
        const auto place = static_cast<uint8_t>(std::countr_zero(present));
        std::array<packet*, vector_size> chosen;
        std::array<verdict, vector_size> why;
        packet** const to =
            place == dropped ? chosen.data() : room_for(place, count, chosen.data());
        uint32_t n = 0;
        for (uint32_t i = 0; i < count; ++i) {
            to[n] = packets[i];
            why[n] = verdicts[i];
            n += places[i] == place;
        }
        if (place == dropped)
            drop_each(to, why.data(), n);
        else if (to != chosen.data())
            received(*nexts_[place], place, n);
        else
            route(to, n, place);
    }
}

// One by one, but without a branch on what becomes of each.
void node_run::deal_few(packet* const* packets, const verdict* verdicts, uint32_t count) noexcept
{
    for (uint32_t i = 0; i < count; ++i) {
        const verdict to = verdicts[i];
        if (to == consumed)
            continue;
        const bool dropped = to.is_drop();
        const uint16_t reason = to.reason();
        node_run& target = *nexts_[dropped ? next_count_ : to.next()];
        frame& open = *target.open_;
        if (open.count >= vector_size) [[unlikely]] {
            route(packets + i, 1, to);
            continue;
        }
        check_taken(packets + i, 1);
        counter& sum = dropped ? reasons_[reason] : sent_[to.next()];
        sum.add(1);
        uint32_t nowhere = 0;
        *(dropped ? &packets[i]->note().drop_reason : &nowhere) = make_reason_id(id_, reason);
        open.packets[open.count++] = packets[i];
        thread_->pend(target.rank_);
    }
}

void node_run::deal_runs(packet* const* packets, const verdict* verdicts, uint32_t count) noexcept
{
    uint32_t same = 1;
    for (uint32_t begin = 0; begin < count; begin += same) {
        same = 1;
        while (begin + same < count && verdicts[begin + same] == verdicts[begin])
            ++same;
        route(packets + begin, same, verdicts[begin]);
    }
}

// Each for the reason in its verdict.
void node_run::drop_each(packet* const* packets, const verdict* verdicts, uint32_t count) noexcept
{
    check_taken(packets, count);
    for (uint32_t i = 0; i < count; ++i) {
        const uint16_t reason = verdicts[i].reason();
        reasons_[reason].add(1);
        packets[i]->note().drop_reason = make_reason_id(id_, reason);
    }
    nexts_[next_count_]->receive(packets, count);
}

std::span<packet*> node_run::input_space(next_index to) noexcept
{
    constexpr uint32_t least = 64;
    node_run& target = *nexts_[to];
    if (target.open_->count > vector_size) [[unlikely]]
        target.open_first();
    if (vector_size - target.open_->count < least) {
        frame* full = target.open_;
        target.open_ = thread_->take_frame();
        full->next = nullptr;
        (target.full_tail_ == nullptr ? target.full_head_ : target.full_tail_->next) = full;
        target.full_tail_ = full;
    }
    frame& open = *target.open_;
    return {open.packets.data() + open.count,
            std::min(vector_size - open.count, thread_->input_limit())};
}

void node_run::note_dropped(packet* const* packets, uint32_t count, uint16_t reason) noexcept
{
    reasons_[reason].add(count);
    const reason_id id = make_reason_id(id_, reason);
    for (uint32_t i = 0; i < count; ++i)
        packets[i]->note().drop_reason = id;
}

void node_run::send(packet* p, verdict to) noexcept
{
    if (p->traced() && thread_->tracing()) [[unlikely]]
        trace_one(p, to);
#if WEFT_CHECK_VERDICTS
    p->note().custody = token_; // in nobody's custody until now
    ++owned_;
#endif
    route(&p, 1, to);
}

uint64_t node_run::admit(packet** packets, uint32_t count, uint16_t interface,
                         next_index to) noexcept
{
    const packet_metadata metadata{.adjacency = 0,
                                   .interface = interface,
                                   .l3_offset = sizeof(net::ethernet_header),
                                   .flags = 0};
    uint64_t bytes = 0;
#pragma GCC unroll 4
    for (uint32_t i = 0; i < count; ++i) {
        packets[i]->metadata() = metadata;
#if WEFT_CHECK_VERDICTS
        packets[i]->note().custody = 0; // its buffer may have had an owner before
#endif
        bytes += packets[i]->length();
    }
    thread_->note_entered(count);
    if (auto* buffer = thread_->current_trace()) [[unlikely]] {
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

void node_run::trace(frame& in, verdict to) noexcept
{
    if (!thread_->tracing())
        return;
    for (packet* p : in.all())
        trace_one(p, to);
}

void node_run::trace_one(packet* p, verdict to) noexcept
{
    if (!p->traced())
        return;
    auto* buffer = thread_->current_trace();
    if (buffer == nullptr)
        return;
    if (to.is_drop())
        p->note().drop_reason = make_reason_id(id_, to.reason());
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

uint32_t node_run::hand_over_some(packet* const* packets, uint32_t count, graph_thread& to,
                                  node_id at, size_t leave) noexcept
{
    if (thread_->tracing()) [[unlikely]]
        for (uint32_t i = 0; i < count; ++i) // afterwards they are the other thread's
            trace_one(packets[i], consumed);
    const uint32_t handed = thread_->hand_over_some(to, at, packets, count, leave);
    released(handed);
    return handed;
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

#if WEFT_CHECK_VERDICTS
namespace {

[[noreturn]] void verdict_fault(const engine& engine, node_id id, const char* what, int64_t count)
{
    std::fprintf(stderr, "node %s: %s (%ld packets)\n", engine.registry().at(id).name.c_str(), what,
                 static_cast<long>(count));
    std::abort();
}

} // namespace

void node_run::check_given(packet* const* packets, uint32_t count) noexcept
{
    token_ =
        (static_cast<uint32_t>(thread_index_) + 1) << 24 | (thread_->next_serial() & 0xff'ffff);
    for (uint32_t i = 0; i < count; ++i) {
        if (packets[i]->note().custody == token_)
            verdict_fault(thread_->engine(), id_, "a packet is in one frame twice", 1);
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
            verdict_fault(thread_->engine(), id_, "a packet got a second verdict", 1);
        packets[i]->note().custody = 0;
    }
    owned_ -= count;
}

void node_run::check_settled() noexcept
{
    if (owned_ != 0)
        verdict_fault(thread_->engine(), id_, "packets got no verdict, or more than one", owned_);
}
#endif

} // namespace weft
