// SPDX-License-Identifier: Apache-2.0
// memif-input: brings frames from a ring of shared memory into the graph. One clone for each
// receive queue.
#include "drivers/memif/copy.hh"
#include "drivers/memif/memif.hh"
#include "graph/engine.hh"
#include "graph/node_run.hh"
#include "graph/packet_append.hh"
#include "graph/packet_cut.hh"
#include "nodes/interface/interface.hh"

#include <rte_mbuf.h>

namespace weft::drivers::memif {

namespace {

enum reasons : uint16_t { no_buffers, bad_descriptor, too_long, broken_chain };

// The 16 bytes of an mbuf that a receiver writes first: where the data lies, references, segments,
// port, no flags.
struct fresh_words {
    uint16_t data_offset = RTE_PKTMBUF_HEADROOM;
    uint16_t references = 1;
    uint16_t segments = 1;
    uint16_t port = RTE_MBUF_PORT_INVALID;
    uint64_t flags = 0;
};
static_assert(sizeof(fresh_words) == 16);
static_assert(offsetof(rte_mbuf, rearm_data) % 16 == 0 &&
              offsetof(rte_mbuf, ol_flags) == offsetof(rte_mbuf, rearm_data) + 8);

struct context {
    explicit context(const node_setup& setup)
        : queue{*static_cast<const receive_queue*>(setup.argument)},
          device{*queue.device},
          hot{interfaces_of(setup.engine).hot(device.index())},
          counters{interfaces_of(setup.engine).counters(setup.thread, device.index())},
          pool{setup.engine.pools().front()},
          copy{best_copy()},
          room{static_cast<uint32_t>(rte_pktmbuf_data_room_size(pool) - RTE_PKTMBUF_HEADROOM)}
    {}
    const receive_queue& queue;
    const memif_device& device;
    const interface_hot& hot;
    interface_counters& counters;
    rte_mempool* const pool;
    const copy_function copy;
    const uint32_t room; // bytes of a frame
    bool armed = false;
};

[[gnu::always_inline]] inline std::byte* begin_packet(rte_mbuf& m, uint32_t length) noexcept
{
    constexpr fresh_words fresh;
    std::memcpy(&m.rearm_data, &fresh, sizeof fresh);
    m.packet_type = 0;
    m.pkt_len = length;
    m.data_len = static_cast<uint16_t>(length);
    m.vlan_tci = 0;
    return static_cast<std::byte*>(m.buf_addr) + RTE_PKTMBUF_HEADROOM;
}

// A descriptor that is not a whole sound frame in one buffer, among `there` of the ring: its parts
// are copied one behind the other, what is not sound is counted. Returns how many descriptors
// belong to it; `taken`: whether `m` has the frame.
uint32_t take_odd(node_run& run, const context& ctx, const link& from, const ring& r,
                  uint32_t place, uint32_t there, rte_mbuf& m, bool& taken) noexcept
{
    const uint32_t most = std::max<uint32_t>(ctx.room, ctx.hot.mtu.load(std::memory_order_relaxed) +
                                                           ethernet_overhead);
    packet& frame = *packet::from(&m);
    begin_packet(m, 0);
    bool sound = true, fits = true, has_room = true;
    for (uint32_t i = place; i < there; ++i) {
        const descriptor d = read_once(r.at(i));
        const std::byte* const bytes = from.bytes_of(d);
        sound &= bytes != nullptr && d.length > 0;
        fits &= d.length <= most - frame.length();
        has_room = has_room && (!sound || !fits || append(frame, bytes, d.length));
        if ((d.flags & descriptor_goes_on) != 0)
            continue;
        taken = sound && fits && has_room;
        if (!taken) {
            run.count(!sound ? bad_descriptor : fits ? no_buffers : too_long);
            cut(frame, 0);
        }
        return i + 1 - place;
    }
    run.count(broken_chain); // its last part is not there: a frame is published as a whole
    cut(frame, 0);
    taken = false;
    return there - place;
}

uint32_t memif_input(node_run& run) noexcept
{
    auto& ctx = run.context<context>();
    link* const from = ctx.device.current();
    if (from == nullptr || ctx.queue.number >= from->receive.size())
        return 0;
    ring& r = from->receive[ctx.queue.number];
    const uint32_t there = r.available();
    if (there == 0)
        return 0;
    const next_index to = ctx.hot.input_slot.load(std::memory_order_relaxed);
    const auto space = run.input_space(to);
    const uint32_t count = std::min(there, static_cast<uint32_t>(space.size()));
    auto** const mbufs = reinterpret_cast<rte_mbuf**>(space.data());
    if (rte_mempool_get_bulk(ctx.pool, reinterpret_cast<void**>(mbufs), count) != 0) {
        run.count(no_buffers);
        return 0;
    }
    copies all;
    uint32_t used = 0, made = 0;
    while (used < count) {
        const descriptor d = read_once(r.at(used));
        const std::byte* const bytes = from->bytes_of(d);
        if ((d.flags & descriptor_goes_on) != 0 || bytes == nullptr || d.length - 1 >= ctx.room)
            [[unlikely]] {
            bool taken = false;
            used += take_odd(run, ctx, *from, r, used, there, *mbufs[made], taken);
            made += taken;
            continue;
        }
        all.add(begin_packet(*mbufs[made], d.length), bytes, d.length);
        ++made;
        ++used;
    }
    ctx.copy(all);
    if (const uint32_t offered = r.buffer_bytes(); offered != 0)
        for (uint32_t i = 0; i < used; ++i) {
            r.at(i).flags = 0;
            r.at(i).length = offered;
        }
    r.publish(used);
    if (made < count) [[unlikely]]
        rte_mempool_put_bulk(ctx.pool, reinterpret_cast<void**>(mbufs) + made, count - made);
    if (made == 0)
        return 0;
    ctx.counters.rx_packets.add(made);
    ctx.counters.rx_bytes.add(run.admit(space.data(), made, ctx.device.index(), to));
    return made;
}

int wait_for_ring(node_run& run, bool arm) noexcept
{
    auto& ctx = run.context<context>();
    ctx.armed = arm;
    link* const from = ctx.device.current();
    if (from != nullptr && ctx.queue.number < from->receive.size())
        from->receive[ctx.queue.number].listen(arm);
    return ctx.queue.bells.get();
}

// The queue goes while this thread was about to sleep on it: who polls it next must not find it
// armed.
void leave_queue(node_run& run) noexcept
{
    if (run.context<context>().armed)
        wait_for_ring(run, false);
}

const node_registration registration{{
    .name = "memif-input",
    .type = node_type::input,
    .poll = memif_input,
    .wait = wait_for_ring,
    .sibling_of = "device-input",
    .reasons = {{no_buffers, "no_buffers", "no packet buffers were free for the frames in the ring",
                 severity::warning},
                {bad_descriptor, "bad_descriptor",
                 "the peer's descriptor is empty or outside the shared memory"},
                {too_long, "too_long",
                 "the frame is longer than the interface's MTU and a packet buffer"},
                {broken_chain, "broken_chain", "the last part of a multi-part frame was missing"}},
    .context = context_of<context>(),
    .stop = leave_queue,
    .is_template = true,
}};

} // namespace

} // namespace weft::drivers::memif
