// SPDX-License-Identifier: Apache-2.0
// The pages of docs/ that are generated from what modules register.
#pragma once

#include "base/result.hh"
#include "control/command/command.hh"
#include "control/config/config.hh"

#include <string>
#include <string_view>

namespace weft {

// `configuration`: every key. `commands`: every command. errc::not_found for another name.
[[nodiscard]] result<std::string> page(std::string_view name, const config::schema& schema,
                                       const command_table& commands);

} // namespace weft
