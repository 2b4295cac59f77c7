// SPDX-License-Identifier: Apache-2.0
// A thread that runs the graph: the main thread (index 0) and the workers.
#pragma once

#include "base/clock.hh"
#include "base/counter.hh"
#include "base/spsc_ring.hh"
#include "graph/frame.hh"
#include "graph/node.hh"
#include "graph/process/event.hh"
#include "graph/process/process.hh"
#include "graph/thread/input_pace.hh"
#include "graph/trace.hh"

#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace weft {

class engine;
class node_run;
class node_store;
struct node_entry;
class plan;

// An event on its way from a worker to a process.
struct posted_event {
    process_id to;
    event what;
};
// A packet on its way to a node of another thread.
struct handed_packet {
    packet* what;
    node_id to;
};

// The longest time that a change held a thread up, and which change that was.
struct change_pause {
    uint64_t clocks = 0; // TSC cycles
    std::string cause;   // as its publisher named it
};

class graph_thread {
public:
    static constexpr size_t outbox_size = 2048; // events to the main thread
    static constexpr size_t inbox_size = 2048;  // packets from each other thread

    // `packet_bound`: packets that can exist, which bounds the frames that can be full.
    graph_thread(weft::engine& engine, unsigned index, std::string name, unsigned core,
                 size_t thread_count, size_t max_packets);
    ~graph_thread();
    graph_thread(const graph_thread&) = delete;
    graph_thread& operator=(const graph_thread&) = delete;

