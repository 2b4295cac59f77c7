// SPDX-License-Identifier: Apache-2.0
// Builds the configuration tree from yaml-cpp's events, within limits that no file can pass.
#include "daemon/yaml_file.hh"

#include "base/input_file.hh"
#include "base/quote.hh"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <sstream>
#include <unordered_map>

namespace weft {
namespace {

using config::position;
using config::value;

// Ends the reading of a file; caught in this file only.
struct refused {
    config::problem why;
};

position position_of(const YAML::Mark& mark)
{
    return mark.is_null() ? position{} : position{mark.line + 1, mark.column + 1};
}

// Takes the events of one document and builds its tree from the leaves up.
class builder final : public YAML::EventHandler {
public:
    builder(config::problems& found, size_t max_tree) : found_{found}, tree_limit_{max_tree} {}

    // The root; empty if there was no document.
    [[nodiscard]] std::optional<value> take() { return std::move(root_); }

    // " (in a.b, which starts on line 3)": what was being read when the parser gave up.
    [[nodiscard]] std::string place() const
    {
        if (open_.empty() || child_path().empty())
            return "";
        const collection& inner = open_.back();
        return fmt::format(" (in {}, which starts on line {})", child_path(),
                           inner.has_key ? inner.key_at.line : inner.at.line);
    }

    void OnDocumentStart(const YAML::Mark& mark) override
    {
        if (std::exchange(started_, true))
            throw refused{{position_of(mark), "",
                           "a second document, or a value outside the mapping; expected one "
                           "mapping in the file"}};
    }
    void OnDocumentEnd() override {}

    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override
    {
        const bool of_key = !open_.empty() && open_.back().has_key;
        complete(value::null(of_key ? open_.back().key_at : position_of(mark), child_path()),
                 anchor);
    }

    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& text) override
    {
        check_tag(mark, tag);
        complete(value::scalar(text, position_of(mark), child_path()), anchor);
    }

    void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override
    {
        const auto target = anchors_.find(anchor);
        if (target == anchors_.end())
            throw refused{{position_of(mark), child_path(),
                           "the alias is part of the value that it refers to"}};
        complete(copy(target->second, child_path(), open_.size(), position_of(mark)), 0);
    }

    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override
    {
        check_tag(mark, tag);
        open(mark, anchor);
    }
    void OnSequenceEnd() override
    {
        collection done = close();
        complete(value::sequence(std::move(done.items), done.at, std::move(done.path)),
                 done.anchor);
    }

    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override
    {
        check_tag(mark, tag);
        open(mark, anchor);
        open_.back().is_mapping = true;
    }
    void OnMapEnd() override
    {
        collection done = close();
        refuse_repeated_keys(done.entries);
        complete(value::mapping(std::move(done.entries), done.at, std::move(done.path)),
                 done.anchor);
    }

private:
    // A list or a mapping whose end has not come yet.
    struct collection {
        position at;
        std::string path;
        YAML::anchor_t anchor = 0;
        bool is_mapping = false;
        std::vector<value> items;
        std::vector<value::entry> entries;
        bool has_key = false; // of a mapping: the next value belongs to `key`
        bool key_is_bad = false;
        std::string key;
        position key_at;
    };

    [[nodiscard]] std::string child_path() const
    {
        if (open_.empty())
            return "";
        const collection& parent = open_.back();
        if (!parent.is_mapping)
            return fmt::format("{}[{}]", parent.path, parent.items.size());
        if (!parent.has_key || parent.key_is_bad)
            return parent.path;
        return join(parent.path, parent.key);
    }

    static std::string join(const std::string& path, const std::string& key)
    {
        return path.empty() ? key : fmt::format("{}.{}", path, key);
    }

    void open(const YAML::Mark& mark, YAML::anchor_t anchor)
    {
        if (open_.size() == max_yaml_depth)
            throw refused{{position_of(mark), child_path(), too_deep()}};
        collection made;
        made.at = position_of(mark);
        made.path = child_path();
        made.anchor = anchor;
        open_.push_back(std::move(made));
    }

    collection close()
    {
        collection done = std::move(open_.back());
        open_.pop_back();
        return done;
    }

    // A value has come to its end: gives it its place in the collection around it.
    void complete(value v, YAML::anchor_t anchor)
    {
        charge(v, v.at());
        if (anchor != 0)
            anchors_.insert_or_assign(anchor, copy(v, v.path(), open_.size(), v.at()));
        if (open_.empty())
            root_ = std::move(v);
        else if (!open_.back().is_mapping)
            open_.back().items.push_back(std::move(v));
        else if (!open_.back().has_key)
            take_key(v);
        else
            take_member(std::move(v));
    }

