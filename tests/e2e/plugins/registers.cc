// SPDX-License-Identifier: Apache-2.0
// Plugins whose registrations do not go with the daemon's.
#include "graph/plugin.hh"

#if defined(variant_twice_a_node)
#include "graph/node.hh"

WEFT_PLUGIN("twice-a-node", "1.0", "Has a node that exists already, and an edge to nowhere");
const weft::node_registration again{{.name = "ip4-input"}};
const weft::node_registration nowhere{
    {.name = "nowhere", .nexts = {{0, "no-such-node"}}, .joined_later = true}};
#elif defined(variant_twice_a_command)
#include "control/command/command.hh"

WEFT_PLUGIN("twice-a-command", "1.0", "Has a command that exists already");
const weft::command_registration again{"show version", "Versions of something else", nullptr};
#elif defined(variant_stray_key)
#include "control/config/config.hh"

WEFT_PLUGIN("stray-key", "1.0", "Has a key of the configuration that is not its own");
const weft::config::registration stray{
    {.name = "stray", .keys = {{"elsewhere.colour", weft::config::text(), "A colour."}}}};
#endif
