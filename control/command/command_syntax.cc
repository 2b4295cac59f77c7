// SPDX-License-Identifier: Apache-2.0
// Parses the syntax of commands and splits lines into words.
#include "control/command/command_syntax.hh"

#include "control/command/command.hh"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <set>

namespace weft::command_syntax {
namespace {

bool is_blank(char c) noexcept
{
    return c == ' ' || c == '\t';
}

bool is_name(std::string_view text) noexcept
{
    return !text.empty() && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_';
    });
}

// Reads a syntax from left to right.
class reader {
public:
    explicit reader(std::string_view text) : text_{text} {}

    result<sequence> read()
    {
        sequence items;
        for (skip_blanks(); at_ < text_.size(); skip_blanks()) {
            auto done = text_[at_] == '[' ? read_group(items) : read_item(items);
            if (!done)
                return pass(done);
        }
        if (auto good = check(items); !good)
            return pass(good);
        return items;
    }

private:
    void skip_blanks()
    {
        while (at_ < text_.size() && text_[at_] == ' ')
            ++at_;
    }

    std::string_view take_until(std::string_view stops)
    {
        const size_t end = std::min(text_.find_first_of(stops, at_), text_.size());
        const auto taken = text_.substr(at_, end - at_);
        at_ = end;
        return taken;
    }

    result<void> read_group(sequence& items)
    {
        ++at_;
        sequence group;
        for (skip_blanks(); at_ < text_.size() && text_[at_] != ']'; skip_blanks()) {
            if (text_[at_] == '[')
                return fail(errc::invalid_argument, "a group within a group");
            if (auto done = read_item(group); !done)
                return done;
        }
        if (at_ == text_.size())
            return fail(errc::invalid_argument, "`[' without `]'");
        if (group.empty())
            return fail(errc::invalid_argument, "an empty group `[]'");
        ++at_;
        if (items.empty() || items.back().what != item::kind::options) {
            items.emplace_back();
            items.back().what = item::kind::options;
        }
        items.back().groups.push_back(std::move(group));
        return {};
    }

    result<void> read_item(sequence& items)
    {
        if (text_[at_] == '<')
            return read_parameter(items);
        const auto word = take_until(" []<");
        if (!is_name(word))
            return fail(errc::invalid_argument, "`{}' is not a word (letters, digits, - and _)",
                        word.empty() ? text_.substr(at_, 1) : word);
        items.emplace_back();
        items.back().name = word;
        return {};
    }

    result<void> read_parameter(sequence& items)
    {
        ++at_;
        const auto inside = take_until(">");
        if (at_ == text_.size())
            return fail(errc::invalid_argument, "`<{}' without `>'", inside);
        ++at_;
        const size_t colon = inside.find(':');
        if (colon == std::string_view::npos || !is_name(inside.substr(0, colon)))
            return fail(errc::invalid_argument, "`<{}>' is not of the form <name:type>", inside);
        item parameter;
        parameter.what = item::kind::parameter;
        parameter.name = inside.substr(0, colon);
        if (auto typed = read_type(inside.substr(colon + 1), parameter); !typed)
            return typed;
        if (text_.substr(at_).starts_with("...")) {
            parameter.repeats = true;
            at_ += 3;
        }
        items.push_back(std::move(parameter));
        return {};
    }

    static result<void> read_type(std::string_view type, item& parameter)
    {
        if (type.find('|') == std::string_view::npos) {
            if (!is_name(type))
                return fail(errc::invalid_argument, "`{}' is not a type", type);
            parameter.type = type;
            return {};
        }
        for (size_t begin = 0; begin <= type.size();) {
            const size_t end = std::min(type.find('|', begin), type.size());
            const auto choice = type.substr(begin, end - begin);
            if (!is_name(choice))
                return fail(errc::invalid_argument, "`{}' is not a list of choices", type);
            parameter.choices.emplace_back(choice);
            begin = end + 1;
        }
        return {};
    }