    void take_key(const value& v)
    {
        collection& parent = open_.back();
        parent.has_key = true;
        parent.key = v.text();
        parent.key_at = v.at();
        parent.key_is_bad = true;
        if (v.what() != value::kind::scalar)
            found_.add(v.at(), parent.path, "the key is not a scalar; expected `key: value'");
        else if (parent.key.size() > max_yaml_key)
            found_.add(v.at(), parent.path,
                       fmt::format("the key {} has {} bytes; at most {} are allowed",
                                   quote(parent.key), parent.key.size(), max_yaml_key));
        else
            parent.key_is_bad = false;
    }

    void take_member(value v)
    {
        collection& parent = open_.back();
        if (!parent.key_is_bad)
            parent.entries.push_back({std::move(parent.key), parent.key_at, std::move(v)});
        parent.has_key = false;
    }

    // Keeps the first of several entries with one key.
    void refuse_repeated_keys(std::vector<value::entry>& entries)
    {
        std::vector<size_t> order(entries.size());
        std::iota(order.begin(), order.end(), size_t{0});
        std::stable_sort(order.begin(), order.end(), [&entries](size_t a, size_t b) {
            return entries[a].key < entries[b].key;
        });
        std::vector<bool> repeated(entries.size());
        for (size_t i = 1, first = 0; i < order.size(); ++i) {
            const value::entry& again = entries[order[i]];
            const value::entry& before = entries[order[first]];
            if (again.key != before.key) {
                first = i;
                continue;
            }
            repeated[order[i]] = true;
            found_.add(again.key_at, again.value.path(),
                       fmt::format("given on line {} and again on line {}; expected once",
                                   before.key_at.line, again.key_at.line));
        }
        std::erase_if(entries,
                      [&, at = size_t{0}](const value::entry&) mutable { return repeated[at++]; });
    }

    // A copy of what an anchor names, for its new place in the tree. Positions stay those of the
    // anchor, since that is where a fault must be mended.
    value copy(const value& from, const std::string& path, size_t depth, position alias_at)
    {
        if (depth > max_yaml_depth)
            throw refused{{alias_at, path, too_deep()}};
        if (++aliased_ > max_yaml_aliases)
            throw refused{
                {alias_at, path,
                 fmt::format("anchors and aliases repeat more than {} values", max_yaml_aliases)}};
        charge(from, alias_at);
        std::vector<value> items;
        for (const value& item : from.items())
            items.push_back(
                copy(item, fmt::format("{}[{}]", path, items.size()), depth + 1, alias_at));
        std::vector<value::entry> entries;
        for (const auto& e : from.entries())
            entries.push_back(
                {e.key, e.key_at, copy(e.value, join(path, e.key), depth + 1, alias_at)});
        switch (from.what()) {
        case value::kind::null:
            return value::null(from.at(), path);
        case value::kind::scalar:
            return value::scalar(from.text(), from.at(), path);
        case value::kind::sequence:
            return value::sequence(std::move(items), from.at(), path);
        case value::kind::mapping:
            break;
        }
        return value::mapping(std::move(entries), from.at(), path);
    }

    // Counts the memory that the tree takes, about.
    void charge(const value& v, position at)
    {
        memory_ += sizeof(value::entry) + v.path().size() + v.text().size();
        if (memory_ > tree_limit_)
            throw refused{{at, v.path(),
                           fmt::format("the values up to here take more than {} MiB of memory",
                                       tree_limit_ >> 20)}};
    }

    void check_tag(const YAML::Mark& mark, const std::string& tag)
    {
        const bool known =
            tag.empty() || tag == "?" || tag == "!" || tag.starts_with("tag:yaml.org,2002:");
        if (!known)
            found_.add(position_of(mark), child_path(),
                       fmt::format("the tag {} is not supported", quote(tag)));
    }

    static std::string too_deep()
    {
        return fmt::format("more than {} nested lists and mappings", max_yaml_depth);
    }

    config::problems& found_;
    const size_t tree_limit_;
    std::vector<collection> open_;
    std::unordered_map<YAML::anchor_t, value> anchors_;
    std::optional<value> root_;
    size_t memory_ = 0;
    size_t aliased_ = 0;
    bool started_ = false;
};

// The length of the UTF-8 character that `text` starts with; 0 if it is not one (RFC 3629 section
// 4).
size_t utf8_length(std::string_view text)
{
    const auto byte = [text](size_t i) -> unsigned {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
    };
    const auto tail = [&byte](size_t from, size_t to) {
        for (; from < to; ++from)
            if ((byte(from) & 0xc0) != 0x80)
                return false;
        return true;
    };
    const unsigned first = byte(0), second = byte(1);
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first <= 0xdf)
        return tail(1, 2) ? 2 : 0;
    if (first >= 0xe0 && first <= 0xef) {
        const bool overlong = first == 0xe0 && second < 0xa0;
        const bool surrogate = first == 0xed && second > 0x9f;
        return tail(1, 3) && !overlong && !surrogate ? 3 : 0;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        const bool overlong = first == 0xf0 && second < 0x90;
        const bool beyond = first == 0xf4 && second > 0x8f;
        return tail(1, 4) && !overlong && !beyond ? 4 : 0;
    }
    return 0;
}

