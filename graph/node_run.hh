// SPDX-License-Identifier: Apache-2.0
// A node at work on one thread: what its function uses to read its context, to pass packets on and
// to drop them.
#pragma once

#include "base/counter.hh"
#include "graph/frame.hh"
#include "graph/node.hh"
#include "graph/thread/graph_thread.hh"
#include "graph/thread/input_pace.hh"

#include <array>
#include <cstring>
#include <rte_prefetch.h>

namespace weft {

class packet_set;

// Counters of one node on one thread; they survive plan changes.
struct node_counters {
    counter calls;
    counter vectors;            // packets
    counter clocks;             // TSC cycles
    counter max_clocks_calls;   // the most expensive call: its cycles ...
    counter max_clocks_vectors; // ... and its packets
    // The clear_maxima() of the thread that the two belong to; if it is older, they read as zero.
    std::atomic<uint64_t> maxima_epoch{0};
    counter turns; // for nodes with start or stop: odd between start and stop
};

// State of an adaptive input on one thread; written by that thread, survives plan changes.
struct input_activity {
    std::atomic<bool> quiet{false}; // waiting for its interrupt
    counter switches;               // from polling to waiting and back
};

// One node in one plan. Everything here belongs to the plan's thread. The first cache line has what
// every packet needs.
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

    // Calls `decide`, a verdict(packet&), for every packet in turn and carries out the verdicts:
    // the readable way to write a node.
    template <class Decide>
    void each(frame& in, Decide&& decide) noexcept
    {
        std::array<verdict, vector_size> verdicts;
        const uint32_t count = in.count;
        for (uint32_t i = 0; i < count; ++i)
            verdicts[i] = decide(*in.packets[i]);
        enqueue(in, verdicts.data());
    }
    // The same for variants that judge many packets at once (graph/node_run_vector.hh has the
    // body): all go to `usual`, except those in `odd`, for which `decide` is called. The node has
    // written frame::aux for the first `aux` packets.
    template <class Decide>
    void each_but(frame& in, next_index usual, packet_set& odd, Decide&& decide,
                  uint32_t aux = 0) noexcept;
    // For nodes in which all packets with the same key get the same verdict: decides once per key
    // (body likewise).
    template <class Key, class Decide>
    void each_by(frame& in, Key&& key, Decide&& decide) noexcept;
    // Carries out the verdicts for the packets of the node's frame, in order.
    void enqueue(frame& in, const verdict* verdicts) noexcept;
    // Sends the whole frame to one next slot, with what the node wrote to frame::aux for the first
    // `aux` packets.
    void enqueue_all(frame& in, next_index to, uint32_t aux = 0) noexcept;
    // Carries out the verdict for one packet that is not in the frame, since it was kept earlier.
    void send(packet* p, verdict to) noexcept;
    // Counts a reason without dropping: for packets that go on, for example to ip4-icmp-error.
    void count(uint16_t reason, uint64_t n = 1) noexcept { reasons_[reason].add(n); }

    // For input nodes: brings `count` fresh packets (metadata unset) from interface `interface`
    // into the graph, starts traces, and sends them to slot `to`. They may already be in
    // input_space(to). Returns their total bytes.
    uint64_t admit(packet** packets, uint32_t count, uint16_t interface, next_index to) noexcept;
    // Room after the packets that wait for slot `to`, to receive into without copying. Has space
    // for at least 64 packets, since some drivers' vector receive paths need whole groups.
    // Never more than engine_options::vector_size.
    [[nodiscard]] std::span<packet*> input_space(next_index to) noexcept;
    // For packets from another thread, which are already counted and marked.
    void resume(packet* p) noexcept { receive(&p, 1); }

