// SPDX-License-Identifier: Apache-2.0
// What nodes, interfaces and streams may be called.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace weft {

// Whether a name has 1 to `longest` letters, digits, `-', `_' and `.' (ASCII). Any thread.
[[nodiscard]] constexpr bool good_name(std::string_view name, size_t longest) noexcept
{
    return !name.empty() && name.size() <= longest &&
           std::all_of(name.begin(), name.end(), [](char c) {
               const char lower = static_cast<char>(c | 0x20);
               return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
                      c == '_' || c == '.';
           });
}

} // namespace weft
