// SPDX-License-Identifier: Apache-2.0
// What the parameters of commands name, and the errors where that does not exist.
#pragma once

#include "control/command/command.hh"
#include "graph/node.hh"

namespace weft {

struct node_entry;

// Main thread. errc::not_found: "no node `ip9'".
[[nodiscard]] result<node_entry*> find_node(engine& engine, std::string_view name);
[[nodiscard]] result<node_entry*> node_of(const command_context& context,
                                          std::string_view parameter);

// A number that was given, if it lies within these bounds (else errc::invalid_argument), or
// `otherwise`.
[[nodiscard]] result<uint64_t> number_within(const command_arguments& args, std::string_view name,
                                             uint64_t lowest, uint64_t highest, uint64_t otherwise);

} // namespace weft
