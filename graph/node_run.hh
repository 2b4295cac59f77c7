// SPDX-License-Identifier: Apache-2.0
// A node at work on one thread: what its function is given to read its context, pass packets on and drop.
#pragma once

#include "graph/counter.hh"
#include "graph/frame.hh"
#include "graph/node.hh"

#include <array>
#include <cstring>
#include <rte_prefetch.h>

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
    void each_but(frame& in, fate usual, const packet_set& odd, Decide&& decide) noexcept
    {
        if (odd.none()) {
            enqueue_all(in, usual);
            return;
        }
        std::array<fate, vector_size> fates;
        for (uint32_t i = 0; i < in.count; ++i)
            fates[i] = usual;
        odd.for_each([&](uint32_t i) noexcept { fates[i] = decide(*in.packets[i]); });
        enqueue(in, fates.data());
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

    static constexpr size_t most_scattered = 14; // next nodes

    void released(uint32_t count) noexcept;
    void receive(packet* const* packets, uint32_t count) noexcept;
    void receive_full(packet* const* packets, uint32_t count) noexcept;
    void route(packet* const* packets, uint32_t count, fate to) noexcept;
    bool scatter(frame& in, const fate* fates) noexcept;
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
    bool scatters_ = false; // its next nodes are few and all different
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
