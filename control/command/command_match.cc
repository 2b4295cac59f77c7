// SPDX-License-Identifier: Apache-2.0
// Matches the words of a line against the syntaxes of all commands at once.
#include "control/command/command_match.hh"

#include "base/nearest.hh"

#include <algorithm>
#include <map>
#include <set>

namespace weft::command_syntax {
namespace {

constexpr size_t short_list = 8; // that many names are all told in an error

// How well a word fits what is expected; the best fit of all commands wins.
enum class fit { none, rest, word, typed, prefix, listed, exact };

// A word or parameter that may stand next, and where that leads.
struct edge {
    const item* what;
    place next;
    bool names_group; // the first word of an optional group
};

void add_repetition(const sequence& items, size_t at, place here, std::vector<edge>& out)
{
    if (at == 0 || !items[at - 1].repeats)
        return;
    out.push_back({&items[at - 1], here, false});
    if (at < 2 || items[at - 2].what != item::kind::word)
        return;
    // `via A via B`: back to before the parameter.
    if (here.group == place::no_group)
        here.item = at - 1;
    else
        here.step = at - 1;
    out.push_back({&items[at - 2], here, false});
}

void add_groups(const item& options, const place& here, std::vector<edge>& out)
{
    for (size_t i = 0; i < options.groups.size(); ++i) {
        const uint64_t bit = uint64_t{1} << i;
        if ((here.used & bit) != 0)
            continue;
        const item& first = options.groups[i].front();
        out.push_back({&first, {here.item, i, 1, here.used | bit}, true});
    }
}

// All that may stand at `here`. Returns whether the command may end there.
bool edges_at(const sequence& items, const place& here, std::vector<edge>& out)
{
    size_t next = here.item;
    if (here.group != place::no_group) {
        const sequence& group = items[here.item].groups[here.group];
        if (here.step < group.size())
            out.push_back(
                {&group[here.step], {here.item, here.group, here.step + 1, here.used}, false});
        add_repetition(group, here.step, here, out);
        if (here.step < group.size())
            return false;
        add_groups(items[here.item], here, out);
        ++next;
    } else {
        add_repetition(items, here.item, here, out);
        if (next < items.size() && items[next].what == item::kind::options) {
            add_groups(items[next], here, out);
            ++next;
        }
    }
    // Groups that stand side by side are one item, so what follows them is not optional.
    if (next < items.size())
        out.push_back({&items[next], {next + 1, place::no_group, 0, 0}, false});
    return next >= items.size();
}

// An edge of one walk, spread out to the texts that may stand there.
struct offer {
    enum class kind { word, choice, listed, free };

