// SPDX-License-Identifier: Apache-2.0
// interface-output: sends each packet to the tx node of its interface. Its next slots are added
// with the interfaces.
#include "nodes/interface/interface_output.hh"

#include "nodes/interface/frame_trace.hh"

namespace weft {

namespace {

void interface_output(node_run& run, frame& in) noexcept
{
    const auto& interfaces = run.context<output::context>().interfaces;
    run.each(in, [&](packet& p) noexcept {
        return output::decide(interfaces.hot(p.metadata().interface));
    });
}

const node_registration registration{{
    .name = "interface-output",
    .function = interface_output,
    .reasons = {{output::interface_down, "interface_down",
                 "the interface is administratively down"}},
    .context = context_of<output::context>(),
    .format_trace = frame_text,
}};

} // namespace

} // namespace weft
