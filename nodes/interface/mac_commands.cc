// SPDX-License-Identifier: Apache-2.0
// set interface mac, interface mac add, interface mac delete, set interface promiscuous: which
// frames come in.
#include "control/command/command_parameters.hh"
#include "graph/engine.hh"
#include "nodes/interface/interface.hh"

#include <nlohmann/json.hpp>

namespace weft {

namespace {

using json = nlohmann::ordered_json;

result<net::mac_address> station_of(const command_context& context)
{
    const auto mac = *net::parse<net::mac_address>(context.arguments.text("mac"));
    if (mac.is_group() || mac.is_zero())
        return fail(errc::invalid_argument, "{} is not a unicast MAC address", net::to_string(mac));
    return mac;
}

result<json> set_mac(command_context& context)
{
    auto i = interface_of(context);
    if (!i)
        return pass(i);
    const auto mac = station_of(context);
    if (!mac)
        return pass(mac);
    if ((*i)->parent != no_interface)
        return fail(errc::unsupported, "interface {} has the MAC address of interface {}",
                    (*i)->name, interfaces_of(context.engine).at((*i)->parent).name);
    if (auto done = (*i)->driver->set_mac(*mac); !done)
        return pass(done);
    interfaces_of(context.engine).set_mac(**i, *mac);
    interfaces_of(context.engine).notify(**i);
    return json("");
}

const command_registration set{"set interface mac <interface:interface> <mac:mac>",
                               "Sets the MAC address of an interface and its sub-interfaces",
                               set_mac};

result<json> change_mac(command_context& context, bool add)
{
    auto i = interface_of(context);
    if (!i)
        return pass(i);
    const auto mac = station_of(context);
    if (!mac)
        return pass(mac);
    auto& interfaces = interfaces_of(context.engine);
    auto done =
        add ? interfaces.add_secondary_mac(**i, *mac) : interfaces.remove_secondary_mac(**i, *mac);
    if (!done)
        return pass(done);
    return json("");
}

const command_registration add{"interface mac add <interface:interface> <mac:mac>",
                               "Gives an interface another MAC address, as VRRP needs",
                               [](command_context& context) { return change_mac(context, true); }};

const command_registration remove{
    "interface mac delete <interface:interface> <mac:mac>",
    "Takes another MAC address away from an interface",
    [](command_context& context) { return change_mac(context, false); }};

result<json> set_promiscuous(command_context& context)
{
    auto i = interface_of(context);
    if (!i)
        return pass(i);
    auto done =
        interfaces_of(context.engine).set_promiscuous(**i, context.arguments.text("state") == "on");
    if (!done)
        return pass(done);
    return json("");
}

const command_registration promiscuous{
    "set interface promiscuous <interface:interface> <state:on|off>",
    "Sets whether a device lets in frames to other stations", set_promiscuous};

} // namespace

} // namespace weft
