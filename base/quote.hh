// SPDX-License-Identifier: Apache-2.0
// Text from outside, made fit to stand in a message: quoted, clipped, without control characters.
#pragma once

#include <string>
#include <string_view>

namespace weft {

// `text' as messages print it: at most 60 bytes (never half a UTF-8 character), then "...".
[[nodiscard]] inline std::string quote(std::string_view text)
{
    constexpr size_t limit = 60;
    std::string shown = "`";
    size_t length = text.size();
    if (length > limit)
        for (length = limit; length > 0 && (text[length] & 0xc0) == 0x80;)
            --length;
    for (const char c : text.substr(0, length)) {
        const auto byte = static_cast<unsigned char>(c);
        shown += byte < 0x20 || byte == 0x7f ? '?' : c;
    }
    return shown + (length < text.size() ? "...'" : "'");
}

} // namespace weft
