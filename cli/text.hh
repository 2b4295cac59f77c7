// SPDX-License-Identifier: Apache-2.0
// Words, lines and characters of a text.
#pragma once

#include <string_view>

namespace weftctl {

inline constexpr std::string_view blanks = " \t\r\n";

// Without blanks at both ends.
[[nodiscard]] std::string_view trimmed(std::string_view text) noexcept;
// Takes the first word off, and the blanks around it.
std::string_view take_word(std::string_view& text) noexcept;
// Takes the first line off, with its newline, which is not in what is returned.
std::string_view take_line(std::string_view& text) noexcept;

// Whether a byte of UTF-8 is not the first of its character.
[[nodiscard]] constexpr bool is_inside_character(char c) noexcept
{
    return (c & 0xc0) == 0x80;
}

} // namespace weftctl
