// SPDX-License-Identifier: Apache-2.0
// The loop of a thread that runs the graph: polls, dispatches by rank, hands over, sleeps when
// idle.
#include "graph/thread/graph_thread.hh"

#include "graph/engine.hh"
#include "graph/plan.hh"
#include "graph/thread/capture_buffer.hh"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <rte_cycles.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

namespace weft {

static_assert(plan::max_nodes == 64 * 64, "the pending bitmap has 64 words of 64 ranks");

graph_thread::graph_thread(weft::engine& engine, unsigned index, std::string name, unsigned core,
                           size_t thread_count, size_t max_packets)
    : input_limit_{engine.options().vector_size},
      engine_{engine},
      index_{index},
      name_{std::move(name)},
      core_{core},
      wake_fd_{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)},
      epoll_fd_{epoll_create1(EPOLL_CLOEXEC)}
{
    // Each node has one open frame. A frame waits in a queue only with at least 192 packets in it
    // (see node_run::input_space), and each packet stands in one frame only: so many frames can
    // never run out. Only those that are used become resident.
    const size_t count = plan::max_nodes + max_packets / 192 + 4;
    void* region = mmap(nullptr, count * sizeof(frame), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (region == MAP_FAILED)
        throw std::bad_alloc{};
    frames_ = unused_frames_ = static_cast<frame*>(region);
    frames_end_ = frames_ + count;
    none_.count = vector_size + 1;
    for (size_t from = 0; from < thread_count; ++from)
        inboxes_.push_back(std::make_unique<spsc_ring<handed_packet>>(inbox_size));
    epoll_event wake_event{.events = EPOLLIN, .data = {.fd = wake_fd_}};
    epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, wake_fd_, &wake_event);
}

graph_thread::~graph_thread()
{
    delete published_.load();
    munmap(frames_, static_cast<size_t>(frames_end_ - frames_) * sizeof(frame));
    delete tracing_.load();
    close(wake_fd_);
    close(epoll_fd_);
}

std::unique_ptr<trace_buffer> graph_thread::publish(std::unique_ptr<trace_buffer> next)
{
    return std::unique_ptr<trace_buffer>{
        tracing_.exchange(next.release(), std::memory_order_acq_rel)};
}

std::vector<size_t> graph_thread::handed_in() const
{
    std::vector<size_t> counts;
    for (const auto& inbox : inboxes_)
        counts.push_back(inbox->pushed());
    return counts;
}

bool graph_thread::has_taken(const std::vector<size_t>& handed) const noexcept
{
    for (size_t from = 0; from < handed.size(); ++from)
        if (static_cast<ptrdiff_t>(inboxes_[from]->popped() - handed[from]) < 0)
            return false;
    return true;
}

void graph_thread::wake() noexcept
{
    if (index_ == 0) {
        engine_.loop().wake();
        return;
    }
    woken_.store(true, std::memory_order_seq_cst);
    if (sleeping_.load(std::memory_order_seq_cst)) {
        const uint64_t one = 1;
        [[maybe_unused]] const auto written = write(wake_fd_, &one, sizeof one);
    }
}

void graph_thread::post_interrupt(node_id id) noexcept
{
    // in one order with run_interrupts(), which clears the flag before it reads the bits
    interrupts_[id >> 6].fetch_or(uint64_t{1} << (id & 63), std::memory_order_seq_cst);
    interrupted_.store(true, std::memory_order_seq_cst);
    wake();
}

frame* graph_thread::take_frame() noexcept
{
    frame* taken = free_frames_;
    if (taken != nullptr) [[likely]] {
        free_frames_ = taken->next;
        return taken;
    }
    if (unused_frames_ == frames_end_) {
        std::fputs("graph thread: more full frames than packets can fill\n", stderr);
        std::abort();
    }
    return new (unused_frames_++) frame;
}

void graph_thread::adopt_plan() noexcept
{
    plan* next = published_.load(std::memory_order_acquire);
    if (next == plan_) [[likely]]
        return;
    if (pending_words_ != 0) { // what was injected since the last loop
        clock_ = rte_rdtsc();
        run_pending();
    }
    take_up(*next);
}

void graph_thread::begin_loop() noexcept
{
    adopt_plan();
    clock_ = rte_rdtsc();
}

// Books the time since `begin` and the packets to a node; a node's end is the next one's beginning.
void graph_thread::account(node_run& node, uint32_t packets, uint64_t begin) noexcept
{
    clock_ = rte_rdtsc();
    const uint64_t spent = clock_ - begin;
    node_counters& counters = *node.counters_;
    counters.calls.add(1);
    counters.vectors.add(packets);
    counters.clocks.add(spent);
    if (spent > counters.max_clocks_calls.get()) {
        counters.max_clocks_calls.set(spent);
        counters.max_clocks_vectors.set(packets);
    }
}

