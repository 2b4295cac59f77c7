// SPDX-License-Identifier: Apache-2.0
// The configuration tree, the problems found in it, and the schema that the modules' sections make.
#include "control/config/config.hh"

#include "base/nearest.hh"
#include "base/place.hh"
#include "base/quote.hh"
#include "graph/order.hh"

#include <algorithm>
#include <map>
#include <tuple>

namespace weft::config {
namespace {

std::vector<const registration*>& config_registrations()
{
    static std::vector<const registration*> all;
    return all;
}

// A place in the tree that some key describes: what may stand there and below.
struct place {
    const key* leaf = nullptr; // null: implied by the keys below
    const section* owner = nullptr;
    std::map<std::string, place, std::less<>> members;
    std::unique_ptr<place> any;  // `*`
    std::unique_ptr<place> item; // `[]`

    [[nodiscard]] bool is_mapping() const { return !members.empty() || any != nullptr; }
};

// "routes[].to" -> routes, [], to. Empty if the path is malformed.
std::vector<std::string> steps_of(std::string_view path)
{
    std::vector<std::string> steps;
    while (true) {
        const size_t dot = path.find('.');
        std::string_view word = path.substr(0, dot);
        const size_t brackets = word.find('[');
        const std::string_view name = word.substr(0, brackets);
        if (name.empty())
            return {};
        steps.emplace_back(name);
        word.remove_prefix(name.size());
        for (; !word.empty(); word.remove_prefix(2)) {
            if (!word.starts_with("[]"))
                return {};
            steps.emplace_back("[]");
        }
        if (dot == std::string_view::npos)
            return steps;
        path.remove_prefix(dot + 1);
    }
}

place& below(place& from, const std::string& step)
{
    if (step != "*" && step != "[]")
        return from.members[step];
    std::unique_ptr<place>& child = step == "*" ? from.any : from.item;
    if (!child)
        child = std::make_unique<place>();
    return *child;
}

// Where a section comes from, for messages.
std::string origin(const section& s)
{
    return s.where.line() == 0 ? fmt::format("section {}", s.name)
                               : fmt::format("section {} ({})", s.name, place_of(s.where));
}

result<void> plant(place& root, const section& owner, const key& k)
{
    const auto steps = steps_of(k.path);
    if (steps.empty())
        return fail(errc::invalid_argument,
                    "{}: {} is not a valid key path; expected the form a.b, a.*.b or a[].b",
                    origin(owner), quote(k.path));
    place* at = &root;
    for (const std::string& step : steps) {
        place& next = below(*at, step);
        if (at->item && at->is_mapping())
            return fail(errc::invalid_argument,
                        "{}: the key {} conflicts with another key: one makes it a list, the other "
                        "a mapping",
                        origin(owner), k.path);
        at = &next;
    }
    if (at->leaf != nullptr)
        return fail(errc::exists, "the key {} is claimed twice: by {} and by {}", k.path,
                    origin(*at->owner), origin(owner));
    at->leaf = &k;
    at->owner = &owner;
    return {};
}

result<place> tree_of(std::span<const section> sections)
{
    place root;
    for (const section& s : sections)
        for (const key& k : s.keys)
            if (auto planted = plant(root, s, k); !planted)
                return pass(planted);
    return root;
}

std::vector<std::string> names_of(const place& at)
{
    std::vector<std::string> names;
    for (const auto& [name, child] : at.members)
        names.push_back(name);
    return names;
}

// " (allowed: a, b)", or nothing where the list would bury the message.
std::string allowed_names(const place& at)
{
    constexpr size_t short_list = 24;
    if (at.members.empty() || at.members.size() > short_list)
        return "";
    return fmt::format(" (allowed: {})", fmt::join(names_of(at), ", "));
}

// Checks values against places. One pass over the tree, in the order of the file.
class walk {
public:
    walk(const schema& all, problems& found) : keys_{all.keys()}, found_{found} {}

