// SPDX-License-Identifier: Apache-2.0
// The grammar of CLI commands: what a registered syntax says, and how a line falls into words.
#pragma once

#include "base/result.hh"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace weft {
struct argument_type;
struct command_registration;
}

namespace weft::command_syntax {

struct item;
using sequence = std::vector<item>;

// One element of a syntax: a word, a parameter, or optional groups that stand side by side.
struct item {
    enum class kind { word, parameter, options };

    kind what = kind::word;
    std::string name;                       // the word, or the name of the parameter
    std::string type;                       // of a parameter that is not a choice; its name
    const argument_type* accepts = nullptr; // that type, once the table has looked it up
    std::vector<std::string> choices;       // of a parameter `<name:a|b>`
    bool repeats = false;
    std::vector<sequence> groups; // of options
};

// A command with its parsed syntax.
struct command {
    const command_registration* registration = nullptr;
    sequence items;
};

// Parses a syntax as control/command/command.hh describes it. An error says what is malformed, and
// where. Whether a type exists is not looked at.
[[nodiscard]] result<sequence> parse_syntax(std::string_view text);

// The syntax with the names of parameters taken out: two commands that cannot be told apart have
// the same.
[[nodiscard]] std::string shape_of(const sequence& items);

struct line_word {
    std::string text;
    size_t begin = 0; // where it begins in the line
};

// Refuses a line that is too long, is not UTF-8 or holds control characters (a tab is a blank). The
// message never repeats the offending bytes.
[[nodiscard]] result<void> check_line(std::string_view line);

// Splits a line at blanks. "..." makes one word of what is between the quotes, where \" and
// \\ stand for the characters themselves. An error tells of a quote that is not closed.
[[nodiscard]] result<std::vector<line_word>> split_line(std::string_view line);

} // namespace weft::command_syntax
