// SPDX-License-Identifier: Apache-2.0
// interface-output for many packets at once: as a rule all of them leave by one interface.
#include "nodes/interface/interface_output.hh"

namespace weft {

namespace {

void interface_output(node_run& run, frame& in) noexcept
{
    const auto& interfaces = run.context<output::context>().interfaces;
    const interface_index first = in.packets[0]->mark().interface;
    uint32_t differ = 0;
    for (uint32_t i = 1; i < in.count; ++i)
        differ |= uint32_t{in.packets[i]->mark().interface} ^ first;
    const fate usual = output::decide(interfaces.hot(first));
    if (differ == 0 && (usual & drop_bit) == 0) {
        run.enqueue_all(in, usual);
        return;
    }
    run.each(in, [&](packet& p) noexcept {
        return output::decide(interfaces.hot(p.mark().interface));
    });
}

const node_form_registration registration{"interface-output", form::WEFT_FORM, interface_output};

} // namespace

} // namespace weft
