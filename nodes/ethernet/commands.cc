// SPDX-License-Identifier: Apache-2.0
// show ethertypes.
#include "control/command/command.hh"
#include "control/show/dispatch_view.hh"
#include "nodes/ethernet/ethernet_input.hh"

#include <nlohmann/json.hpp>

namespace weft::ethernet {

namespace {

result<nlohmann::ordered_json> show(command_context&)
{
    return dispatch_json(ethertype_table);
}

const command_registration show_ethertypes{
    "show ethertypes", "EtherTypes and the nodes that handle them", show, dispatch_text};

} // namespace

} // namespace weft::ethernet