// Refuses what is not text before the parser sees it. Returns the position of the end.
position refuse_binary(std::string_view text)
{
    position at{1, 1};
    for (size_t i = 0, length = 0; i < text.size(); i += length) {
        const auto byte = static_cast<unsigned char>(text[i]);
        length = utf8_length(text.substr(i));
        if (length == 0)
            throw refused{{at, "", fmt::format("byte 0x{:02x} is not UTF-8; expected text", byte)}};
        const bool is_space = byte == '\n' || byte == '\r' || byte == '\t';
        if ((byte < 0x20 && !is_space) || byte == 0x7f)
            throw refused{
                {at, "", fmt::format("byte 0x{:02x} is a control character; expected text", byte)}};
        at.column += static_cast<int>(length);
        if (byte == '\n')
            at = {at.line + 1, 1};
    }
    return at;
}

// yaml-cpp may hold all that one pair of brackets encloses as tokens of 100 bytes and more, before
// an event shows it: what makes tokens is counted first.
void refuse_dense(std::string_view text)
{
    constexpr std::string_view signs = ",[]{}?&*!";
    size_t count = 0;
    for (size_t i = 0; i < text.size(); ++i) {
        const bool colon = text[i] == ':' && i + 1 < text.size() && text[i + 1] <= ' ';
        count += colon || signs.find(text[i]) != std::string_view::npos;
    }
    if (count > max_yaml_signs)
        throw refused{
            {{},
             "",
             fmt::format("{} brackets, commas and other YAML indicators; at most {} are allowed",
                         count, max_yaml_signs)}};
}

// yaml-cpp gives the end of the file as column 1 of its last line.
position place_of(const YAML::Exception& e, position end)
{
    const position at = position_of(e.mark);
    const bool at_end = at.line == end.line && at.column == 1;
    return at_end && std::string_view{e.msg}.starts_with("end of ") ? end : at;
}

value build(std::string text, config::problems& found, size_t max_tree)
{
    // yaml-cpp 0.7 takes a quoted text that is never closed for a whole one if a newline ends it.
    text.erase(text.find_last_not_of(" \t\r\n") + 1);
    const position end = refuse_binary(text);
    refuse_dense(text);
    builder events{found, max_tree};
    try {
        std::istringstream stream{std::move(text)};
        YAML::Parser parser{stream};
        while (parser.HandleNextDocument(events)) {
        }
    } catch (const YAML::Exception& e) {
        throw refused{
            {place_of(e, end), "", fmt::format("malformed YAML: {}{}", e.msg, events.place())}};
    }
    std::optional<value> root = events.take();
    if (!root || root->what() == value::kind::null)
        return value::mapping({}, {1, 1}, "");
    if (root->what() != value::kind::mapping)
        throw refused{
            {root->at(), "",
             fmt::format("{} is the whole file; expected a mapping of keys",
                         root->what() == value::kind::sequence ? "a list" : quote(root->text()))}};
    return std::move(*root);
}

} // namespace

result<value> parse_yaml(std::string text, const std::string& name, config::problems& found,
                         size_t max_tree)
{
    try {
        if (text.size() > max_yaml_file)
            throw refused{
                {{}, "", fmt::format("the file is larger than {} MiB", max_yaml_file >> 20)}};
        return build(std::move(text), found, max_tree);
    } catch (const refused& r) {
        found.add(r.why.at, r.why.key, r.why.message);
        return fail(errc::invalid_argument, "{}", format_problem(name, r.why));
    }
}

result<value> read_yaml(const std::string& path, config::problems& found)
{
    auto file = input_file::open(path, max_yaml_file);
    if (!file)
        return pass(file);
    auto text = file->read_all([] { return true; });
    if (!text)
        return pass(text);
    return parse_yaml(std::move(*text), path, found);
}

std::string format_problem(std::string_view file, const config::problem& p)
{
    std::string line{file};
    if (p.at.line > 0)
        line += fmt::format(":{}:{}", p.at.line, p.at.column);
    if (!p.key.empty())
        line += fmt::format(": {}", p.key);
    line += fmt::format(": {}", p.message);
    for (char& c : line)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
            c = '?';
    return line;
}

} // namespace weft