    result<void> check(const sequence& items)
    {
        if (items.empty() || items.front().what != item::kind::word)
            return fail(errc::invalid_argument, "it does not begin with a word");
        std::set<std::string> group_names;
        for (size_t i = 0; i < items.size(); ++i) {
            if (auto good = check_parameter(items[i]); !good)
                return good;
            for (const auto& group : items[i].groups) {
                if (!group_names.insert(group.front().name).second)
                    return fail(errc::invalid_argument, "two groups `[{}'", group.front().name);
                for (const auto& inner : group)
                    if (auto good = check_parameter(inner); !good)
                        return good;
            }
        }
        return {};
    }

    result<void> check_parameter(const item& one)
    {
        if (one.what != item::kind::parameter)
            return {};
        if (!parameter_names_.insert(one.name).second)
            return fail(errc::invalid_argument, "two parameters <{}>", one.name);
        return {};
    }

    std::string_view text_;
    size_t at_ = 0;
    std::set<std::string> parameter_names_;
};

struct code_point {
    uint32_t value = 0;
    size_t length = 0;
};

// The code point at the start of `text`; empty where it is not UTF-8 (RFC 3629, section 4).
std::optional<code_point> decode(std::string_view text) noexcept
{
    const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
    if (byte(0) < 0x80)
        return code_point{byte(0), 1};
    const size_t length = byte(0) >= 0xf0 ? 4 : byte(0) >= 0xe0 ? 3 : 2;
    if (byte(0) < 0xc2 || byte(0) > 0xf4 || text.size() < length)
        return {};
    uint32_t value = byte(0) & (0x7fu >> length);
    for (size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0) != 0x80)
            return {};
        value = value << 6 | (byte(i) & 0x3fu);
    }
    constexpr std::array<uint32_t, 5> lowest{0, 0, 0x80, 0x800, 0x10000};
    const bool surrogate = value >= 0xd800 && value <= 0xdfff;
    if (value < lowest[length] || value > 0x10ffff || surrogate)
        return {};
    return code_point{value, length};
}

} // namespace

result<sequence> parse_syntax(std::string_view text)
{
    return reader{text}.read();
}

std::string shape_of(const sequence& items)
{
    std::string shape;
    for (const auto& one : items) {
        if (one.what == item::kind::word)
            shape += one.name;
        else if (one.what == item::kind::parameter)
            shape += fmt::format("<{}{}>{}", one.type, fmt::join(one.choices, "|"),
                                 one.repeats ? "..." : "");
        for (const auto& group : one.groups)
            shape += fmt::format("[{}]", shape_of(group));
        shape += ' ';
    }
    return shape;
}

result<void> check_line(std::string_view line)
{
    if (line.size() > max_command_line)
        return fail(errc::invalid_argument, "the line is longer than {} bytes", max_command_line);
    for (size_t at = 0; at < line.size();) {
        const auto point = decode(line.substr(at));
        if (!point)
            return fail(errc::invalid_argument, "byte {} of the line (0x{:02x}) is not UTF-8",
                        at + 1, static_cast<uint8_t>(line[at]));
        const bool control = point->value < 0x20 || (point->value >= 0x7f && point->value < 0xa0);
        if (control && point->value != '\t')
            return fail(errc::invalid_argument,
                        "byte {} of the line is a control character (0x{:02x})", at + 1,
                        point->value);
        at += point->length;
    }
    return {};
}

result<std::vector<line_word>> split_line(std::string_view line)
{
    std::vector<line_word> words;
    bool in_word = false;
    bool quoted = false;
    for (size_t at = 0; at < line.size(); ++at) {
        const char c = line[at];
        if (!quoted && is_blank(c)) {
            in_word = false;
            continue;
        }
        if (!in_word)
            words.push_back({{}, at});
        in_word = true;
        if (c == '"') {
            quoted = !quoted;
            continue;
        }
        const bool escaped = quoted && c == '\\' && at + 1 < line.size() &&
                             (line[at + 1] == '"' || line[at + 1] == '\\');
        words.back().text += escaped ? line[++at] : c;
    }
    if (quoted)
        return fail(errc::invalid_argument, "a quote (\") is not closed");
    return words;
}

} // namespace weft::command_syntax
