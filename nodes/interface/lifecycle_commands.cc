// SPDX-License-Identifier: Apache-2.0
// interface create, interface delete.
#include "control/command/command_parameters.hh"
#include "control/config/config.hh"
#include "graph/engine.hh"
#include "nodes/interface/kind.hh"
#include "nodes/interface/lifecycle.hh"
#include "nodes/interface/port_nodes.hh"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace weft {

namespace {

using json = nlohmann::ordered_json;
using config::value;

// As a file would have it: a list where the key takes no single value.
value value_of(const config::schema& schema, std::string_view key, const std::string& text,
               const std::string& path)
{
    value single = value::scalar(text, {}, path);
    const auto keys = schema.keys();
    const auto known = std::find_if(keys.begin(), keys.end(), [&](const config::key* k) {
        return k->path == fmt::format("interfaces.*.{}", key);
    });
    if (known == keys.end() || !(*known)->holds.check)
        return single;
    std::vector<value> items;
    for (size_t at = 0; at <= text.size();) {
        const size_t end = std::min(text.find(',', at), text.size());
        items.push_back(value::scalar(text.substr(at, end - at), {},
                                      fmt::format("{}[{}]", path, items.size())));
        at = end + 1;
    }
    value list = value::sequence(std::move(items), {}, path);
    config::problems of_single, of_list;
    (*known)->holds.check(single, of_single);
    (*known)->holds.check(list, of_list);
    return !of_single.empty() && of_list.empty() ? list : single;
}

result<value> settings_of(const command_arguments& args, const config::schema& schema,
                          const std::string& path)
{
    const auto& words = args.all("settings");
    if (words.size() % 2 != 0)
        return fail(errc::invalid_argument, "`{}' is a key without a value; expected KEY VALUE ...",
                    words.back());
    std::vector<value::entry> entries;
    entries.push_back(
        {"kind", {}, value::scalar(std::string{args.text("kind")}, {}, path + ".kind")});
    for (size_t i = 0; i < words.size(); i += 2) {
        const std::string& key = words[i];
        if (std::any_of(entries.begin(), entries.end(), [&](auto& e) { return e.key == key; }))
            return fail(errc::invalid_argument, "`{}' is given twice", key);
        entries.push_back({key, {}, value_of(schema, key, words[i + 1], path + "." + key)});
    }
    return value::mapping(std::move(entries), {}, path);
}

result<void> check(const config::schema& schema, const std::string& name, const value& root)
{
    config::problems problems;
    const value& settings = root.entries().front().value.entries().front().value;
    if (const auto fault = fault_of_interface_name(name); !fault.empty())
        return fail(errc::invalid_argument, "{}", fault);
    schema.check_keys(root, problems);
    auto kinds = interface_kinds::registered();
    if (!kinds)
        return pass(kinds);
    if (problems.empty()) {
        auto kind = kinds->of(settings);
        if (!kind)
            return pass(kind);
        kinds->check_keys(**kind, settings, problems);
        if (problems.empty() && (*kind)->check != nullptr)
            (*kind)->check(name, settings, problems);
    }
    std::string text;
    for (const auto& p : problems.sorted())
        text += fmt::format("{}{}: {}", text.empty() ? "" : "\n", p.key, p.message);
    if (!text.empty())
        return fail(errc::invalid_argument, "{}", text);
    return {};
}

result<json> create(command_context& context)
{
    engine& engine = context.engine;
    const std::string name{context.arguments.text("name")};
    auto schema = config::schema::registered();
    if (!schema)
        return pass(schema);
    auto settings = settings_of(context.arguments, *schema, "interfaces." + name);
    if (!settings)
        return pass(settings);
    std::vector<value::entry> one{{name, {}, std::move(*settings)}};
    std::vector<value::entry> all{
        {"interfaces", {}, value::mapping(std::move(one), {}, "interfaces")}};
    const value root = value::mapping(std::move(all), {}, "");
    if (auto good = check(*schema, name, root); !good)
        return pass(good);
    auto& interfaces = interfaces_of(engine);
    if (interfaces.find(name) != nullptr)
        return fail(errc::exists, "an interface `{}' already exists", name);
    auto done = schema->apply_below("interfaces", root, engine);
    interface* const made = interfaces.find(name);
    auto& lifecycle = engine.module<interface_lifecycle>();
    if (done && made != nullptr)
        done = lifecycle.bring_up(*made, context.self);
    if (done && made != nullptr)
        done = drivers::check_rx_mode(engine, *made);
    if (done)
        return json("");
    if (made != nullptr)
        if (auto undone = lifecycle.remove(*made, context.self); !undone)
            return pass(undone);
    return pass(done);
}

const command_registration create_command{
    "interface create <kind:word> <name:word> [<settings:word>...]",
    "Creates an interface; settings are keys of `interfaces', such as mtu 9000", create};

result<json> remove(command_context& context)
{
    auto i = interface_of(context);
    if (!i)
        return pass(i);
    auto done = context.engine.module<interface_lifecycle>().remove(**i, context.self);
    if (!done)
        return pass(done);
    return json("");
}

const command_registration delete_command{
    "interface delete <interface:interface>",
    "Deletes an interface and its sub-interfaces without disturbing the others", remove};

} // namespace

} // namespace weft
