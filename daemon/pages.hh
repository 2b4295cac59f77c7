// SPDX-License-Identifier: Apache-2.0
// The pages of docs/ that are generated from what rooms register.
#pragma once

#include "graph/command.hh"
#include "graph/config.hh"
#include "graph/result.hh"

#include <string>
#include <string_view>

namespace weft {

// `configuration`: every key. `commands`: every command. errc::not_found for another name.
[[nodiscard]] result<std::string> page(std::string_view name, const config::schema& schema,
                                       const command_table& commands);

} // namespace weft
