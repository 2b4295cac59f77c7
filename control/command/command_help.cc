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

std::string print_commands(const nlohmann::ordered_json& data)
{
    size_t width = 0;
    for (const auto& one : data)
        width = std::max(width, one["syntax"].get_ref<const std::string&>().size());
    constexpr size_t gap = 2;
    std::string text;
    for (const auto& one : data)
        text += fmt::format("{}{:<{}}{}", text.empty() ? "" : "\n",
                            one["syntax"].get_ref<const std::string&>(), width + gap,
                            one["help"].get_ref<const std::string&>());
    return text;
}

// The session itself sees the word and closes; here it stands for help and completion.
result<nlohmann::ordered_json> quit(command_context&)
{
    return nlohmann::ordered_json{};
}

const command_registration help_all{"help", "List all commands", list_commands, print_commands};
const command_registration help_some{"help <command:rest>", "List the commands that begin so",
                                     list_commands, print_commands};
const command_registration quit_session{"quit", "End the session", quit};

} // namespace
} // namespace weft