    void check(const place& at, const value& v)
    {
        if (at.leaf != nullptr && at.leaf->holds.check && !leaf_is_right(*at.leaf, v))
            return;
        if (at.leaf != nullptr && v.what() == value::kind::scalar)
            return; // what the key's own type takes, though it may have keys below it too
        if (at.is_mapping())
            check_mapping(at, v);
        else if (at.item)
            check_list(at, v);
    }

private:
    bool leaf_is_right(const key& leaf, const value& v)
    {
        problems own;
        leaf.holds.check(v, own);
        for (problem& p : own.sorted())
            found_.add(p.at, std::move(p.key), std::move(p.message));
        return own.empty();
    }

    void check_mapping(const place& at, const value& v)
    {
        if (v.what() == value::kind::scalar)
            return found_.add(v, "expected a mapping of keys, found {}{}", quote(v.text()),
                              allowed_names(at));
        if (v.what() == value::kind::sequence)
            return found_.add(v, "expected a mapping of keys, found a list{}", allowed_names(at));
        for (const auto& entry : v.entries()) {
            const auto member = at.members.find(entry.key);
            if (member != at.members.end())
                check(member->second, entry.value);
            else if (!at.any)
                unknown(at, entry);
            else if (entry.key.empty())
                found_.add(entry.key_at, entry.value.path(), "the name is empty");
            else
                check(*at.any, entry.value);
        }
        for (const auto& [name, member] : at.members)
            if (v.find(name) == nullptr)
                missing(member, v, name);
        if (at.any && v.entries().empty())
            missing(*at.any, v, "*");
    }

    void check_list(const place& at, const value& v)
    {
        if (v.what() == value::kind::scalar)
            return found_.add(v, "expected a list, found {}", quote(v.text()));
        if (v.what() == value::kind::mapping)
            return found_.add(v, "expected a list, found a mapping; start each item with `- '");
        for (const value& each : v.items())
            check(*at.item, each);
        if (v.items().empty() && at.item->leaf != nullptr && at.item->leaf->required)
            found_.add(v, "the list is empty; expected at least one item ({})",
                       at.item->leaf->holds.allowed);
    }

    void missing(const place& member, const value& parent, std::string_view name)
    {
        if (member.leaf == nullptr || !member.leaf->required)
            return;
        const std::string& path = parent.path();
        found_.add(parent.at(), fmt::format("{}{}{}", path, path.empty() ? "" : ".", name),
                   fmt::format("missing; expected {}", member.leaf->holds.allowed));
    }

    void unknown(const place& at, const value::entry& entry)
    {
        std::string message = "unknown key";
        const std::string near = nearest(entry.key, names_of(at));
        if (!near.empty())
            message += fmt::format("; did you mean `{}'?", near);
        else if (const std::string_view other = elsewhere(entry.key); !other.empty())
            message += fmt::format("; did you mean `{}'?", other);
        found_.add(entry.key_at, entry.value.path(), message + allowed_names(at));
    }

    // A key of this name at another place: what a wrong indentation leaves behind.
    [[nodiscard]] std::string_view elsewhere(std::string_view name) const
    {
        for (const key* k : keys_) {
            const std::string_view path = k->path;
            if (path.substr(path.rfind('.') + 1) == name)
                return path;
        }
        return {};
    }

