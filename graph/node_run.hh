// SPDX-License-Identifier: Apache-2.0
// A node at work on one thread: what its function is given to read its context, pass packets on and drop.
#pragma once

#include "graph/counter.hh"
#include "graph/frame.hh"
#include "graph/node.hh"

#include <array>
#include <cstring>
#include <rte_prefetch.h>
#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace weft {

class graph_thread;

// What is counted of one node on one thread; kept when the plan changes.
struct node_counters {
    counter calls;
    counter vectors; // packets
    counter clocks;  // TSC cycles
    counter max_clocks_calls; // of the costliest call: its cycles ...
    counter max_clocks_vectors; // ... and its packets
};

// Some packets of a frame, by their places in it.
class packet_set {
public:
    // Those of the first `count` for whose places `odd` is true, asked in order.
    template <class Odd>
    [[gnu::always_inline]] void find(uint32_t count, Odd&& odd) noexcept
    {
        for (uint32_t begin = 0; begin < count; begin += 64) {
            const uint32_t end = count - begin < 64 ? count : begin + 64;
            uint64_t bits = 0; // not in words_, where each packet would wait for the store of the one before
            for (uint32_t i = begin; i < end; ++i)
                bits |= uint64_t{odd(i)} << (i - begin);
            words_[begin / 64] = bits;
        }
    }
    // The same by groups, for which `odd` gives one bit each; those behind the last whole group are all in the set.
    template <uint32_t group, class Odd>
    [[gnu::always_inline]] void find_groups(uint32_t count, Odd&& odd) noexcept
    {
        for (uint32_t begin = 0; begin < count; begin += 64) {
            const uint32_t end = count - begin < 64 ? count : begin + 64;
            uint64_t bits = 0;
            uint32_t i = begin;
            for (; i + group <= end; i += group)
                bits |= uint64_t{odd(i)} << (i - begin);
            for (; i < end; ++i)
                bits |= uint64_t{1} << (i - begin);
            words_[begin / 64] = bits;
        }
    }
    [[nodiscard]] bool none() const noexcept
    {
        return (words_[0] | words_[1] | words_[2] | words_[3]) == 0;
    }
    [[nodiscard]] bool has(uint32_t place) const noexcept
    {
        return (words_[place / 64] >> place % 64 & 1) != 0;
    }
    [[nodiscard]] uint32_t size() const noexcept
    {
        uint32_t sum = 0;
        for (uint64_t word : words_)
            sum += static_cast<uint32_t>(__builtin_popcountll(word));
        return sum;
    }
    void remove(uint32_t place) noexcept { words_[place / 64] &= ~(uint64_t{1} << place % 64); }
    // Parts packets in order: those in the set to `odd`, the others to `usual`. Anything may be read from the
    // `lookahead` places behind the packets, and written to those behind either of the others.
    [[gnu::always_inline]] void split(packet* const* packets, uint32_t count, packet** usual,
                                      packet** odd) const noexcept
    {
#if defined(__AVX512F__)
        for (uint32_t i = 0; i < count; i += 8) {
            const uint32_t all = count - i < 8 ? (1u << (count - i)) - 1 : 0xff;
            const uint32_t those = (words_[i / 64] >> i % 64) & all;
            const __m512i eight = _mm512_loadu_si512(packets + i);
            _mm512_storeu_si512(usual, _mm512_maskz_compress_epi64(
                                           static_cast<__mmask8>(all & ~those), eight));
            _mm512_storeu_si512(odd, _mm512_maskz_compress_epi64(static_cast<__mmask8>(those), eight));
            usual += __builtin_popcount(all & ~those);
            odd += __builtin_popcount(those);
        }
#else
        for (uint32_t i = 0; i < count; ++i) { // written to both, kept in one
            const bool chosen = has(i);
            *usual = *odd = packets[i];
            usual += !chosen;
            odd += chosen;
        }
#endif
    }
    template <class Function>
    void for_each(Function&& function) const noexcept
    {
        for (uint32_t word = 0; word < words_.size(); ++word)
            for (uint64_t bits = words_[word]; bits != 0; bits &= bits - 1)
                function(word * 64 + static_cast<uint32_t>(__builtin_ctzll(bits)));
    }

private:
    std::array<uint64_t, vector_size / 64> words_{};
    static_assert(vector_size == 256);
};