uint32_t graph_thread::poll(node_run& node) noexcept
{
    running_.store(node.id_, std::memory_order_relaxed);
    const uint64_t begin = clock_;
    const uint32_t received = node.poll_(node);
    account(node, received, begin);
    running_.store(no_node, std::memory_order_relaxed);
    return received;
}

uint32_t graph_thread::poll_inputs() noexcept
{
    uint32_t received = 0;
    for (node_run* node : plan_->pre_inputs())
        if (node->countdown_-- == 0) {
            node->countdown_ = node->descriptor_->every - 1;
            received += poll(*node);
        }
    const bool look = clock_ >= next_look_;
    if (look)
        next_look_ = clock_ + lengths_.look;
    bool awake = false;
    for (node_run* node : plan_->inputs()) {
        if (node->polled_ || look) {
            const uint32_t count = poll(*node);
            received += count;
            if (node->state_ != node_state::polling)
                pace(*node, count);
            // a full vector does not grow by waiting, but falls out of the cache
            if (count >= input_limit_)
                run_pending();
        }
        awake |= node->polled_;
    }
    awake_ = awake;
    if (interrupted_.load(std::memory_order_relaxed)) [[unlikely]]
        received += run_interrupts();
    return received;
}

uint32_t graph_thread::run_interrupts() noexcept
{
    uint32_t received = 0;
    interrupted_.store(false, std::memory_order_seq_cst);
    if (maxima_epoch_.load(std::memory_order_seq_cst) != forgotten_epoch_)
        forget_maxima();
    for (size_t word = 0; word < words; ++word) {
        if (interrupts_[word].load(std::memory_order_seq_cst) == 0)
            continue;
        uint64_t bits = interrupts_[word].exchange(0, std::memory_order_acquire);
        for (; bits != 0; bits &= bits - 1) {
            const auto id = static_cast<node_id>(word * 64 + std::countr_zero(bits));
            node_run* node = plan_->run_of(id);
            if (node == nullptr || node->state_ == node_state::disabled)
                continue;
            if (const uint32_t count = poll(*node); count > 0) {
                received += count;
                last_posted_ = clock_;
            }
        }
    }
    return received;
}

// Begins traces and copies the vector, as far as was asked for, before the node changes anything.
void graph_thread::watch(const node_run& node, frame& work, trace_buffer& buffer) noexcept
{
    for (packet* p : work.all())
        if (!p->traced()) {
            if (!buffer.take_budget(node.id_) &&
                (node.original_ == no_node || !buffer.take_budget(node.original_)))
                break;
            buffer.begin(*p);
        }
    if (auto* capture = buffer.capture();
        capture != nullptr && (capture->wants(node.id_) || capture->wants(node.original_)))
        capture->record(node.id_, work.all(), rte_rdtsc());
}

void graph_thread::run_node(node_run& node) noexcept
{
    frame* work = node.full_head_;
    if (work != nullptr) {
        node.full_head_ = work->next;
        if (node.full_head_ == nullptr)
            node.full_tail_ = nullptr;
        pend(node.rank_); // the open frame, or more full ones, follow
    } else {
        if (node.open_->count == 0)
            return;
        work = node.open_;
        node.open_ = take_frame();
    }
    if (auto* buffer = tracing_.load(std::memory_order_acquire)) [[unlikely]]
        watch(node, *work, *buffer);
    const uint64_t begin = clock_;
    const uint32_t count = work->count;
    running_.store(node.id_, std::memory_order_relaxed);
    running_count_ = count;
    node.current_ = work;
    node.check_given(work->packets.data(), count);
    node.function_(node, *work);
    node.check_settled();
    running_.store(no_node, std::memory_order_relaxed);
    recycle(node.current_);
    account(node, count, begin);
}

graph_thread::call graph_thread::running_call() const noexcept
{
    const node_run* run = plan_ == nullptr ? nullptr : plan_->run_of(running());
    if (run == nullptr)
        return {};
    if (run->type_ != node_type::internal)
        return {run->name_, 0, nullptr};
    return {run->name_, running_count_, run->current_};
}

void graph_thread::run_pending() noexcept
{
    while (pending_words_ != 0) {
        const auto word = static_cast<unsigned>(std::countr_zero(pending_words_));
        const auto bit = static_cast<unsigned>(std::countr_zero(pending_[word]));
        pending_[word] &= pending_[word] - 1;
        if (pending_[word] == 0)
            pending_words_ &= pending_words_ - 1;
        run_node(plan_->runs()[word * 64 + bit]);
    }
}

