// SPDX-License-Identifier: Apache-2.0
// dpdk-tx: gives packets to a port's transmit queue, or to the thread that owns one. One clone for
// each interface, called dpdk-tx-INTERFACE.
#include "drivers/dpdk/port.hh"
#include "graph/engine.hh"
#include "graph/node_run.hh"
#include "nodes/interface/interface.hh"

#include <rte_ethdev.h>

namespace weft::drivers {

namespace {

enum reasons : uint16_t { tx_full, handoff_full, device_gone };

// A short queue is given a second try; longer waiting would hold up every other queue of the
// worker.
constexpr int tries = 2;

struct context {
    explicit context(const node_setup& setup)
        : tx{*static_cast<const tx_queues*>(setup.argument)},
          counters{&interfaces_of(setup.engine).counters(setup.thread, tx.interface)},
          engine{setup.engine},
          thread{setup.thread}
    {}
    const tx_queues& tx;
    interface_counters* counters;
    weft::engine& engine;
    unsigned thread;
};

void dpdk_tx(node_run& run, frame& in) noexcept
{
    auto& ctx = run.context<context>();
    const uint16_t port = ctx.tx.port.load(std::memory_order_acquire);
    if (port == no_port) [[unlikely]] {
        run.drop_rest(in.packets.data(), in.count, device_gone);
        return;
    }
    const uint16_t queue = ctx.tx.queue_of_thread[ctx.thread];
    if (queue == tx_queues::none) {
        hand_to_owner(run, in, ctx.engine.thread(ctx.tx.owner_of_thread[ctx.thread]), handoff_full);
        return;
    }
    run.trace(in, consumed);
    uint64_t bytes = 0;
#pragma GCC unroll 4
    for (packet* p : in.all())
        bytes += p->length();
    uint32_t sent = 0;
    for (int i = 0; i < tries && sent < in.count; ++i)
        sent += rte_eth_tx_burst(port, queue, in.mbufs() + sent,
                                 static_cast<uint16_t>(in.count - sent));
    for (uint32_t i = sent; i < in.count; ++i)
        bytes -= in.packets[i]->length();
    ctx.counters->tx_packets.add(sent);
    ctx.counters->tx_bytes.add(bytes);
    run.left(sent);
    if (sent == in.count)
        return;
    ctx.counters->tx_full.add(in.count - sent);
    run.drop_rest(in.packets.data() + sent, in.count - sent, tx_full);
}

const node_registration registration{{
    .name = "dpdk-tx",
    .function = dpdk_tx,
    .reasons = {{tx_full, "tx_full", "the transmit queue was full"},
                {handoff_full, "handoff_full",
                 "the thread that owns the transmit queue cannot keep up"},
                {device_gone, "device_gone", "the interface's device is missing"}},
    .context = context_of<context>(),
    .role = node_role::output,
    .is_template = true,
}};

} // namespace

} // namespace weft::drivers