// One node in one plan. Everything here belongs to the plan's thread. The first cache line is what each
// packet's way needs.
class alignas(64) node_run {
public:
    // --- for node functions ---

    // The node's context on this thread, of the type given to context_of<T>().
    template <class T>
    [[nodiscard]] T& context() const noexcept
    {
        return *static_cast<T*>(context_);
    }
    [[nodiscard]] unsigned thread_index() const noexcept { return thread_index_; }

    // Decides every packet's fate in turn and carries it out: the readable way to write a node.
    // `decide` is called as fate(packet&).
    template <class Decide>
    void each(frame& in, Decide&& decide) noexcept
    {
        std::array<fate, vector_size> fates;
        const uint32_t count = in.count;
        for (uint32_t i = 0; i < count; ++i)
            fates[i] = decide(*in.packets[i]);
        enqueue(in, fates.data());
    }
    // The same for forms that judge many packets at once: all go to `usual`, but for those in `odd`, for which
    // `decide` is called.
    template <class Decide>
    void each_but(frame& in, fate usual, packet_set& odd, Decide&& decide) noexcept
    {
        if (odd.none()) {
            enqueue_all(in, usual);
            return;
        }
        std::array<fate, vector_size> fates; // of those whose fate is another
        uint32_t count = 0;
        odd.for_each([&](uint32_t i) noexcept {
            fates[count] = decide(*in.packets[i]);
            if (fates[count] == usual)
                odd.remove(i);
            else
                ++count;
        });
        if (count == 0) {
            enqueue_all(in, usual);
            return;
        }
        std::array<packet*, vector_size + lookahead> others, spare;
        packet** const to = room_for(usual, in.count, spare.data());
        odd.split(in.packets.data(), in.count, to, others.data());
        deliver(usual, to, in.count - count);
        deliver_each(others.data(), fates.data(), count);
    }
    // For nodes in which packets of one key have one fate: all of a key are decided at once.
    template <class Key, class Decide>
    void each_by(frame& in, Key&& key, Decide&& decide) noexcept
    {
        constexpr uint32_t most_keys = 8; // taken out one by one; packets of any more are decided one by one
        std::array<packet*, vector_size + lookahead> left[2], spare;
        packet* const* rest = in.packets.data();
        uint32_t count = in.count;
        for (uint32_t turn = 0; turn < most_keys; ++turn) {
            const auto first = key(*rest[0]);
            const fate to = decide(first);
            uint64_t differ = 0;
            for (uint32_t i = 1; i < count; ++i)
                differ |= key(*rest[i]) ^ first;
            if (differ == 0) {
                if (turn == 0 && to < consumed)
                    enqueue_all(in, to);
                else
                    deliver_all(rest, count, to);
                return;
            }
            packet_set others;
            others.find(count, [&](uint32_t i) noexcept { return key(*rest[i]) != first; });
            packet** const same = to < consumed ? room_for(to, count, spare.data()) : spare.data();
            packet** const next = left[turn % 2].data();
            others.split(rest, count, same, next);
            const uint32_t other_count = others.size();
            if (to < consumed)
                deliver(to, same, count - other_count);
            else
                deliver_all(same, count - other_count, to);
            rest = next;
            count = other_count;
        }
        std::array<fate, vector_size> fates;
        for (uint32_t i = 0; i < count; ++i)
            fates[i] = decide(key(*rest[i]));
        deliver_each(rest, fates.data(), count);
    }
    // Carries out the fates that the node chose for the packets of its frame, in order.
    void enqueue(frame& in, const fate* fates) noexcept;
    // The whole frame to one next slot.
    void enqueue_all(frame& in, fate to) noexcept;
    // One packet that is not in the frame (kept earlier) to a fate.
    void send(packet* p, fate to) noexcept;
    // Counts a reason without dropping: for packets that go on, as to ip4-icmp-error.
    void count(uint16_t reason, uint64_t n = 1) noexcept { reasons_[reason].add(n); }

    // Input nodes: takes `count` fresh packets (marks unset) from interface `interface` into the
    // graph, starts traces, and sends them to slot `to`. They may lie in input_space(to) already.
    // Returns the bytes of all.
    uint64_t admit(packet** packets, uint32_t count, uint16_t interface, fate to) noexcept;
    // Room behind the packets that wait for slot `to`, to receive into without copying.
    // At least 64 packets, since some drivers' vector receive paths want whole groups.
    [[nodiscard]] std::span<packet*> input_space(fate to) noexcept;
    // Packets that come from another thread and are counted and marked already.
    void resume(packet* p) noexcept { receive(&p, 1); }

