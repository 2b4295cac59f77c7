// SPDX-License-Identifier: Apache-2.0
// Writes YAML, and compares trees by what they would read as.
#include "control/config/yaml_text.hh"

#include <algorithm>
#include <fmt/format.h>
#include <unordered_map>

namespace weft::config {

namespace {

using kind = value::kind;

constexpr size_t columns = 80;
constexpr size_t level = 2; // blanks

bool is_plain(std::string_view text)
{
    constexpr std::string_view anywhere = "?\"'\\,[]{}#&*!|>%@`\t\n\r";
    if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL")
        return false;
    if (text.front() == ' ' || text.back() == ' ' || text.back() == ':')
        return false;
    if ((text.front() == '-' || text.front() == '?' || text.front() == ':' || text.front() == '=' ||
         text.front() == '<') &&
        (text.size() == 1 || text[1] == ' ' || text.front() != '-'))
        return false;
    if (text.starts_with("---") || text.starts_with("..."))
        return false;
    return text.find_first_of(anywhere) == text.npos && text.find(": ") == text.npos;
}

bool is_leaf(const value& v)
{
    return v.what() == kind::scalar || v.what() == kind::null;
}

// In one line, as within brackets.
std::string flow(const value& v)
{
    std::string out;
    switch (v.what()) {
    case kind::null:
        return "null";
    case kind::scalar:
        return yaml_scalar(v.text());
    case kind::sequence:
        for (const auto& item : v.items())
            out += (out.empty() ? "" : ", ") + flow(item);
        return '[' + out + ']';
    case kind::mapping:
        break;
    }
    for (const auto& e : v.entries())
        out += fmt::format("{}{}: {}", out.empty() ? "" : ", ", yaml_scalar(e.key), flow(e.value));
    return '{' + out + '}';
}

// Lines that begin with `sign`.
class writer {
public:
    explicit writer(std::string_view sign) : sign_{sign} {}

    void member(std::string_view key, const value& v, size_t depth)
    {
        const auto name = yaml_scalar(key);
        const bool all_leaves = std::all_of(v.items().begin(), v.items().end(), is_leaf);
        const bool is_empty = v.items().empty() && v.entries().empty();
        if (is_leaf(v) || is_empty || (v.what() == kind::sequence && all_leaves))
            if (auto text = fmt::format("{}: {}", name, flow(v));
                is_leaf(v) || is_empty || depth * level + text.size() <= columns)
                return line(depth, text);
        line(depth, name + ':');
        inside(v, depth + 1);
    }
    void item(const value& v, size_t depth)
    {
        const auto text = "- " + flow(v);
        const bool is_empty = v.items().empty() && v.entries().empty();
        if (is_leaf(v) || is_empty || depth * level + text.size() <= columns)
            return line(depth, text);
        // the first line of what is inside begins behind the dash
        writer block{""};
        block.inside(v, 0);
        std::string_view rest = block.out_;
        for (bool first = true; !rest.empty(); first = false) {
            const size_t end = rest.find('\n');
            line(depth, fmt::format("{}{}", first ? "- " : "  ", rest.substr(0, end)));
            rest.remove_prefix(end + 1);
        }
    }
    void inside(const value& v, size_t depth)
    {
        for (const auto& e : v.entries())
            member(e.key, e.value, depth);
        for (const auto& i : v.items())
            item(i, depth);
    }
    void line(size_t depth, std::string_view text)
    {
        fmt::format_to(std::back_inserter(out_), "{}{:{}}{}\n", sign_, "", depth * level, text);
    }
    [[nodiscard]] std::string take() { return std::move(out_); }

private:
    std::string_view sign_;
    std::string out_;
};

bool holds_mappings(const value& v)
{
    return v.what() == kind::sequence && !v.items().empty() &&
           std::all_of(v.items().begin(), v.items().end(),
                       [](const value& i) { return i.what() == kind::mapping; });
}

// Told of each key on the way, and of each place.
struct visitor {
    virtual ~visitor() = default;
    virtual void enter(const std::string& /*key*/) {}
    virtual void leave() {}
    virtual void member(const std::string& key, const value* before, const value* after) = 0;
    virtual void item(const value* before, const value* after) = 0;
};

bool same(const value& a, const value& b)
{
    return a.what() == b.what() && a.text() == b.text() &&
           std::equal(a.items().begin(), a.items().end(), b.items().begin(), b.items().end(),
                      same) &&
           a.entries().size() == b.entries().size() &&
           std::all_of(a.entries().begin(), a.entries().end(), [&](const auto& e) {
               const value* other = b.find(e.key);
               return other != nullptr && same(e.value, *other);
           });
}

void compare_entries(const value& before, const value& after, visitor& told);

// The items that are in one of two lists only, as often as they are there.
void compare_items(const std::string& key, const value& before, const value& after, visitor& told)
{
    std::unordered_map<std::string, long> count;
    for (const auto& i : before.items())
        ++count[flow(i)];
    for (const auto& i : after.items())
        --count[flow(i)];
    const bool same_items =
        std::all_of(count.begin(), count.end(), [](const auto& c) { return c.second == 0; });
    if (same_items)
        return told.member(key, &before, &after); // in another order
    told.enter(key);
    for (const auto& i : before.items())
        if (long& left = count[flow(i)]; left > 0) {
            --left;
            told.item(&i, nullptr);
        }
    for (const auto& i : after.items())
        if (long& left = count[flow(i)]; left < 0) {
            ++left;
            told.item(nullptr, &i);
        }
    told.leave();
}

void compare(const std::string& key, const value& before, const value& after, visitor& told)
{
    if (same(before, after))
        return;
    if (before.what() == kind::mapping && after.what() == kind::mapping) {
        told.enter(key);
        compare_entries(before, after, told);
        told.leave();
    } else if (holds_mappings(before) && holds_mappings(after)) {
        compare_items(key, before, after, told);
    } else {
        told.member(key, &before, &after);
    }
}

void compare_entries(const value& before, const value& after, visitor& told)
{
    for (const auto& e : before.entries()) {
        const value* other = after.find(e.key);
        if (other != nullptr)
            compare(e.key, e.value, *other, told);
        else
            told.member(e.key, &e.value, nullptr);
    }
    for (const auto& e : after.entries())
        if (before.find(e.key) == nullptr)
            told.member(e.key, nullptr, &e.value);
}

class collector final : public visitor {
public:
    void enter(const std::string& key) override { way_.push_back(path_to(key)); }
    void leave() override { way_.pop_back(); }
    void member(const std::string& key, const value* before, const value* after) override
    {
        found.push_back({path_to(key), before, after});
    }
    void item(const value* before, const value* after) override
    {
        found.push_back({way_.back(), before, after});
    }

