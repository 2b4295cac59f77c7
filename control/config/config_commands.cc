// SPDX-License-Identifier: Apache-2.0
// show config startup: the configuration as it was read.
#include "base/nearest.hh"
#include "control/command/command.hh"
#include "control/config/yaml_text.hh"
#include "graph/engine.hh"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

namespace weft::config {

namespace {

using json = nlohmann::ordered_json;

// A module of the engine: the tree that it was started with, which outlives it.
struct startup_tree {
    explicit startup_tree(engine&) {}
    const value* root = nullptr;
};

result<void> keep(const value& root, engine& engine)
{
    engine.module<startup_tree>().root = &root;
    return {};
}

const registration section_of_tree{{
    .name = "startup-tree",
    .keys = {},
    .apply = keep,
}};

// A scalar as a reader of YAML takes it.
json scalar_json(const std::string& text)
{
    if (text == "true" || text == "false")
        return text == "true";
    int64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, code] = std::from_chars(text.data(), end, number);
    const bool is_short = text == "0" || (!text.empty() && text[text[0] == '-'] != '0');
    return code == std::errc{} && stop == end && is_short ? json(number) : json(text);
}

json to_json(const value& v)
{
    switch (v.what()) {
    case value::kind::null:
        return nullptr;
    case value::kind::scalar:
        return scalar_json(v.text());
    case value::kind::sequence: {
        json list = json::array();
        for (const auto& item : v.items())
            list.push_back(to_json(item));
        return list;
    }
    case value::kind::mapping:
        break;
    }
    json map = json::object();
    for (const auto& e : v.entries())
        map[e.key] = to_json(e.value);
    return map;
}

// The value at `interfaces.a.100.mtu' or `routes[2]'. Keys may have dots: the longest that fits is
// meant.
result<const value*> value_at(const value& root, std::string_view path)
{
    const value* at = &root;
    for (auto rest = path; !rest.empty();) {
        const value* next = nullptr;
        size_t taken = 0;
        for (const auto& e : at->entries())
            if (rest.starts_with(e.key) && e.key.size() > taken &&
                (rest.size() == e.key.size() || rest[e.key.size()] == '.' ||
                 rest[e.key.size()] == '[')) {
                next = &e.value;
                taken = e.key.size();
            }
        size_t index = 0;
        if (const auto [stop, code] =
                std::from_chars(rest.data() + 1, rest.data() + rest.size(), index);
            rest[0] == '[' && code == std::errc{} && stop != rest.data() + rest.size() &&
            *stop == ']' && index < at->items().size()) {
            next = &at->items()[index];
            taken = static_cast<size_t>(stop - rest.data()) + 1;
        }
        if (next == nullptr) {
            std::vector<std::string> keys;
            for (const auto& e : at->entries())
                keys.push_back(e.key);
            const auto near = nearest(rest.substr(0, rest.find_first_of(".[")), keys);
            return fail(errc::not_found, "the configuration has no `{}'{}", path,
                        near.empty() ? "" : fmt::format("; did you mean `{}'?", near));
        }
        at = next;
        rest.remove_prefix(taken);
        if (rest.starts_with('.'))
            rest.remove_prefix(1);
    }
    return at;
}

result<json> show_startup(command_context& context)
{
    const auto* root = context.engine.module<startup_tree>().root;
    if (root == nullptr)
        return fail(errc::not_found, "the router was started without a configuration");
    const auto at = value_at(*root, context.arguments.text("path"));
    if (!at)
        return pass(at);
    return json{{"yaml", to_yaml(**at)}, {"config", to_json(**at)}};
}

std::string startup_text(const json& data)
{
    auto text = data.at("yaml").get<std::string>();
    text.pop_back(); // the newline
    return text;
}

const command_registration startup{
    "show config startup [<path:word>]",
    "Shows the configuration that the router was started with, or a part of it", show_startup,
    startup_text};

} // namespace

} // namespace weft::config
