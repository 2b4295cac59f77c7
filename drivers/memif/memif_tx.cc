// SPDX-License-Identifier: Apache-2.0
// memif-tx: copies packets into a ring of shared memory, or gives them to the thread that owns one.
// One clone for each interface, called memif-tx-INTERFACE.
#include "drivers/memif/copy.hh"
#include "drivers/memif/memif.hh"
#include "graph/engine.hh"
#include "graph/node_run.hh"
#include "nodes/interface/interface.hh"

#include <rte_mbuf.h>

namespace weft::drivers::memif {

namespace {

enum reasons : uint16_t { no_peer, tx_full, bad_descriptor, handoff_full };

struct context {
    explicit context(const node_setup& setup)
        : engine{setup.engine},
          device{*static_cast<const memif_device*>(setup.argument)},
          counters{interfaces_of(setup.engine).counters(setup.thread, device.index())},
          copy{best_copy()},
          bells{setup.engine.module<ringers>().of(setup.thread)},
          place{device.place_of(setup.thread)}
    {}
    weft::engine& engine;
    const memif_device& device;
    interface_counters& counters;
    const copy_function copy;
    ringer& bells;
    const unsigned place;
};

enum class outcome { sent, full, bad };

// A packet in several segments, or longer than one buffer: over as many descriptors as it takes,
// from place `used` on.
outcome send_in_parts(const rte_mbuf* m, const link& to, ring& r, uint32_t& used,
                      uint32_t available) noexcept
{
    uint32_t place = used, filled = 0;
    descriptor d{};
    std::byte* bytes = nullptr;
    for (; m != nullptr; m = m->next) {
        const auto* from = rte_pktmbuf_mtod(m, const std::byte*);
        for (uint32_t left = m->data_len; left > 0;) {
            if (bytes == nullptr) {
                if (place == available)
                    return outcome::full;
                d = r.buffer_at(place);
                bytes = to.bytes_of(d);
                filled = 0;
                if (bytes == nullptr || d.length == 0)
                    return outcome::bad;
            }
            const uint32_t part = std::min(left, d.length - filled);
            std::memcpy(bytes + filled, from, part);
            from += part;
            left -= part;
            filled += part;
            if (filled == d.length) {
                r.at(place).flags = descriptor_goes_on; // unless it was the last
                r.at(place).length = filled;
                ++place;
                bytes = nullptr;
            }
        }
    }
    if (bytes != nullptr) {
        r.at(place).length = filled;
        ++place;
    }
    r.at(place - 1).flags = 0;
    used = place;
    return outcome::sent;
}

// How many of the packets it has given to the peer, from the first on; `bad`: the next one met a
// descriptor that is not sound, which the peer has back.
uint32_t send_some(const context& ctx, const link& to, ring& r, packet* const* packets,
                   uint32_t count, bool& bad) noexcept
{
    const uint32_t available = r.available();
    copies all;
    uint32_t used = 0, sent = 0;
    for (; sent < count && used < available; ++sent) {
        const rte_mbuf& m = *packets[sent]->mbuf();
        descriptor& shared = r.at(used);
        const descriptor d = r.buffer_at(used);
        std::byte* const bytes = to.bytes_of(d);
        if (bytes == nullptr || m.pkt_len > d.length || m.nb_segs != 1) [[unlikely]] {
            const outcome what = send_in_parts(&m, to, r, used, available);
            if (what == outcome::sent)
                continue;
            if (what == outcome::bad) {
                bad = true;
                shared.length = 0;
                shared.flags = 0;
                ++used;
            }
            break;
        }
        shared.flags = 0;
        shared.length = m.data_len;
        all.add(bytes, rte_pktmbuf_mtod(&m, const std::byte*), m.data_len);
        ++used;
    }
    ctx.copy(all);
    if (used > 0)
        r.send(used, ctx.bells);
    return sent;
}

// Packets in one whole buffer that nobody else holds go back to their pool together, without a look
// at the second cache line of their mbufs.
void free_sent(rte_mbuf** mbufs, uint32_t count) noexcept
{
    rte_mempool* const pool = mbufs[0]->pool;
    uint64_t odd = 0;
    for (uint32_t i = 0; i < count; ++i) {
        const rte_mbuf& m = *mbufs[i];
        odd |= static_cast<uint64_t>(m.refcnt ^ 1) | static_cast<uint64_t>(m.nb_segs ^ 1) |
               (m.ol_flags & (RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL)) |
               static_cast<uint64_t>(m.pool != pool);
    }
    if (odd == 0) [[likely]]
        rte_mempool_put_bulk(pool, reinterpret_cast<void**>(mbufs), count);
    else
        rte_pktmbuf_free_bulk(mbufs, count);
}

void memif_tx(node_run& run, frame& in) noexcept
{
    auto& ctx = run.context<context>();
    link* const to = ctx.device.current();
    const auto rings = to == nullptr ? 0 : static_cast<unsigned>(to->transmit.size());
    if (rings == 0) {
        run.drop_rest(in.packets.data(), in.count, no_peer);
        return;
    }
    if (ctx.place >= rings) {
        hand_to_owner(run, in, ctx.engine.thread(ctx.device.thread_at(ctx.place % rings)),
                      handoff_full);
        return;
    }
    run.trace(in, consumed);
    uint64_t bytes = 0;
#pragma GCC unroll 4
    for (packet* p : in.all())
        bytes += p->length();
    ring& r = to->transmit[ctx.place];
    constexpr int tries =
        2; // a short ring is given a second one; longer waiting would hold up every other queue
    uint32_t sent = 0;
    bool bad = false;
    for (int i = 0; i < tries && sent < in.count && !bad; ++i)
        sent += send_some(ctx, *to, r, in.packets.data() + sent, in.count - sent, bad);
    for (uint32_t i = sent; i < in.count; ++i)
        bytes -= in.packets[i]->length();
    ctx.counters.tx_packets.add(sent);
    ctx.counters.tx_bytes.add(bytes);
    if (sent > 0) {
        free_sent(in.mbufs(), sent);
        run.left(sent);
    }
    if (sent == in.count)
        return;
    if (!bad)
        ctx.counters.tx_full.add(in.count - sent);
    run.drop_rest(in.packets.data() + sent, in.count - sent, bad ? bad_descriptor : tx_full);
}

const node_registration registration{{
    .name = "memif-tx",
    .function = memif_tx,
    .reasons = {{no_peer, "no_peer", "no peer is connected"},
                {tx_full, "tx_full", "the ring was full"},
                {bad_descriptor, "bad_descriptor",
                 "the peer's descriptor is empty or outside the shared memory"},
                {handoff_full, "handoff_full",
                 "the thread that owns the transmit ring cannot keep up"}},
    .context = context_of<context>(),
    .role = node_role::output,
    .is_template = true,
}};

} // namespace

} // namespace weft::drivers::memif
