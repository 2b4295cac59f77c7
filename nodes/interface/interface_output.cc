// SPDX-License-Identifier: Apache-2.0
// interface-output: sends each packet to the tx node of its interface. Its next slots are added with
// the interfaces.
#include "graph/engine.hh"
#include "graph/node_run.hh"
#include "nodes/ethernet/trace.hh"

namespace weft {

namespace {

enum reasons : uint16_t { interface_down };

struct context {
    explicit context(const node_setup& setup) : interfaces{setup.host.interfaces()} {}
    const interface_table& interfaces;
};

void interface_output(node_run& run, frame& in) noexcept
{
    const auto& interfaces = run.context<context>().interfaces;
    run.each(in, [&](packet& p) noexcept -> fate {
        const interface_hot& hot = interfaces.hot(p.mark().interface);
        if (!hot.admin_up.load(std::memory_order_relaxed))
            return drop(interface_down);
        return hot.output_slot.load(std::memory_order_relaxed);
    });
}

const node_registration registration{{
    .name = "interface-output",
    .function = interface_output,
    .reasons = {{"interface_down", "the interface is administratively down"}},
    .context = context_of<context>(),
    .format_trace = ethernet::trace_text,
}};

} // namespace

} // namespace weft