    [[nodiscard]] unsigned index() const noexcept { return index_; }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] unsigned core() const noexcept { return core_; }
    [[nodiscard]] weft::engine& engine() const noexcept { return engine_; }

    // --- main thread ---

    // Makes the thread run this plan from its next loop on. The plan that it replaces is freed by
    // a reclaim_plans() after the thread has taken up the new one. `why`: the change's name, for
    // show workers.
    void publish(std::unique_ptr<plan> next, std::string why = "plan");
    size_t reclaim_plans(); // how many are still to be freed
    // The plan that was published last, and whether the thread runs it (or a later one).
    [[nodiscard]] uint64_t published_version() const noexcept { return versions_; }
    [[nodiscard]] bool has_adopted(uint64_t version) const noexcept
    {
        return adopted_version_.load(std::memory_order_acquire) >= version;
    }
    // Packets handed to this thread so far, and of those the ones it has taken, by producer.
    [[nodiscard]] std::vector<size_t> handed_in() const;
    [[nodiscard]] bool has_taken(const std::vector<size_t>& handed) const noexcept;
    // The plan that was published last, null before the first.
    [[nodiscard]] plan* published() const noexcept
    {
        return published_.load(std::memory_order_relaxed);
    }
    // Of all plans that the thread has taken up since it began.
    [[nodiscard]] change_pause longest_pause() const;
    // Makes the thread forget the costliest call of each node; until it has, readers see zero.
    void clear_maxima() noexcept;
    [[nodiscard]] uint64_t maxima_epoch() const noexcept
    {
        return maxima_epoch_.load(std::memory_order_relaxed);
    }
    // Publishes a trace (null ends tracing); returns the old one, to be freed after a grace period.
    [[nodiscard]] std::unique_ptr<trace_buffer> publish(std::unique_ptr<trace_buffer> next);
    [[nodiscard]] trace_buffer* trace() const noexcept { return tracing_.load(); }
    node_store& store_of(const node_entry& entry);
    [[nodiscard]] const node_store* store_of(node_id id) const noexcept;
    // Frees what is kept of a node that stands in no plan that this thread can still run.
    void forget(node_id id) noexcept;
    // Frees packets that were handed over and never taken; after this thread has stopped.
    void free_handed() noexcept;
    // Takes the next event that this thread posted to the main thread.
    bool take_posted(posted_event& event) noexcept { return outbox_.pop(event); }

    // --- any thread ---

    // Ends a sleep of this thread, or the one it is about to begin.
    void wake() noexcept;
    // Makes the input node `id`, in interrupt state, run once in the next loop; wakes the thread.
    void post_interrupt(node_id id) noexcept;
    [[nodiscard]] uint64_t entered() const noexcept { return entered_.get(); }
    [[nodiscard]] uint64_t left() const noexcept { return left_.get(); }
    [[nodiscard]] uint64_t loops() const noexcept { return loops_.get(); }
    [[nodiscard]] uint64_t sleeps() const noexcept { return sleeps_.get(); }
    [[nodiscard]] uint64_t plan_changes() const noexcept { return plan_changes_.get(); }
    [[nodiscard]] uint64_t events_lost() const noexcept { return events_lost_.get(); }
    // The node that runs just now, no_node between nodes; for the crash report.
    [[nodiscard]] node_id running() const noexcept
    {
        return running_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] uint32_t running_count() const noexcept { return running_count_; }
    // The same with what it works on, for a signal handler on this thread. No node: between nodes.
    struct call {
        const char* node = nullptr;
        uint32_t packets = 0;
        const frame* work = nullptr; // null for a node that brings packets in
    };
    [[nodiscard]] call running_call() const noexcept;

    // --- this thread ---

    // One loop: pre-input, input, pending interrupts, `between` (the main thread's processes and
    // timers), pending frames. Returns the packets that came in.
    template <class Between>
    uint32_t run_once(Between&& between) noexcept
    {
        begin_loop();
        const uint32_t received = poll_inputs();
        between();
        run_pending();
        end_loop();
        return received;
    }
    uint32_t run_once() noexcept
    {
        return run_once([] {});
    }
    // One loop without inputs, timers and processes: only what was put in front of nodes.
    void run_given() noexcept;
    // What nodes take for the time, in TSC cycles: of the last node's end, or the one that a replay
    // has set.
    [[nodiscard]] uint64_t time() const noexcept
    {
        return replayed_time_ != 0 ? replayed_time_ : clock_;
    }
    void set_replayed_time(uint64_t tsc) noexcept { replayed_time_ = tsc; }
    // Between two loops: takes up the plan that was published last, as the next loop would.
    void adopt_plan() noexcept;
    // The end: stops the nodes of the plan, which the thread has then no more.
    void leave_plan() noexcept;
    // Whether nothing is polled in the next loop, so that the thread may wait for interrupts.
    [[nodiscard]] bool may_sleep() const noexcept;
    // Before a sleep: makes the inputs' files end it (those of one epoll file, which is given).
    // Returns how long it may last. The inputs are to be polled once more then, by run_once(): a
    // packet may have come before.
    [[nodiscard]] duration arm_inputs() noexcept;
    [[nodiscard]] int epoll_file() const noexcept { return epoll_fd_; }
    void disarm_inputs() noexcept; // after the sleep
    // Sleeps until an input's file is ready or the thread is woken, for at most `limit`; 0 only
    // looks which files are. Files that would end every sleep are left out from then on. False if
    // nothing was ready.
    bool wait_for_inputs(duration limit) noexcept;
    // A worker's life: loops, sleeps when idle, returns after stop was asked for.
    void run(const std::atomic<bool>& stop) noexcept;

    // Puts a packet into the graph in front of a node: one made here (counted as entered), with its
    // metadata written, or one kept earlier. False if the node is not in this thread's plan.
    bool inject_new(node_id to, packet* p) noexcept;
    bool inject_kept(node_id to, packet* p) noexcept;
    // Drops a packet that was kept for a node, with a reason of that node's, which is counted.
    void drop_kept(reason_id why, packet* p) noexcept;
    // Frees packets that a process kept and gives up; for the end, when no graph runs.
    void free_kept(packet* p) noexcept;

    // Hands a packet to a node of another thread. False (nothing done) when its inbox is full but
    // for the room that is to be left to others.
    bool hand_over(graph_thread& target, node_id to, packet* p, size_t leave = 0) noexcept;
    // The same for several packets, in order: as many as there is room for, which it returns.
    uint32_t hand_over_some(graph_thread& target, node_id to, packet* const* packets,
                            uint32_t count, size_t leave) noexcept;
    // Takes packets that other threads handed over into this thread's graph; the function of the
    // input node `handoff-input`. Returns how many.
    uint32_t take_handed() noexcept;

    // Posts an event to a process of the main thread. False, counted, when too many are on their
    // way.
    bool post(process_id to, const event& what) noexcept;

    [[nodiscard]] bool tracing() const noexcept
    {
        return tracing_.load(std::memory_order_relaxed) != nullptr;
    }
    [[nodiscard]] plan* current_plan() noexcept { return plan_; }

    // --- this thread, for node_run ---

    void pend(uint16_t rank) noexcept
    {
        pending_[rank >> 6] |= uint64_t{1} << (rank & 63);
        pending_words_ |= uint64_t{1} << (rank >> 6);
    }
    [[nodiscard]] frame* take_frame() noexcept;
    void note_opened(uint16_t rank) noexcept { opened_[rank >> 6] |= uint64_t{1} << (rank & 63); }
    void note_entered(uint32_t count) noexcept { entered_.add(count); }
    void note_left(uint32_t count) noexcept { left_.add(count); }
    [[nodiscard]] trace_buffer* current_trace() const noexcept
    {
        return tracing_.load(std::memory_order_acquire);
    }
    [[nodiscard]] uint32_t input_limit() const noexcept { return input_limit_; }
    [[nodiscard]] uint32_t next_serial() noexcept
    {
        return ++serial_;
    } // debug builds: of a dispatch