    // Nodes that consume: notes packets in the trace while they can still be read (`to` is what the
    // trace says became of them), ...
    void trace(frame& in, fate to) noexcept;
    // ... and says that packets left the graph: transmitted, or freed by the caller.
    void left(uint32_t count) noexcept;
    // A packet that is kept for later: in the graph still, but in nobody's custody.
    void kept(packet& p) noexcept;
    // Hands a packet to this same node of another thread: true, and it is consumed here; false (nothing
    // done) when that thread is behind. `leave`: room in its inbox that is for others.
    [[nodiscard]] bool hand_over(packet& p, graph_thread& to, size_t leave = 0) noexcept;
    // Frees packets and counts them as left.
    void free(packet** packets, uint32_t count) noexcept;
    // Drops packets that are not in a frame's fates (a transmit queue that was full).
    void drop_rest(packet** packets, uint32_t count, uint16_t reason) noexcept;

    [[nodiscard]] node_id id() const noexcept { return id_; }
    [[nodiscard]] graph_thread& thread() const noexcept { return *thread_; }

private:
    friend class graph_thread;
    friend class plan;

    void released(uint32_t count) noexcept;
    void receive(packet* const* packets, uint32_t count) noexcept;
    void receive_full(packet* const* packets, uint32_t count) noexcept;
    void route(packet* const* packets, uint32_t count, fate to) noexcept;
    [[nodiscard]] packet** room_for(fate to, uint32_t count, packet** otherwise) noexcept;
    void deliver(fate to, packet** packets, uint32_t count) noexcept;
    void deliver_all(packet* const* packets, uint32_t count, fate to) noexcept;
    void deliver_each(packet* const* packets, const fate* fates, uint32_t count) noexcept;
    void received(node_run& target, fate to, uint32_t count) noexcept;
    void deal(packet* const* packets, const fate* fates, uint32_t count) noexcept;
    void deal_runs(packet* const* packets, const fate* fates, uint32_t count) noexcept;
    void drop_each(packet* const* packets, const fate* fates, uint32_t count) noexcept;
    void mark_dropped(packet* const* packets, uint32_t count, uint16_t reason) noexcept;
    void trace_one(packet* p, fate to) noexcept;
#if WEFT_CHECK_FATES
    void check_given(packet* const* packets, uint32_t count) noexcept;
    void check_taken(packet* const* packets, uint32_t count) noexcept;
    void check_settled() noexcept;
#else
    void check_given(packet* const*, uint32_t) noexcept {}
    void check_taken(packet* const*, uint32_t) noexcept {}
    void check_settled() noexcept {}
#endif

    // hot
    node_function function_ = nullptr;
    frame* open_ = nullptr;    // packets that wait for this node
    frame* current_ = nullptr; // the frame that the function is working on
    void* context_ = nullptr;
    node_run** nexts_ = nullptr; // by slot; behind the last, the drop node
    counter* sent_ = nullptr;    // by slot: packets
    counter* reasons_ = nullptr; // by reason: packets
    graph_thread* thread_ = nullptr;
    // warm
    frame* full_head_ = nullptr; // full frames that wait, oldest first
    frame* full_tail_ = nullptr;
    node_counters* counters_ = nullptr;
    input_function poll_ = nullptr;
    const node_descriptor* descriptor_ = nullptr;
    input_wait_function wait_ = nullptr;
    uint16_t rank_ = 0;
    uint16_t next_count_ = 0;
    node_id id_ = no_node;
    node_id original_ = no_node; // of a clone: its template
    node_type type_ = node_type::internal;
    node_state state_ = node_state::polling;
    uint16_t thread_index_ = 0;
    int64_t owned_ = 0;  // debug: packets in this call's custody
    uint32_t token_ = 0; // debug: marks the packets of this call

    static constexpr size_t hot_end() noexcept
    {
        return offsetof(node_run, thread_) + sizeof(graph_thread*);
    }
};

} // namespace weft

#include "graph/graph_thread.hh" // the inline bodies need the thread
