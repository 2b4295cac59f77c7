// SPDX-License-Identifier: Apache-2.0
// CLI commands: registered by their modules, matched by unique prefixes, answered as data that has
// a text and a JSON view.
#pragma once

#include "base/result.hh"

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft {

class engine;
class process;

namespace command_syntax {
struct command;
}

inline constexpr size_t max_command_line = 4096; // bytes, without the newline

// The parameters of one call, by the names that the syntax gives them.
class command_arguments {
public:
    // Whether an optional word (`[max]`) or parameter was given.
    [[nodiscard]] bool has(std::string_view name) const noexcept;
    // The text of a parameter; a choice gives the full word that was chosen. Empty if not given.
    [[nodiscard]] std::string_view text(std::string_view name) const noexcept;
    // All texts of a repeated parameter.
    [[nodiscard]] const std::vector<std::string>& all(std::string_view name) const noexcept;
    // A parameter of type number, which the parser has checked.
    [[nodiscard]] uint64_t number(std::string_view name) const noexcept;

    void add(std::string_view name, std::string text);
    // An optional word was given, which has no text of its own.
    void mark(std::string_view name);

private:
    std::map<std::string, std::vector<std::string>, std::less<>> values_;
};

struct command_context {
    weft::engine& engine;
    const command_arguments& arguments;
    process* self = nullptr; // the session's process, to wait with; null in unit tests
};

// The syntax is one line of tokens:
//   show runtime [max] [summary] [worker <worker:number>]
//   set interface state <interface:interface> <state:up|down>
//   ip route add <prefix:prefix> via <via:address>...
// Plain words, `<name:type>` parameters, `[...]` optional groups (in any order where several stand
// side by side; named by their first word), `...` after a parameter that repeats. A type is choices
// (a|b|c) or one that is registered (argument_type). A word may be shortened to any unique prefix.
//
// `run` is called on the main thread, in a process that may wait; it returns the command's data.
// `text` turns that data into what a person reads, without a trailing newline; null: the data is a
// string, printed as it is.
struct command_registration {
    using run_function = result<nlohmann::ordered_json> (*)(command_context&);
    using text_function = std::string (*)(const nlohmann::ordered_json&);

    command_registration(std::string_view syntax, std::string_view help, run_function run,
                         text_function text = nullptr,
                         std::source_location where = std::source_location::current());
    ~command_registration(); // takes it back, so that a test can register for a while
    command_registration(const command_registration&) = delete;
    command_registration& operator=(const command_registration&) = delete;

    std::string_view syntax;
    std::string_view help; // one line
    run_function run;
    text_function text;
    std::source_location where;
};

// What a parameter may be: the TYPE of `<name:TYPE>`. control/command/argument_types.cc has those
// of no folder in particular; docs/commands.md lists all.
struct argument_type {
    std::string_view name;
    std::string_view help; // what it accepts, in a few words: "an IPv4 address"
    // Whether a word is one; the error says what was found and what was expected. Null: any word.
    result<void> (*check)(std::string_view word) = nullptr;
    // Instead of `check`: the words of which it must be one, which are completed, such as the names
    // of interfaces. Main thread. Errors call one by the type's name: "no interface `eth9'".
    std::vector<std::string> (*names)(engine&) = nullptr;
    bool takes_rest = false; // the rest of the line, as it is; the last parameter only
};

// Registers a type before main(), or a plugin's when it is loaded. Two of one name are an error of
// command_table::registered().
struct argument_type_registration {
    explicit argument_type_registration(
        argument_type type, std::source_location where = std::source_location::current());
    ~argument_type_registration(); // takes it back
    argument_type_registration(const argument_type_registration&) = delete;
    argument_type_registration& operator=(const argument_type_registration&) = delete;

    argument_type what;
    std::source_location where;
};

// All of them, by name.
[[nodiscard]] std::vector<const argument_type*> argument_types();

struct completion {
    // What may stand next: a word, `<name>` for a free parameter, `<cr>` where the command is
    // complete.
    std::string word;
    std::string help;
};

// The table of all registered commands. Main thread.
class command_table {
public:
    // The registered commands; an error names a malformed syntax, two commands of one syntax or two
    // types of one name, with the places of both.
    [[nodiscard]] static result<command_table> registered();
    // The same of some commands only; they and the types outlive the table.
    [[nodiscard]] static result<command_table>
    of(std::span<const command_registration* const> registrations);

    // Parses and runs one line. An error says what was expected, what was found and, for a word
    // that is short for several, all of them. Control characters and invalid UTF-8 are an error, so
    // is a line over command_line_limit. `as_json` chooses the view of the answer.
    [[nodiscard]] result<std::string> run(engine& engine, std::string_view line, bool as_json,
                                          process* self = nullptr) const;

    // Parses one line without a router: what would make run() fail before it runs anything, but for
    // names that only a running router has (interfaces, nodes), which are not looked up.
    [[nodiscard]] result<void> check(std::string_view line) const;

    // What may stand next after `partial` (`show ru` -> runtime; `show ` -> all), sorted.
    [[nodiscard]] std::vector<completion> complete(engine& engine, std::string_view partial) const;

    // Every command's syntax and help, sorted, for `help` and the generated page docs/commands.md.
    [[nodiscard]] std::vector<const command_registration*> all() const;

private:
    std::vector<std::shared_ptr<const command_syntax::command>> commands_; // by syntax
};

} // namespace weft
