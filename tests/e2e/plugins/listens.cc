// SPDX-License-Identifier: Apache-2.0
// Plugins that take an EtherType or an IP protocol; two of them the same one.
#include "graph/dispatch_table.hh"
#include "graph/node_run.hh"
#include "graph/plugin.hh"

namespace {

using namespace weft;

enum reasons : uint16_t { heard };

void hear(node_run& run, frame& in) noexcept
{
    run.each(in, [](packet&) noexcept { return drop(heard); });
}

node_descriptor listener(std::string_view name)
{
    return {
        .name = name, .function = hear, .reasons = {{heard, "heard", "a packet for the plugin"}}};
}

#if defined(variant_lldp_one)
WEFT_PLUGIN("lldp-one", "1.0", "Takes LLDP");
const node_registration node{listener("lldp-one-input")};
const dispatch_registration key{"ethertype", 0x88cc, "LLDP", "lldp-one-input"};
#elif defined(variant_lldp_two)
WEFT_PLUGIN("lldp-two", "1.0", "Takes LLDP too");
const node_registration node{listener("lldp-two-input")};
const dispatch_registration key{"ethertype", 0x88cc, "LLDP", "lldp-two-input"};
#elif defined(variant_ospf)
WEFT_PLUGIN("ospf", "1.0", "Takes OSPF, and frames of an EtherType for experiments");
const node_registration node{listener("ospf-input")};
const dispatch_registration key{"ip4-protocol", 89, "OSPF", "ospf-input"};
const dispatch_registration ethertype{"ethertype", 0x88b5, "experimental", "ospf-input"};
#endif

} // namespace
