// SPDX-License-Identifier: Apache-2.0
// interface-output for many packets at once: those for one interface go together.
#include "graph/node_run_vector.hh"
#include "nodes/interface/interface_output.hh"

namespace weft {

namespace {

void interface_output(node_run& run, frame& in) noexcept
{
    const auto& interfaces = run.context<output::context>().interfaces;
    run.each_by(
        in, [](const packet& p) noexcept { return p.metadata().interface; },
        [&](interface_index of) noexcept { return output::decide(interfaces.hot(of)); });
}

const node_variant_registration registration{"interface-output", variant::WEFT_VARIANT,
                                             interface_output};

} // namespace

} // namespace weft