private:
    friend class plan;

    static constexpr size_t words = 64; // of 64 bits: plan::max_nodes

    void begin_loop() noexcept;
    uint32_t poll_inputs() noexcept;
    uint32_t poll(node_run& node) noexcept;
    void pace(node_run& node, uint32_t count) noexcept;
    void continue_handed(const handed_packet* handed, uint32_t count) noexcept;
    void keep_files(plan& next) noexcept;
    void note_ready(int fd, bool failed) noexcept;
    void give_up_file(node_run& node, uint64_t until) noexcept;
    [[gnu::cold]] void note_unheard() noexcept;
    void run_pending() noexcept;
    void run_node(node_run& node) noexcept;
    [[gnu::cold]] void watch(const node_run& node, frame& work, trace_buffer& buffer) noexcept;
    void end_loop() noexcept;
    uint32_t run_interrupts() noexcept;
    void take_up(plan& next) noexcept;
    void stop_nodes(plan& old, plan* next) noexcept;
    void start_nodes(plan* old, plan& next) noexcept;
    [[nodiscard]] static bool is_in(plan* p, const node_run& of) noexcept;
    static void note_pause(change_pause& longest, const plan& p);
    void forget_maxima() noexcept;
    void ring_bells() noexcept;
    void sleep(const std::atomic<bool>& stop) noexcept;
    void account(node_run& node, uint32_t packets, uint64_t begin) noexcept;

    void recycle(frame* f) noexcept
    {
        f->count = 0;
        f->aux_count = 0;
        f->next = free_frames_;
        free_frames_ = f;
    }

    // hot, this thread only
    uint64_t pending_words_ = 0;
    frame* free_frames_ = nullptr;
    plan* plan_ = nullptr;
    uint64_t clock_ = 0;       // TSC at the end of the last node
    uint64_t next_look_ = 0;   // TSC at which inputs that wait are looked at, too
    uint64_t last_posted_ = 0; // TSC when a posted input last brought packets
    pace_lengths lengths_{};
    bool awake_ = true;          // an input is polled in the next loop
    const uint32_t input_limit_; // packets that an input takes at once (cpu.vector-size)
    uint32_t serial_ = 0;
    std::array<uint64_t, words> pending_{};
    std::array<uint64_t, words>
        opened_{}; // by rank: nodes that packets have come to since the plan was taken up
    frame none_{}; // what the other nodes have: never written

    // counters, written here
    alignas(64) counter entered_;
    counter left_;
    counter loops_;
    counter sleeps_;
    counter plan_changes_;
    counter events_lost_;
    std::atomic<node_id> running_{no_node};
    uint32_t running_count_ = 0;
    uint64_t replayed_time_ = 0; // not 0: time stands still here

    std::atomic<uint64_t> adopted_version_{0};
    frame* unused_frames_ = nullptr; // never touched yet, up to ...
    frame* frames_end_ = nullptr;

    // written by the main thread, read here
    alignas(64) std::atomic<plan*> published_{nullptr};
    std::atomic<trace_buffer*> tracing_{nullptr};
    std::atomic<uint64_t> maxima_epoch_{0};

    // written by any thread
    alignas(64) std::atomic<bool> interrupted_{false};
    std::atomic<bool> sleeping_{false};
    std::atomic<bool> woken_{false};
    std::array<std::atomic<uint64_t>, words> interrupts_{};

    alignas(64) spsc_ring<posted_event> outbox_{outbox_size};
    std::vector<std::unique_ptr<spsc_ring<handed_packet>>> inboxes_; // by producer's index
    bool bell_main_ = false;                                         // rung at the end of the loop
    uint64_t bell_threads_ = 0; // by index: threads that were handed something
    weft::engine& engine_;
    const unsigned index_;
    const std::string name_;
    const unsigned core_;
    int wake_fd_ = -1;
    int epoll_fd_ = -1;
    frame* frames_ = nullptr;      // address space for all frames that there can be
    uint64_t forgotten_epoch_ = 0; // this thread's: up to which maxima are forgotten
    // main thread only
    change_pause longest_pause_;                      // of the plans that were freed
    std::vector<std::unique_ptr<node_store>> stores_; // by node_id
    std::vector<std::unique_ptr<plan>> retired_;
    uint64_t versions_ = 0;
};

} // namespace weft