void graph_thread::run_given() noexcept
{
    begin_loop();
    run_pending();
    end_loop();
}

void graph_thread::end_loop() noexcept
{
    if (bell_main_ || bell_threads_ != 0) [[unlikely]]
        ring_bells();
    loops_.add(1);
}

// Wakes those that this loop posted to, once for each however much it was. A system call is made
// only for a thread that sleeps.
void graph_thread::ring_bells() noexcept
{
    if (bell_main_)
        engine_.loop().wake();
    for (; bell_threads_ != 0; bell_threads_ &= bell_threads_ - 1)
        engine_.hand_off_bell(static_cast<unsigned>(std::countr_zero(bell_threads_)));
    bell_main_ = false;
}

bool graph_thread::inject_new(node_id to, packet* p) noexcept
{
#if WEFT_CHECK_VERDICTS
    p->note().custody = 0; // its buffer may have had an owner before
#endif
    if (!inject_kept(to, p))
        return false;
    entered_.add(1);
    return true;
}

bool graph_thread::inject_kept(node_id to, packet* p) noexcept
{
    node_run* node = plan_ == nullptr ? nullptr : plan_->run_of(to);
    if (node == nullptr)
        return false;
    node->receive(&p, 1);
    return true;
}

void graph_thread::drop_kept(reason_id why, packet* p) noexcept
{
    node_run* node = plan_ == nullptr ? nullptr : plan_->run_of(static_cast<node_id>(why >> 16));
    if (node == nullptr) {
        free_kept(p);
        return;
    }
    node->note_dropped(&p, 1, static_cast<uint16_t>(why));
    node->nexts_[node->next_count_]->receive(&p, 1);
}

void graph_thread::free_kept(packet* p) noexcept
{
    rte_pktmbuf_free(p->mbuf());
    left_.add(1);
}

bool graph_thread::hand_over(graph_thread& target, node_id to, packet* p, size_t leave) noexcept
{
    auto& inbox = *target.inboxes_[index_];
    if ((leave > 0 && inbox.size() + leave >= inbox.capacity()) || !inbox.push({p, to}))
        return false;
    bell_threads_ |= uint64_t{1} << target.index_;
    return true;
}

uint32_t graph_thread::hand_over_some(graph_thread& target, node_id to, packet* const* packets,
                                      uint32_t count, size_t leave) noexcept
{
    auto& inbox = *target.inboxes_[index_];
    const size_t room = inbox.room(count + leave);
    const auto some =
        static_cast<uint32_t>(room <= leave ? 0 : std::min<size_t>(count, room - leave));
    if (some == 0)
        return 0;
    inbox.push_some(some, [&](size_t i) noexcept { return handed_packet{packets[i], to}; });
    bell_threads_ |= uint64_t{1} << target.index_;
    return some;
}

// Those that go on at one node go there together.
void graph_thread::continue_handed(const handed_packet* handed, uint32_t count) noexcept
{
    std::array<packet*, vector_size> packets;
    for (uint32_t begin = 0, end = 0; begin < count; begin = end) {
        for (end = begin; end < count && handed[end].to == handed[begin].to; ++end)
            packets[end - begin] = handed[end].what;
        if (node_run* node = plan_->run_of(handed[begin].to))
            node->receive(packets.data(), end - begin);
        else
            for (uint32_t i = begin; i < end; ++i)
                free_kept(handed[i].what);
    }
}

uint32_t graph_thread::take_handed() noexcept
{
    uint32_t count = 0;
    std::array<handed_packet, vector_size> some;
    for (auto& inbox : inboxes_)
        // bounded by what lies in it now: a fast producer must not keep this node busy for ever
        for (size_t waiting = inbox->size(); waiting > 0;) {
            const size_t taken = inbox->pop_some(some.data(), std::min(waiting, some.size()));
            continue_handed(some.data(), static_cast<uint32_t>(taken));
            count += static_cast<uint32_t>(taken);
            waiting -= taken;
        }
    return count;
}

void graph_thread::free_handed() noexcept
{
    handed_packet handed{};
    for (auto& inbox : inboxes_)
        while (inbox->pop(handed))
            free_kept(handed.what);
}

bool graph_thread::post(process_id to, const event& what) noexcept
{
    if (!outbox_.push({to, what})) {
        events_lost_.add(1);
        return false;
    }
    bell_main_ = true;
    return true;
}

} // namespace weft
