// SPDX-License-Identifier: Apache-2.0
// Follows all commands at once along the words of a line: what fits, what may stand next.
#pragma once

#include "control/command/command.hh"
#include "control/command/command_syntax.hh"

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft::command_syntax {

// A place between two words of a syntax: before `item`, or, within a group of options, before its
// `step`. `used` has a bit for each group that was begun.
struct place {
    static constexpr size_t no_group = static_cast<size_t>(-1);

    size_t item = 0;
    size_t group = no_group;
    size_t step = 0;
    uint64_t used = 0;

    friend bool operator==(const place&, const place&) noexcept = default;
};

// One command whose syntax agrees with the words so far.
struct walk {
    const command* what = nullptr;
    place at;
    command_arguments arguments;
};

// All commands that agree with the words so far. Main thread; short-lived, since it holds a view of
// the line and of the table.
class matcher {
public:
    // Without an engine any word is taken for a name of what only a running router has (an
    // interface).
    matcher(engine* engine, std::span<const std::shared_ptr<const command>> commands);

    // Takes the next word; the error says what was expected in its place. `rest` is the line from
    // this word on.
    [[nodiscard]] result<void> take(const std::string& word, std::string_view rest);
    // True once a parameter of type rest has taken all that is left.
    [[nodiscard]] bool took_rest() const noexcept { return took_rest_; }

    // The command that the words make; an error says what is missing.
    [[nodiscard]] result<const walk*> complete() const;

    // What may stand next and begins with `prefix`, sorted; `<cr>` where the command may end.
    [[nodiscard]] std::vector<completion> next(std::string_view prefix) const;

private:
    engine* engine_;
    std::vector<walk> walks_;
    bool took_rest_ = false;
};

} // namespace weft::command_syntax
