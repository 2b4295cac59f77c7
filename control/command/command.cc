// SPDX-License-Identifier: Apache-2.0
// The table of registered commands: checks it, runs lines against it, completes them.
#include "control/command/command.hh"

#include "base/place.hh"
#include "control/command/command_match.hh"
#include "control/command/command_syntax.hh"

#include <algorithm>
#include <charconv>
#include <exception>
#include <new>
#include <nlohmann/json.hpp>

namespace weft {

using command_syntax::command;
using command_syntax::item;

namespace {

// Registration runs before main(), in any order, hence functions instead of globals.
std::vector<const command_registration*>& commands()
{
    static std::vector<const command_registration*> list;
    return list;
}

std::vector<const argument_type_registration*>& types()
{
    static std::vector<const argument_type_registration*> list;
    return list;
}

const argument_type* type_named(std::string_view name)
{
    const auto found =
        std::ranges::find(types(), name, [](const auto* one) { return one->what.name; });
    return found == types().end() ? nullptr : &(*found)->what;
}

// Looks up the types of all parameters. `is_last`: nothing follows these items.
result<void> resolve_types(command_syntax::sequence& items, bool is_last)
{
    for (auto& one : items) {
        if (one.what == item::kind::parameter && one.choices.empty()) {
            one.accepts = type_named(one.type);
            if (one.accepts == nullptr)
                return fail(errc::invalid_argument, "unknown type `{}' of <{}>", one.type,
                            one.name);
            const bool ends = is_last && &one == &items.back() && !one.repeats;
            if (one.accepts->takes_rest && !ends)
                return fail(errc::invalid_argument, "<{}:{}> is not the last", one.name, one.type);
        }
        for (auto& group : one.groups)
            if (auto good = resolve_types(group, false); !good)
                return good;
    }
    return {};
}

result<void> check_help(std::string_view help)
{
    if (help.empty() || help.find('\n') != std::string_view::npos)
        return fail(errc::invalid_argument, "its help is not one line");
    return {};
}

result<std::shared_ptr<const command>> compile(const command_registration& one)
{
    auto items = command_syntax::parse_syntax(one.syntax);
    const auto wrong = [&](const error& e) {
        return fail(e.code, "{}: command `{}': {}", place_of(one.where), one.syntax, e.message);
    };
    if (!items)
        return wrong(items.error());
    if (auto good = resolve_types(*items, true); !good)
        return wrong(good.error());
    if (auto good = check_help(one.help); !good)
        return wrong(good.error());
    return std::make_shared<const command>(command{&one, std::move(*items)});
}

result<void> check_types()
{
    std::map<std::string_view, const argument_type_registration*> named;
    for (const auto* one : types()) {
        const auto [other, is_new] = named.emplace(one->what.name, one);
        if (!is_new)
            return fail(errc::exists, "two types of parameters are called `{}': {} and {}",
                        one->what.name, place_of(other->second->where), place_of(one->where));
        if (auto good = check_help(one->what.help); !good)
            return fail(errc::invalid_argument, "{}: type `{}' of parameters: {}",
                        place_of(one->where), one->what.name, good.error().message);
    }
    return {};
}

std::string view_of(const command_registration& one, const nlohmann::ordered_json& data,
                    bool as_json)
{
    if (!as_json && one.text != nullptr)
        return one.text(data);
    if (!as_json && data.is_string())
        return data.get<std::string>();
    if (!as_json && data.is_null())
        return {};
    // A name from outside may be in any encoding; it must not make the whole answer fail.
    return data.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

// A handler's library may throw, memory may run out: that fails the command, not the daemon. What
// unwinds a stopped process is no std::exception and passes through.
result<std::string> call(const command_registration& one, command_context& context, bool as_json)
{
    try {
        auto data = one.run(context);
        if (!data)
            return pass(data);
        return view_of(one, *data, as_json);
    } catch (const std::bad_alloc&) {
        return fail(errc::exhausted, "not enough memory for this command");
    } catch (const std::exception& e) {
        return fail(errc::io, "the command failed with an internal error: {}", e.what());
    }
}

std::string_view without_end_blanks(std::string_view text)
{
    const size_t end = text.find_last_not_of(" \t");
    return end == std::string_view::npos ? std::string_view{} : text.substr(0, end + 1);
}

} // namespace

bool command_arguments::has(std::string_view name) const noexcept
{
    return values_.find(name) != values_.end();
}

std::string_view command_arguments::text(std::string_view name) const noexcept
{
    const auto& texts = all(name);
    return texts.empty() ? std::string_view{} : texts.front();
}

const std::vector<std::string>& command_arguments::all(std::string_view name) const noexcept
{
    static const std::vector<std::string> none;
    const auto found = values_.find(name);
    return found == values_.end() ? none : found->second;
}

uint64_t command_arguments::number(std::string_view name) const noexcept
{
    const auto digits = text(name);
    uint64_t value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return value;
}

void command_arguments::add(std::string_view name, std::string text)
{
    values_[std::string{name}].push_back(std::move(text));
}

void command_arguments::mark(std::string_view name)
{
    values_.try_emplace(std::string{name});
}

command_registration::command_registration(std::string_view its_syntax, std::string_view its_help,
                                           run_function its_run, text_function its_text,
                                           std::source_location its_place)
    : syntax{its_syntax}, help{its_help}, run{its_run}, text{its_text}, where{its_place}
{
    commands().push_back(this);
}

command_registration::~command_registration()
{
    std::erase(commands(), this);
}

argument_type_registration::argument_type_registration(argument_type type,
                                                       std::source_location its_place)
    : what{type}, where{its_place}
{
    types().push_back(this);
}

argument_type_registration::~argument_type_registration()
{
    std::erase(types(), this);
}

std::vector<const argument_type*> argument_types()
{
    std::vector<const argument_type*> list;
    for (const auto* one : types())
        list.push_back(&one->what);
    std::ranges::sort(list, {}, [](const auto* one) { return one->name; });
    return list;
}

result<command_table> command_table::registered()
{
    return of(commands());
}

result<command_table> command_table::of(std::span<const command_registration* const> registrations)
{
    if (auto good = check_types(); !good)
        return pass(good);
    command_table table;
    std::map<std::string, const command_registration*> shapes;
    for (const auto* one : registrations) {
        auto compiled = compile(*one);
        if (!compiled)
            return pass(compiled);
        const auto [other, is_new] =
            shapes.emplace(command_syntax::shape_of((*compiled)->items), one);
        if (!is_new)
            return fail(errc::exists, "two commands have the same syntax: `{}' ({}) and `{}' ({})",
                        other->second->syntax, place_of(other->second->where), one->syntax,
                        place_of(one->where));
        table.commands_.push_back(std::move(*compiled));
    }
    std::ranges::sort(table.commands_, {},
                      [](const auto& one) { return one->registration->syntax; });
    return table;
}

namespace {

// The command that a line is; an error says what was expected.
result<command_syntax::walk> parse(command_syntax::matcher matcher, std::string_view line)
{
    if (auto good = command_syntax::check_line(line); !good)
        return pass(good);
    const auto words = command_syntax::split_line(line);
    if (!words)
        return pass(words);
    for (const auto& word : *words) {
        if (auto taken = matcher.take(word.text, without_end_blanks(line.substr(word.begin)));
            !taken)
            return pass(taken);
        if (matcher.took_rest())
            break;
    }
    const auto found = matcher.complete();
    if (!found)
        return pass(found);
    return **found;
}

} // namespace

result<std::string> command_table::run(engine& engine, std::string_view line, bool as_json,
                                       process* self) const
{
    const auto found = parse({&engine, commands_}, line);
    if (!found)
        return pass(found);
    command_context context{engine, found->arguments, self};
    return call(*found->what->registration, context, as_json);
}

result<void> command_table::check(std::string_view line) const
{
    const auto found = parse({nullptr, commands_}, line);
    return found ? result<void>{} : pass(found);
}

std::vector<completion> command_table::complete(engine& engine, std::string_view partial) const
{
    if (!command_syntax::check_line(partial))
        return {};
    auto words = command_syntax::split_line(partial);
    if (!words)
        return {};
    std::string prefix;
    const bool in_word = !partial.empty() && partial.back() != ' ' && partial.back() != '\t';
    if (in_word) {
        prefix = words->back().text;
        words->pop_back();
    }
    command_syntax::matcher matcher{&engine, commands_};
    for (const auto& word : *words)
        if (!matcher.take(word.text, word.text) || matcher.took_rest())
            return {};
    return matcher.next(prefix);
}

std::vector<const command_registration*> command_table::all() const
{
    std::vector<const command_registration*> list;
    for (const auto& one : commands_)
        list.push_back(one->registration);
    return list;
}

} // namespace weft
