// SPDX-License-Identifier: Apache-2.0
// A node at work on one thread: what its function is given to read its context, pass packets on and drop.
#pragma once

#include "base/counter.hh"
#include "graph/frame.hh"
#include "graph/thread/input_pace.hh"
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
    // Which of the thread's clear_maxima() the two are from; another one's are zero to a reader.
    std::atomic<uint64_t> maxima_epoch{0};
    counter turns; // of a node with a start or stop: odd from its start to its stop
};

// What became of an adaptive input on one thread; written there, kept when the plan changes.
struct input_activity {
    std::atomic<bool> quiet{false}; // it waits for its interrupt
    counter switches;               // from polling to waiting and back
};

// Some packets of a frame, by their places in it.
class packet_set {
public:
    // Adds those of the first `count` for whose places `odd` is true, asked in order; few of them should be.
    template <class Odd>
    [[gnu::always_inline]] void find(uint32_t count, Odd&& odd) noexcept
    {
#pragma GCC unroll 4
        for (uint32_t i = 0; i < count; ++i)
            if (odd(i)) [[unlikely]]
                words_[i / 64] |= uint64_t{1} << i % 64;
    }
    // The same by groups, for which `odd` gives one bit each. It looks at places behind the last (frame::pad), of which
    // its bits do not matter.
    template <uint32_t group, class Odd>
    [[gnu::always_inline]] void find_groups(uint32_t count, Odd&& odd) noexcept
    {
        for (uint32_t begin = 0; begin < count; begin += 64) {
            const uint32_t end = count - begin < 64 ? count : begin + 64;
            uint64_t bits = 0; // not in words_, where each group would wait for the store of the one before
            for (uint32_t i = begin; i < end; i += group)
                bits |= uint64_t{odd(i)} << (i - begin);
            words_[begin / 64] = bits & ~uint64_t{0} >> (begin + 64 - end);
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
    void remove(uint32_t place) noexcept { words_[place / 64] &= ~(uint64_t{1} << place % 64); }
    // Copies, in order, the packets that are not in the set to `to`, and with AVX-512 what belongs to them from `words`
    // to `words_to`, if that is not null. Reads and writes up to `largest_group` places behind the last.
    [[gnu::always_inline]] void copy_others(packet* const* packets, uint32_t count, packet** to,
                                            [[maybe_unused]] const uint32_t* words,
                                            [[maybe_unused]] uint32_t* words_to) const noexcept
    {
#if defined(__AVX512F__)
        for (uint32_t begin = 0; begin < count; begin += 64) {
            const uint64_t all = ~uint64_t{0} >> (count - begin < 64 ? 64 - (count - begin) : 0);
            const uint64_t those = all & ~words_[begin / 64];
#pragma GCC unroll 8
            for (uint32_t i = 0; i < 64; i += 8) { // no group waits for where the one before it ended
                const auto at = __builtin_popcountll(those & ((uint64_t{1} << i) - 1));
                const auto mask = static_cast<__mmask8>(those >> i);
                _mm512_storeu_si512(
                    to + at, _mm512_maskz_compress_epi64(mask, _mm512_loadu_si512(packets + begin + i)));
            }
            if (words_to != nullptr)
#pragma GCC unroll 4
                for (uint32_t i = 0; i < 64; i += 16) {
                    const auto at = __builtin_popcountll(those & ((uint64_t{1} << i) - 1));
                    const auto mask = static_cast<__mmask16>(those >> i);
                    _mm512_storeu_si512(
                        words_to + at, _mm512_maskz_compress_epi32(mask, _mm512_loadu_si512(words + begin + i)));
                }
            to += __builtin_popcountll(those);
            if (words_to != nullptr)
                words_to += __builtin_popcountll(those);
        }
#else
        for (uint32_t i = 0; i < count; ++i) {
            *to = packets[i];
            to += !has(i);
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
    // `decide` is called. The node has written `words` of the frame's.
    template <class Decide>
    void each_but(frame& in, fate usual, packet_set& odd, Decide&& decide, uint32_t words = 0) noexcept
    {
        if (odd.none()) {
            enqueue_all(in, usual, words);
            return;
        }
        std::array<packet*, vector_size> others; // whose fate is another
        std::array<fate, vector_size> fates;
        uint32_t count = 0;
        odd.for_each([&](uint32_t i) noexcept {
            others[count] = in.packets[i];
            fates[count] = decide(*in.packets[i]);
            if (fates[count] == usual)
                odd.remove(i);
            else
                ++count;
        });
        if (count == 0) {
            enqueue_all(in, usual, words);
            return;
        }
        std::array<packet*, vector_size + largest_group> spare;
        packet** const to = room_for(usual, in.count, spare.data());
        uint32_t* const words_to = words == in.count ? words_behind(usual, to) : nullptr;
        odd.copy_others(in.packets.data(), in.count, to, in.words.data(), words_to);
        if (words_to != nullptr)
            nexts_[usual]->open_->word_count += in.count - count;
        deliver(usual, to, in.count - count);
        deliver_each(others.data(), fates.data(), count);
    }
    // For nodes in which packets of one key have one fate: all of a key are decided at once.
    template <class Key, class Decide>
    void each_by(frame& in, Key&& key, Decide&& decide) noexcept
    {
        constexpr uint32_t most_turns = 4; // of two keys each; packets of any more are decided one by one
        std::array<packet*, vector_size + largest_group> left[2], spare[2];
        packet* const* rest = in.packets.data();
        uint32_t count = in.count;
        for (uint32_t turn = 0; turn < most_turns && count > 0; ++turn) {
            const auto first = key(*rest[0]);
            const fate to = decide(first);
            const uint32_t same = count_alike(rest, count, key);
            if (same == count) {
                if (turn == 0 && to < consumed)
                    enqueue_all(in, to);
                else
                    deliver_all(rest, count, to);
                return;
            }
            const auto second = key(*rest[same]);
            const fate to_second = decide(second);
            packet** const firsts = place_for(to, count, spare[0].data());
            packet** const seconds =
                to_second == to ? spare[1].data() : place_for(to_second, count, spare[1].data());
            packet** const others = left[turn % 2].data();
            packet** ends[] = {firsts, seconds, others};
            part(rest, count, key, first, second, ends);
            deliver_placed(to, firsts, static_cast<uint32_t>(ends[0] - firsts));
            deliver_placed(to_second, seconds, static_cast<uint32_t>(ends[1] - seconds));
            rest = others;
            count = static_cast<uint32_t>(ends[2] - others);
        }
        std::array<fate, vector_size> fates;
        for (uint32_t i = 0; i < count; ++i)
            fates[i] = decide(key(*rest[i]));
        if (count > 0)
            deliver_each(rest, fates.data(), count);
    }
    // Carries out the fates that the node chose for the packets of its frame, in order.
    void enqueue(frame& in, const fate* fates) noexcept;
    // The whole frame to one next slot, with what the node wrote about its first packets into frame::words.
    void enqueue_all(frame& in, fate to, uint32_t words = 0) noexcept;
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
    // The same for packets of the frame that go on at node `at` there, in order: as many as there is room for, which
    // it returns.
    [[nodiscard]] uint32_t hand_over_some(packet* const* packets, uint32_t count, graph_thread& to,
                                          node_id at, size_t leave) noexcept;
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
    void open_first() noexcept;
    void route(packet* const* packets, uint32_t count, fate to) noexcept;
    [[nodiscard]] packet** room_for(fate to, uint32_t count, packet** otherwise) noexcept;
    void deliver(fate to, packet** packets, uint32_t count) noexcept;
    void deliver_all(packet* const* packets, uint32_t count, fate to) noexcept;
    // Where to write of the packets that go to `to` what the next node is to know, if that is told of all packets before
    // them; else null. Only where it costs less than to find it out again.
    [[nodiscard, gnu::always_inline]] uint32_t* words_behind([[maybe_unused]] fate usual,
                                                             [[maybe_unused]] packet* const* to) const noexcept
    {
#if defined(__AVX512F__)
        frame& open = *nexts_[usual]->open_;
        if (to == open.packets.data() + open.count && open.word_count == open.count)
            return open.words.data() + open.count;
#endif
        return nullptr;
    }
    // How many packets from the first on have its key.
    template <class Key>
    [[nodiscard, gnu::always_inline]] static uint32_t count_alike(packet* const* packets, uint32_t count,
                                                                  Key&& key) noexcept
    {
        constexpr uint32_t group = 8; // without a branch for each
        const auto first = key(*packets[0]);
        uint32_t same = 0;
        for (; same + group <= count; same += group) {
            uint64_t differ = 0;
#pragma GCC unroll 8
            for (uint32_t i = 0; i < group; ++i)
                differ |= key(*packets[same + i]) ^ first;
            if (differ != 0)
                break;
        }
        while (same < count && key(*packets[same]) == first)
            ++same;
        return same;
    }
    // Appends each packet to the one of `ends` that is for the first key, the second, or any other.
    template <class Key>
    [[gnu::always_inline]] static void part(packet* const* packets, uint32_t count, Key&& key, uint32_t first,
                                            uint32_t second, packet** (&ends)[3]) noexcept
    {
        packet **firsts = ends[0], **seconds = ends[1], **others = ends[2];
        uint32_t i = 0;
#if defined(__AVX512F__)
        for (; i + 8 <= count; i += 8) {
            uint32_t keys __attribute__((vector_size(32))) = {};
            for (uint32_t k = 0; k < 8; ++k)
                keys[k] = key(*packets[i + k]);
            const auto all = reinterpret_cast<__m256i>(keys);
            const uint32_t is_first = _mm256_cmpeq_epi32_mask(all, _mm256_set1_epi32(static_cast<int>(first)));
            const uint32_t is_second = _mm256_cmpeq_epi32_mask(all, _mm256_set1_epi32(static_cast<int>(second)));
            const __m512i eight = _mm512_loadu_si512(packets + i);
            const auto append = [&](packet**& end, uint32_t those) noexcept {
                _mm512_storeu_si512(end, _mm512_maskz_compress_epi64(static_cast<__mmask8>(those), eight));
                end += __builtin_popcount(those);
            };
            append(firsts, is_first);
            append(seconds, is_second);
            if (const uint32_t is_other = ~(is_first | is_second) & 0xff; is_other != 0) // mostly none
                append(others, is_other);
        }
#endif
        for (; i < count; ++i) { // written to all three, kept in one
            const uint32_t of = key(*packets[i]);
            *firsts = *seconds = *others = packets[i];
            firsts += of == first;
            seconds += of == second;
            others += of != first && of != second;
        }
        ends[0] = firsts;
        ends[1] = seconds;
        ends[2] = others;
    }
    // Where packets for a fate may be put before deliver_placed().
    [[nodiscard]] packet** place_for(fate to, uint32_t count, packet** otherwise) noexcept
    {
        return to < consumed ? room_for(to, count, otherwise) : otherwise;
    }
    void deliver_placed(fate to, packet** packets, uint32_t count) noexcept
    {
        if (to < consumed)
            deliver(to, packets, count);
        else
            deliver_all(packets, count, to);
    }
    void deliver_each(packet* const* packets, const fate* fates, uint32_t count) noexcept;
    void received(node_run& target, fate to, uint32_t count) noexcept;
    void deal(packet* const* packets, const fate* fates, uint32_t count) noexcept;
    void deal_few(packet* const* packets, const fate* fates, uint32_t count) noexcept;
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
    bool polled_ = true; // in the next loop
    uint32_t countdown_ = 0; // of a pre-input node: loops until its next call
    int fd_ = -1;        // stands in the thread's epoll
    uint8_t in_vain_ = 0;          // sleeps that the file ended in a row, and nothing had come
    uint64_t in_vain_vectors_ = 0; // what the node had brought at the last of them
    uint64_t file_again_ = 0;      // TSC from which on the file is waited for again
    input_pace pace_;
    input_activity* activity_ = nullptr;
    int64_t owned_ = 0;  // debug: packets in this call's custody
    uint32_t token_ = 0; // debug: marks the packets of this call
    const char* name_ = nullptr; // for the crash report

    static constexpr size_t hot_end() noexcept
    {
        return offsetof(node_run, thread_) + sizeof(graph_thread*);
    }
};

} // namespace weft

#include "graph/thread/graph_thread.hh" // the inline bodies need the thread
