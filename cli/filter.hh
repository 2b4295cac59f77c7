// SPDX-License-Identifier: Apache-2.0
// What `| include REGEX' and its like behind a command do to its answer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace weftctl {

// The words that may stand behind `|`, with a line of help each.
struct filter_word {
    std::string_view word;
    std::string_view help;
};
[[nodiscard]] const std::vector<filter_word>& filter_words() noexcept;

struct filter {
    enum class kind { include, exclude, begin, count };
    kind what = kind::include;
    std::string pattern; // POSIX extended
};

// A line as it was typed: the command, and the filters behind it in their order.
struct filtered_line {
    std::string_view command;
    std::vector<filter> filters;
    std::string problem; // a sentence, where it cannot be read
};

// `|` counts as a word of its own only, outside of quotes: `show a | inc b|c` has one filter.
[[nodiscard]] filtered_line read_filters(std::string_view line);

// Whether a filter has begun in an unfinished line.
[[nodiscard]] bool has_filter(std::string_view line);

// What the filters leave of an answer, line by line; `count` leaves a number.
[[nodiscard]] std::string filtered(const std::vector<filter>& filters, std::string text);

} // namespace weftctl