    std::vector<const key*> keys_;
    problems& found_;
};

} // namespace

void problems::add(position at, std::string key, std::string message)
{
    if (list_.size() <= limit)
        list_.push_back({at, std::move(key), std::move(message)});
}

bool problems::touch(std::string_view root_key) const noexcept
{
    return std::any_of(list_.begin(), list_.end(), [&](const problem& p) {
        const std::string_view path = p.key;
        return path.empty() || path.substr(0, path.find_first_of(".[")) == root_key;
    });
}

std::vector<problem> problems::sorted() const
{
    auto all = list_;
    std::stable_sort(all.begin(), all.end(), [](const problem& a, const problem& b) {
        return std::tie(a.at.line, a.at.column) < std::tie(b.at.line, b.at.column);
    });
    if (all.size() > limit)
        all.back() = {all.back().at, "",
                      fmt::format("only the first {} problems are listed", limit)};
    return all;
}

const value* value::find(std::string_view key) const noexcept
{
    for (const entry& e : entries_)
        if (e.key == key)
            return &e.value;
    return nullptr;
}

value value::scalar(std::string text, position at, std::string path)
{
    value v = null(at, std::move(path));
    v.kind_ = kind::scalar;
    v.text_ = std::move(text);
    return v;
}

value value::null(position at, std::string path)
{
    value v;
    v.at_ = at;
    v.path_ = std::move(path);
    return v;
}

value value::sequence(std::vector<value> items, position at, std::string path)
{
    value v = null(at, std::move(path));
    v.kind_ = kind::sequence;
    v.items_ = std::move(items);
    return v;
}

value value::mapping(std::vector<entry> entries, position at, std::string path)
{
    value v = null(at, std::move(path));
    v.kind_ = kind::mapping;
    v.entries_ = std::move(entries);
    return v;
}

registration::registration(section s, std::source_location where) : what{std::move(s)}
{
    what.where = where;
    config_registrations().push_back(this);
}

registration::~registration()
{
    std::erase(config_registrations(), this);
}

result<schema> schema::of(std::span<const section> sections)
{
    if (const auto tree = tree_of(sections); !tree)
        return pass(tree);
    std::vector<order_item> items;
    for (const section& s : sections)
        items.push_back({s.name, s.after, s.before, s.where});
    pass_over_absent(items);
    const auto order = order_of("configuration sections", items);
    if (!order)
        return pass(order);
    schema made;
    for (const order_step& step : *order)
        made.sections_.push_back(sections[step.item]);
    return made;
}

result<schema> schema::registered()
{
    std::vector<section> sections;
    for (const registration* r : config_registrations())
        sections.push_back(r->what);
    return of(sections);
}

void schema::check_keys(const value& root, problems& found) const
{
    const auto tree = tree_of(sections_); // cannot fail: of() made it before
    if (tree->is_mapping())
        walk{*this, found}.check(*tree, root);
}

void schema::check(const value& root, problems& found) const
{
    check_keys(root, found);
    // one fault in a part of the file must not hide those of another part
    const problems by_key = found;
    for (const section& s : sections_) {
        const auto right = [&](std::string_view path) {
            return !by_key.touch(path.substr(0, path.find_first_of(".[")));
        };
        if (s.check != nullptr && std::all_of(s.also_reads.begin(), s.also_reads.end(), right) &&
            std::all_of(s.keys.begin(), s.keys.end(), [&](const key& k) { return right(k.path); }))
            s.check(root, found);
    }
}

result<void> schema::apply(const value& root, engine& engine) const
{
    for (const section& s : sections_)
        if (s.apply != nullptr)
            if (auto applied = s.apply(root, engine); !applied)
                return applied;
    return {};
}

result<void> schema::apply_below(std::string_view root_key, const value& root, engine& engine) const
{
    const auto below = [&](const key& k) {
        return k.path.starts_with(root_key) && k.path.substr(root_key.size()).starts_with('.');
    };
    for (const section& s : sections_)
        if (s.apply != nullptr && std::any_of(s.keys.begin(), s.keys.end(), below))
            if (auto applied = s.apply(root, engine); !applied)
                return applied;
    return {};
}

std::vector<const key*> schema::keys() const
{
    std::vector<const key*> all;
    for (const section& s : sections_)
        for (const key& k : s.keys)
            all.push_back(&k);
    std::sort(all.begin(), all.end(), [](const key* a, const key* b) { return a->path < b->path; });
    return all;
}

} // namespace weft::config
