// SPDX-License-Identifier: Apache-2.0
// dpdk-input: brings packets from a port's receive queue into the graph. One clone for each queue,
// called dpdk-input-INTERFACE-QUEUE.
#include "drivers/dpdk/port.hh"
#include "graph/engine.hh"
#include "graph/node_run.hh"
#include "nodes/interface/interface.hh"

#include <cerrno>
#include <rte_ethdev.h>
#include <unistd.h>

namespace weft::drivers {

namespace {

struct context {
    explicit context(const node_setup& setup)
        : queue{*static_cast<rx_queue*>(setup.argument)},
          hot{interfaces_of(setup.engine).hot(queue.interface)},
          counters{&interfaces_of(setup.engine).counters(setup.thread, queue.interface)}
    {}
    const rx_queue& queue;
    const interface_hot& hot;
    interface_counters* counters;
    bool drains_fd = false; // the driver's interrupt is an eventfd that must be read
    bool armed = false;
    bool no_fd = false; // found out once: DPDK logs every question
};

enum reasons : uint16_t { too_long };

// Takes chains out: the interface's MTU has room in one buffer. Returns how many are left.
[[gnu::cold]] uint32_t drop_chains(node_run& run, packet** packets, uint32_t count) noexcept
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; ++i)
        if (packets[i]->mbuf()->nb_segs == 1) {
            packets[kept++] = packets[i];
        } else {
            rte_pktmbuf_free(packets[i]->mbuf());
            run.count(too_long);
        }
    return kept;
}

uint32_t dpdk_input(node_run& run) noexcept
{
    auto& ctx = run.context<context>();
    const uint16_t port = ctx.queue.port.load(std::memory_order_acquire);
    if (port == no_port) [[unlikely]] { // what comes back is another device
        ctx.drains_fd = ctx.armed = ctx.no_fd = false;
        return 0;
    }
    const next_index to = ctx.hot.input_slot.load(std::memory_order_relaxed);
    const auto space = run.input_space(to);
    uint32_t count =
        rte_eth_rx_burst(port, ctx.queue.queue, reinterpret_cast<rte_mbuf**>(space.data()),
                         static_cast<uint16_t>(space.size()));
    if (count != 0 && ctx.queue.drops_chains)
        count = drop_chains(run, space.data(), count);
    if (count == 0)
        return 0;
    ctx.counters->rx_packets.add(count);
    ctx.counters->rx_bytes.add(run.admit(space.data(), count, ctx.queue.interface, to));
    return count;
}

int wait_for_queue(node_run& run, bool arm) noexcept
{
    auto& ctx = run.context<context>();
    const uint16_t port = ctx.queue.port.load(std::memory_order_acquire);
    if (port == no_port)
        return nothing_comes;
    if (ctx.no_fd)
        return -1;
    const int fd = rte_eth_dev_rx_intr_ctl_q_get_fd(port, ctx.queue.queue);
    if (fd < 0) {
        ctx.no_fd = true;
        return -1;
    }
    ctx.armed = arm;
    if (!arm) {
        if (ctx.drains_fd) {
            rte_eth_dev_rx_intr_disable(port, ctx.queue.queue);
            uint64_t value = 0;
            [[maybe_unused]] const auto drained = read(fd, &value, sizeof value);
        }
        return fd;
    }
    const int code = rte_eth_dev_rx_intr_enable(port, ctx.queue.queue);
    ctx.drains_fd = code == 0;
    // A driver without the call whose queue is a file (tap) is always armed.
    return code == 0 || code == -ENOTSUP ? fd : -1;
}

// The queue comes to this thread, perhaps from another one: what was found out when it was here
// before is old.
void take_queue(node_run& run) noexcept
{
    auto& ctx = run.context<context>();
    ctx.drains_fd = ctx.armed = ctx.no_fd = false;
}

// The queue goes while this thread was about to sleep on it: who polls it next must not find its
// interrupt armed.
void leave_queue(node_run& run) noexcept
{
    if (run.context<context>().armed)
        wait_for_queue(run, false);
}

const node_registration registration{{
    .name = "dpdk-input",
    .type = node_type::input,
    .poll = dpdk_input,
    .wait = wait_for_queue,
    .sibling_of = "device-input",
    .reasons = {{too_long, "too_long",
                 "the frame is longer than a packet buffer, and the interface's MTU is not"}},
    .context = context_of<context>(),
    .start = take_queue,
    .stop = leave_queue,
    .is_template = true,
}};

} // namespace

} // namespace weft::drivers
