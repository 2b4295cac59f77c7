// SPDX-License-Identifier: Apache-2.0
// What a plugin's file says of itself, read without running any of its code.
#pragma once

#include "base/result.hh"

#include <string>
#include <string_view>

namespace weft {

struct plugin_identity {
    std::string abi;
    std::string name;
    std::string version;
    std::string description;
};

// The ABI of this daemon, as WEFT_PLUGIN writes it into a plugin's file (made by the build from the
// headers).
[[nodiscard]] std::string_view plugin_abi() noexcept;

// Reads the note of WEFT_PLUGIN (graph/plugin.hh). Any thread; trusts nothing in the file. Errors
// say why it is no plugin; they do not repeat the path.
[[nodiscard]] result<plugin_identity> read_plugin_file(const std::string& path);

} // namespace weft
