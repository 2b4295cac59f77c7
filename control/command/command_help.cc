// SPDX-License-Identifier: Apache-2.0
// The commands that every session has: `help` lists the commands, `quit` ends the session.
#include "control/command/command.hh"
#include "control/command/command_syntax.hh"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace weft {
namespace {

// Whether `words`, each perhaps shortened, begin the syntax; a parameter agrees with any word.
bool begins(std::string_view syntax, const std::vector<command_syntax::line_word>& words)
{
    const auto expected = command_syntax::split_line(syntax);
    for (size_t i = 0; expected && i < words.size(); ++i) {
        if (i >= expected->size())
            return false;
        const auto& there = (*expected)[i].text;
        if (there.starts_with('[') || there.starts_with('<'))
            return true;
        if (!there.starts_with(words[i].text))
            return false;
    }
    return true;
}

result<nlohmann::ordered_json> list_commands(command_context& context)
{
    const auto table = command_table::registered();
    const auto wanted = context.arguments.text("command");
    const auto words = command_syntax::split_line(wanted);
    if (!table || !words)
        return table ? pass(words) : pass(table);
    auto list = nlohmann::ordered_json::array();
    for (const auto* one : table->all())
        if (begins(one->syntax, *words))
            list.push_back({{"syntax", one->syntax}, {"help", one->help}});
    if (list.empty())
        return fail(errc::not_found, "no command begins with `{}'", wanted);
    return list;
}

// A syntax as it is typed: parameters as <name>, choices as up|down.
std::string as_typed(std::string_view syntax)
{
    std::string out;
    for (size_t open; (open = syntax.find('<')) != std::string_view::npos;) {
        const size_t colon = syntax.find(':', open);
        const size_t close = syntax.find('>', open);
        const auto name = syntax.substr(open + 1, colon - open - 1);
        const auto type = syntax.substr(colon + 1, close - colon - 1);
        out += syntax.substr(0, open);
        out += type.find('|') == std::string_view::npos ? fmt::format("<{}>", name)
                                                        : std::string{type};
        syntax.remove_prefix(close + 1);
    }
    return out.append(syntax);
}

// Breaks a long syntax between words and groups.
std::string in_80_columns(std::string_view syntax)
{
    constexpr std::string_view indent = "        ";
    std::string out;
    size_t used = 0;
    while (!syntax.empty()) {
        const size_t end = syntax.find(' ', syntax.front() == '[' ? syntax.find(']') : 0);
        const auto word = syntax.substr(0, end);
        syntax.remove_prefix(std::min(word.size() + 1, syntax.size()));
        if (used > 0 && used + 1 + word.size() > 80) {
            out.append(1, '\n').append(indent);
            used = indent.size();
        } else if (used > 0) {
            out += ' ';
            ++used;
        }
        out += word;
        used += word.size();
    }
    return out;
}

std::string print_commands(const nlohmann::ordered_json& data)
{
    std::string text;
    for (const auto& one : data)
        text += fmt::format("{}{}\n    {}", text.empty() ? "" : "\n",
                            in_80_columns(as_typed(one["syntax"].get_ref<const std::string&>())),
                            one["help"].get_ref<const std::string&>());
    return text;
}

// The session itself sees the word and closes; here it stands for help and completion.
result<nlohmann::ordered_json> quit(command_context&)
{
    return nlohmann::ordered_json{};
}

const command_registration help_all{"help", "Lists all commands", list_commands, print_commands};
const command_registration help_some{"help <command:rest>",
                                     "Lists the commands that begin with these words",
                                     list_commands, print_commands};
const command_registration quit_session{"quit", "Ends the session", quit};

} // namespace
} // namespace weft
