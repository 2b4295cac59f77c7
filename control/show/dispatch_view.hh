// SPDX-License-Identifier: Apache-2.0
// What a dispatch table holds, for the command of the node that it belongs to.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace weft {

// Main thread; the table is registered.
[[nodiscard]] nlohmann::ordered_json dispatch_json(std::string_view table);
// A row for each key.
[[nodiscard]] std::string dispatch_text(const nlohmann::ordered_json& data);

} // namespace weft