    const walk* from;
    edge via;
    kind what;
    std::string text; // empty for kind::free
};

void spread(const walk& from, const edge& via, engine* engine, std::vector<offer>& out)
{
    const item& one = *via.what;
    if (one.what == item::kind::word) {
        out.push_back({&from, via, offer::kind::word, one.name});
    } else if (!one.choices.empty()) {
        for (const auto& choice : one.choices)
            out.push_back({&from, via, offer::kind::choice, choice});
    } else if (one.accepts->names != nullptr && engine != nullptr) {
        for (auto& name : one.accepts->names(*engine))
            out.push_back({&from, via, offer::kind::listed, std::move(name)});
        // Keeps the parameter among what was expected where the list is empty.
        out.push_back({&from, via, offer::kind::listed, {}});
    } else {
        out.push_back({&from, via, offer::kind::free, {}});
    }
}

std::vector<offer> offers_of(const std::vector<walk>& walks, engine* engine)
{
    std::vector<offer> offers;
    std::vector<edge> edges;
    for (const auto& one : walks) {
        edges.clear();
        edges_at(one.what->items, one.at, edges);
        for (const auto& via : edges)
            spread(one, via, engine, offers);
    }
    return offers;
}

result<void> check_word(const item& parameter, std::string_view word)
{
    return parameter.accepts->check == nullptr ? result<void>{} : parameter.accepts->check(word);
}

fit fit_of(const offer& one, std::string_view word)
{
    switch (one.what) {
    case offer::kind::word:
    case offer::kind::choice:
        if (one.text == word)
            return fit::exact;
        return !word.empty() && one.text.starts_with(word) ? fit::prefix : fit::none;
    case offer::kind::listed:
        return !one.text.empty() && one.text == word ? fit::listed : fit::none;
    case offer::kind::free:
        break;
    }
    const argument_type& type = *one.via.what->accepts;
    if (type.takes_rest)
        return fit::rest;
    if (type.check == nullptr && type.names == nullptr)
        return fit::word;
    return check_word(*one.via.what, word) ? fit::typed : fit::none;
}

// What an error or a help calls it: words as they are, parameters as <name>.
std::string label_of(const offer& one)
{
    if (one.what == offer::kind::word || one.what == offer::kind::choice)
        return one.text;
    return fmt::format("<{}>", one.via.what->name);
}

// "a, b or c"; empty if nothing may stand there.
std::string any_of(const std::set<std::string>& labels)
{
    std::string text;
    size_t left = labels.size();
    for (const auto& label : labels) {
        text += label;
        --left;
        text += left > 1 ? ", " : left == 1 ? " or " : "";
    }
    return text;
}

std::set<std::string> labels_of(const std::vector<offer>& offers)
{
    std::set<std::string> labels;
    for (const auto& one : offers)
        labels.insert(label_of(one));
    return labels;
}

std::string unknown_name(const item& parameter, std::string_view word, engine* engine)
{
    const auto names = parameter.accepts->names(*engine);
    std::string text = fmt::format("no {} `{}'", parameter.type, word);
    if (names.empty())
        return text + " (there is none)";
    if (names.size() <= short_list)
        return text + fmt::format(", expected {}", any_of({names.begin(), names.end()}));
    if (const auto near = nearest(word, names); !near.empty())
        return text + fmt::format("; the nearest is `{}'", near);
    return text + fmt::format(" among the {}", names.size());
}

// The error for a word that fits nothing.
tl::unexpected<error> unexpected_word(const std::vector<offer>& offers, const std::string& word,
                                      engine* engine)
{
    const auto labels = labels_of(offers);
    if (labels.empty())
        return fail(errc::invalid_argument, "unknown input `{}', expected the end of the command",
                    word);
    std::string detail;
    errc code = errc::invalid_argument;
    for (const auto& one : offers) {
        if (one.what == offer::kind::listed) {
            detail = unknown_name(*one.via.what, word, engine);
            code = errc::not_found;
        } else if (one.what == offer::kind::free && detail.empty()) {
            const auto checked = check_word(*one.via.what, word);
            detail = fmt::format("{}: {}", one.via.what->name, checked.error().message);
        }
    }
    if (labels.size() == 1 && !detail.empty())
        return fail(code, "{}", detail);
    if (!detail.empty())
        detail = fmt::format(" ({})", detail);
    return fail(code, "unknown input `{}', expected {}{}", word, any_of(labels), detail);
}

// A word that is short for several; empty if it is for one.
std::set<std::string> meanings_of(const std::vector<offer>& offers, const std::string& word)
{
    std::set<std::string> texts;
    for (const auto& one : offers)
        if (fit_of(one, word) == fit::prefix)
            texts.insert(one.text);
    return texts;
}

walk follow(const offer& one, std::string_view word, std::string_view rest)
{
    walk next{one.from->what, one.via.next, one.from->arguments};
    const item& what = *one.via.what;
    if (one.what == offer::kind::word) {
        if (one.via.names_group)
            next.arguments.mark(what.name);
        return next;
    }
    if (one.what == offer::kind::choice)
        word = one.text;
    const bool takes_rest = what.accepts != nullptr && what.accepts->takes_rest;
    next.arguments.add(what.name, std::string{takes_rest ? rest : word});
    return next;
}

// What a completion says of a word: the help of the one command it leads to, or what follows it.
std::string help_of_word(const std::vector<const offer*>& same, engine* engine)
{
    std::set<const command*> commands;
    std::vector<walk> walks;
    for (const auto* one : same) {
        commands.insert(one->from->what);
        walks.push_back(follow(*one, one->text, {}));
    }
    if (commands.size() == 1)
        return std::string{(*commands.begin())->registration->help};
    return fmt::format("{}", fmt::join(labels_of(offers_of(walks, engine)), ", "));
}

} // namespace

matcher::matcher(engine* engine, std::span<const std::shared_ptr<const command>> commands)
    : engine_{engine}
{
    for (const auto& one : commands)
        walks_.push_back({one.get(), {}, {}});
}

result<void> matcher::take(const std::string& word, std::string_view rest)
{
    const auto offers = offers_of(walks_, engine_);
    fit best = fit::none;
    for (const auto& one : offers)
        best = std::max(best, fit_of(one, word));
    if (best == fit::none)
        return unexpected_word(offers, word, engine_);
    if (best == fit::prefix) {
        const auto texts = meanings_of(offers, word);
        if (texts.size() > 1)
            return fail(errc::invalid_argument, "`{}' is ambiguous: it could be {}", word,
                        any_of(texts));
    }
    std::vector<walk> next;
    for (const auto& one : offers) {
        if (fit_of(one, word) != best)
            continue;
        auto there = follow(one, word, rest);
        const bool known = std::ranges::any_of(next, [&](const walk& other) {
            return other.what == there.what && other.at == there.at;
        });
        if (!known)
            next.push_back(std::move(there));
    }
    walks_ = std::move(next);
    took_rest_ = best == fit::rest;
    return {};
}

result<const walk*> matcher::complete() const
{
    std::vector<edge> edges;
    for (const auto& one : walks_)
        if (edges_at(one.what->items, one.at, edges))
            return &one;
    return fail(errc::invalid_argument, "incomplete command: expected {}",
                any_of(labels_of(offers_of(walks_, engine_))));
}

std::vector<completion> matcher::next(std::string_view prefix) const
{
    const auto offers = offers_of(walks_, engine_);
    std::map<std::string, std::vector<const offer*>> by_text;
    std::map<std::string, std::string> helps;
    for (const auto& one : offers) {
        if (one.what == offer::kind::free)
            helps[label_of(one)] = one.via.what->accepts->help;
        else if (one.what == offer::kind::word && one.text.starts_with(prefix))
            by_text[one.text].push_back(&one);
        else if (!one.text.empty() && one.text.starts_with(prefix))
            helps[one.text] =
                one.what == offer::kind::listed ? one.via.what->accepts->help : one.via.what->name;
    }
    for (const auto& [text, same] : by_text)
        helps[text] = help_of_word(same, engine_);
    std::vector<completion> list;
    if (const auto end = complete(); prefix.empty() && end)
        list.push_back({"<cr>", std::string{(*end)->what->registration->help}});
    for (auto& [word, help] : helps)
        list.push_back({word, std::move(help)});
    return list;
}

} // namespace weft::command_syntax