    std::vector<difference> found;

private:
    [[nodiscard]] std::string path_to(const std::string& key) const
    {
        return way_.empty() ? key : fmt::format("{}.{}", way_.back(), key);
    }

    std::vector<std::string> way_;
};

// Writes the keys on the way once something below them has come.
class printer final : public visitor {
public:
    void enter(const std::string& key) override { way_.push_back(key); }
    void leave() override
    {
        way_.pop_back();
        written_ = std::min(written_, way_.size());
    }
    void member(const std::string& key, const value* before, const value* after) override
    {
        put(before, after, [&](writer& w, const value& v) { w.member(key, v, way_.size()); });
    }
    void item(const value* before, const value* after) override
    {
        put(before, after, [&](writer& w, const value& v) { w.item(v, way_.size()); });
    }

    std::string text;

private:
    template <class Write>
    void put(const value* before, const value* after, const Write& write)
    {
        for (; written_ < way_.size(); ++written_) {
            writer w{" "};
            w.line(written_, yaml_scalar(way_[written_]) + ':');
            text += w.take();
        }
        for (const auto& [sign, v] : {std::pair{"-", before}, std::pair{"+", after}})
            if (v != nullptr) {
                writer w{sign};
                write(w, *v);
                text += w.take();
            }
    }

    std::vector<std::string> way_;
    size_t written_ = 0;
};

} // namespace

std::string yaml_scalar(std::string_view text)
{
    if (is_plain(text))
        return std::string{text};
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\')
            out += '\\';
        if (c == '\n')
            out += "\\n";
        else if (c == '\t')
            out += "\\t";
        else if (c == '\r')
            out += "\\r";
        else
            out += c;
    }
    return out + '"';
}

std::string to_yaml(const value& v)
{
    if (is_leaf(v) || (v.items().empty() && v.entries().empty()))
        return flow(v) + '\n';
    writer w{""};
    w.inside(v, 0);
    return w.take();
}

std::vector<difference> differences(const value& before, const value& after)
{
    collector all;
    compare_entries(before, after, all);
    return std::move(all.found);
}

std::string difference_text(const value& before, const value& after)
{
    printer out;
    compare_entries(before, after, out);
    return std::move(out.text);
}

} // namespace weft::config