    // For nodes that consume: adds packets to the trace while they can still be read (`to` is what
    // the trace says about them) ...
    void trace(frame& in, verdict to) noexcept;
    // ... and reports that packets have left the graph: transmitted, or freed by the caller.
    void left(uint32_t count) noexcept
    {
        thread_->note_left(count);
        released(count);
    }
    // Reports that a packet is kept for later: still in the graph, but not owned by a call.
    void kept(packet& p) noexcept;
    // Hands a packet to the same node on another thread. True: it is consumed here. False: that
    // thread cannot keep up, and nothing was done. `leave`: room in its inbox kept for others.
    [[nodiscard]] bool hand_over(packet& p, graph_thread& to, size_t leave = 0) noexcept;
    // The same for packets of the frame, which continue at node `at` there, in order. Hands over as
    // many as there is room for, and returns their number.
    [[nodiscard]] uint32_t hand_over_some(packet* const* packets, uint32_t count, graph_thread& to,
                                          node_id at, size_t leave) noexcept;
    // Frees packets and counts them as left.
    void free(packet** packets, uint32_t count) noexcept;
    // Drops packets outside of the frame's verdicts (when a transmit queue is full).
    void drop_rest(packet** packets, uint32_t count, uint16_t reason) noexcept;

    [[nodiscard]] node_id id() const noexcept { return id_; }
    [[nodiscard]] graph_thread& thread() const noexcept { return *thread_; }

private:
    friend class graph_thread;
    friend class plan;

    void released([[maybe_unused]] uint32_t count) noexcept
    {
#if WEFT_CHECK_VERDICTS
        owned_ -= count;
#endif
    }
    void receive(packet* const* packets, uint32_t count) noexcept;
    void receive_full(packet* const* packets, uint32_t count) noexcept;
    void open_first() noexcept;
    void route(packet* const* packets, uint32_t count, verdict to) noexcept;
    [[nodiscard]] packet** room_for(next_index to, uint32_t count, packet** otherwise) noexcept;
    void deliver(next_index to, packet** packets, uint32_t count) noexcept;
    void deliver_all(packet* const* packets, uint32_t count, verdict to) noexcept;
    [[nodiscard]] uint32_t* aux_behind(next_index usual, packet* const* to) const noexcept;
    // Where packets with a verdict can be placed before deliver_placed().
    [[nodiscard]] packet** place_for(verdict to, uint32_t count, packet** otherwise) noexcept
    {
        return to.is_next() ? room_for(to.next(), count, otherwise) : otherwise;
    }
    void deliver_placed(verdict to, packet** packets, uint32_t count) noexcept
    {
        if (to.is_next())
            deliver(to.next(), packets, count);
        else
            deliver_all(packets, count, to);
    }
    void deliver_each(packet* const* packets, const verdict* verdicts, uint32_t count) noexcept;
    void received(node_run& target, next_index to, uint32_t count) noexcept;
    void deal(packet* const* packets, const verdict* verdicts, uint32_t count) noexcept;
    void deal_few(packet* const* packets, const verdict* verdicts, uint32_t count) noexcept;
    void deal_runs(packet* const* packets, const verdict* verdicts, uint32_t count) noexcept;
    void drop_each(packet* const* packets, const verdict* verdicts, uint32_t count) noexcept;
    void note_dropped(packet* const* packets, uint32_t count, uint16_t reason) noexcept;
    void trace_one(packet* p, verdict to) noexcept;
#if WEFT_CHECK_VERDICTS
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
    node_run** nexts_ = nullptr; // by slot; after the last, the drop node
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
    bool polled_ = true;           // in the next loop
    uint32_t countdown_ = 0;       // of a pre-input node: loops until its next call
    int fd_ = -1;                  // registered in the thread's epoll
    uint8_t in_vain_ = 0;          // consecutive wake-ups by the file with nothing received
    uint64_t in_vain_vectors_ = 0; // total packets received at the last of them
    uint8_t unheard_ = 0; // consecutive sleeps that ended with packets waiting, but no event
    uint64_t unheard_vectors_ = 0; // total packets received at the end of the last of them
    uint64_t file_again_ = 0;      // TSC after which the file is waited for again
    input_pace pace_;
    input_activity* activity_ = nullptr;
    int64_t owned_ = 0;          // debug: packets owned by this call
    uint32_t token_ = 0;         // debug: marks the packets of this call
    const char* name_ = nullptr; // for the crash report

    static constexpr size_t hot_end() noexcept
    {
        return offsetof(node_run, thread_) + sizeof(graph_thread*);
    }
};

} // namespace weft
