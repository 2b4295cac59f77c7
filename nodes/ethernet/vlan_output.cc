// SPDX-License-Identifier: Apache-2.0
// vlan-output: counts what leaves by sub-interfaces, whose frames have their tags, and sends it to
// the ports that they lie on. It shares interface-output's next slots.
#include "nodes/ethernet/vlans.hh"
#include "nodes/interface/frame_trace.hh"
#include "nodes/interface/interface_output.hh"
#include "nodes/interface/link_header.hh"

namespace weft::ethernet {

namespace {

enum reasons : uint16_t { parent_down };

struct context {
    explicit context(const node_setup& setup)
        : interfaces{interfaces_of(setup.engine)}, thread{setup.thread}
    {}
    interface_table& interfaces;
    unsigned thread;
};

void vlan_output(node_run& run, frame& in) noexcept
{
    auto& ctx = run.context<context>();
    run.each(in, [&](packet& p) noexcept -> verdict {
        interface_index at = p.metadata().interface;
        for (size_t tags = 0; tags < link_header::max_tags; ++tags) {
            const auto parent = ctx.interfaces.hot(at).parent.load(std::memory_order_relaxed);
            if (parent == no_interface)
                break;
            auto& counters = ctx.interfaces.counters(ctx.thread, at);
            counters.tx_packets.add(1);
            counters.tx_bytes.add(p.length());
            at = parent;
        }
        const interface_hot& hot = ctx.interfaces.hot(at);
        p.metadata().interface = at;
        if (!hot.admin_up.load(std::memory_order_relaxed))
            return drop(parent_down);
        return hot.output_slot.load(std::memory_order_relaxed);
    });
}

} // namespace

const node_descriptor vlan_output_node{
    .name = "vlan-output",
    .function = vlan_output,
    .sibling_of = "interface-output",
    .reasons = {{parent_down, "parent_down", "the parent interface is administratively down"}},
    .context = context_of<context>(),
    .joined_later = true,
    .self_edge = true, // a slot of interface-output leads here
    .format_trace = frame_text,
};

} // namespace weft::ethernet
