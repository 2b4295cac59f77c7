// SPDX-License-Identifier: Apache-2.0
// The section `plugins`, loading, show plugins.
#include "daemon/plugins.hh"

#include "base/quote.hh"
#include "base/text_table.hh"
#include "control/command/command.hh"
#include "daemon/plugin_file.hh"
#include "daemon/trial.hh"

#include <algorithm>
#include <dlfcn.h>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

namespace weft {

namespace {

using json = nlohmann::ordered_json;
using enum text_table::align;

constexpr duration max_trial = 10s;
constexpr size_t max_name = 64;

plugin_set& the_set()
{
    static plugin_set set;
    return set;
}

const config::value& part_of(const config::value& root)
{
    static const config::value nothing;
    const auto* part = root.find("plugins");
    return part == nullptr ? nothing : *part;
}

void check(const config::value& root, config::problems& problems)
{
    const auto* path = part_of(root).find("path");
    std::error_code error;
    if (path == nullptr)
        return;
    if (!path->text().starts_with('/'))
        problems.add(*path, "{} is not an absolute path", quote(path->text()));
    else if (!std::filesystem::is_directory(path->text(), error))
        problems.add(*path, "{} is not a directory{}{}", quote(path->text()), error ? ": " : "",
                     error ? error.message() : "");
}

const config::registration section{{
    .name = "plugins",
    .keys = {{"plugins", config::mapping(),
              "Shared objects that add nodes, processes, commands and keys of this file."},
             {"plugins.path", config::text("an absolute path"),
              "The plugin directory (default: lib/x86_64-linux-gnu/weft/plugins, next to the "
              "directory of weftd)."},
             {"plugins.default", config::one_of({"enabled", "disabled"}),
              "Whether plugins that are not listed here are loaded (default enabled)."},
             {"plugins.*", config::mapping(), "One plugin, by its file name without .so."},
             {"plugins.*.enabled", config::boolean(),
              "Whether the plugin is loaded (default: plugins.default)."}},
    .check = check,
}};

// Whether the part `plugins` is right, alone: which other keys there are depends on the plugins.
bool is_right(const config::value& root, config::problems& found)
{
    std::vector<config::value::entry> entries;
    for (const auto& entry : root.entries())
        if (entry.key == "plugins")
            entries.push_back(entry);
    const auto alone = config::schema::of({&section.what, 1});
    config::problems own;
    alone->check(config::value::mapping(std::move(entries), root.at(), ""), own);
    for (auto& problem : own.sorted())
        found.add(problem.at, problem.key, problem.message);
    return own.empty();
}

std::string default_path()
{
    std::error_code error;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
    return error ? "" : (self.parent_path().parent_path() / WEFT_PLUGIN_DIR).string();
}

bool is_plugin_name(std::string_view name)
{
    const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
    return !name.empty() && name.size() <= max_name && is_letter(name.front()) &&
           std::all_of(name.begin(), name.end(),
                       [&](char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '-'; });
}

bool is_root_key(std::string_view name)
{
    const auto schema = config::schema::registered();
    return schema && std::ranges::any_of(schema->keys(), [&](const config::key* key) {
               return std::string_view{key->path}.substr(0, key->path.find_first_of(".[")) == name;
           });
}

// What is wrong before the file is looked into; empty if nothing is.
std::string wrong_name(const std::string& name)
{
    if (!is_plugin_name(name))
        return fmt::format("a plugin name has lower-case letters, digits and hyphens, begins with "
                           "a letter, and has at most {} characters",
                           max_name);
    if (name == "path" || name == "default" || is_root_key(name))
        return fmt::format("`{}' is a key of weft's own configuration", name);
    return {};
}

// Names of the directory's files NAME.so, and of the configuration; false for those that have no
// file.
std::map<std::string, bool> names_of(const std::string& path, const config::value& part)
{
    std::map<std::string, bool> names;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator{path, error})
        if (entry.path().extension() == ".so")
            names.emplace(entry.path().stem(), true);
    for (const auto& entry : part.entries())
        if (entry.key != "path" && entry.key != "default")
            names.emplace(entry.key, false);
    return names;
}

result<void> open_shared(const std::string& file)
{
    // it stays until the daemon ends: what it registered may be in use anywhere
    if (dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL) == nullptr)
        return fail(errc::invalid_argument, "it cannot be loaded: {}", dlerror());
    return {};
}

result<void> load(plugin& p)
{
    const auto identity = read_plugin_file(p.file);
    if (!identity)
        return pass(identity);
    p.version = identity->version;
    p.description = identity->description;
    if (identity->abi != plugin_abi())
        return fail(errc::unsupported, "it was built for a different weft: `{}', this one is `{}'",
                    identity->abi, plugin_abi());
    if (identity->name != p.name)
        return fail(errc::invalid_argument, "its name is {}, expected {} as in the file name",
                    quote(identity->name), quote(p.name));
    // what a constructor throws cannot be caught around dlopen(), and what it registered could not
    // be taken back
    auto tried =
        trial([&] { return check_registrations(p.name, [&] { return open_shared(p.file); }); },
              max_trial);
    return tried ? open_shared(p.file) : tried;
}

// The keys of a plugin that is not there are no mistakes. Its section's name is none that another
// could have.
void accept_keys_of(const plugin& p)
{
    static std::list<std::string> names;
    static std::list<config::registration> sections;
    if (wrong_name(p.name).empty())
        sections.emplace_back(
            config::section{.name = names.emplace_back(fmt::format("keys of plugin {}", p.name)),
                            .keys = {{p.name, {"anything", nullptr}, ""}}});
}

result<json> show(command_context&)
{
    json rows = json::array();
    for (const auto& p : plugins().all)
        rows.push_back({{"name", p.name},
                        {"version", p.version},
                        {"state", to_string(p.state)},
                        {"file", p.file},
                        {"description", p.description},
                        {"reason", p.reason}});
    return json{{"path", plugins().path}, {"abi", plugin_abi()}, {"plugins", rows}};
}

std::string text(const json& data)
{
    std::string out = fmt::format("Plugin path is: {}\nABI is: {}", data["path"].get<std::string>(),
                                  data["abi"].get<std::string>());
    text_table table{{{"Plugin", 20, left},
                      {"Version", 10, left},
                      {"State", 9, left},
                      {"Description", 40, left}}};
    for (const auto& p : data["plugins"]) {
        const bool loaded = p["state"] == "loaded";
        table.row({p["name"], p["version"], p["state"], loaded ? p["description"] : p["reason"]});
    }
    return data["plugins"].empty() ? out + "\nThere are none." : out + "\n\n" + table.str();
}

const command_registration show_plugins{
    "show plugins", "Plugins that are loaded, disabled or refused, and why", show, text};

} // namespace

std::string_view to_string(plugin_state state) noexcept
{
    switch (state) {
    case plugin_state::loaded:
        return "loaded";
    case plugin_state::disabled:
        return "disabled";
    case plugin_state::refused:
        return "refused";
    }
    return "?";
}

std::string describe(const plugin& p)
{
    return fmt::format("plugin {} ({}) is {}{}{}", p.name, p.file, to_string(p.state),
                       p.reason.empty() ? "" : ": ", p.reason);
}

const plugin_set& plugins() noexcept
{
    return the_set();
}

std::list<plugin> find_plugins(const std::string& path, const config::value& root)
{
    const auto& part = part_of(root);
    const bool usual = part.get<std::string>("default", "enabled") == "enabled";
    std::list<plugin> found;
    for (const auto& [name, is_there] : names_of(path, part)) {
        const auto* own = part.find(name);
        const bool enabled = own == nullptr ? usual : own->get("enabled", usual);
        plugin& p = found.emplace_back();
        p.name = name;
        p.file = path + '/' + name + ".so";
        p.reason = wrong_name(name);
        if (!p.reason.empty())
            continue;
        p.state = enabled ? plugin_state::refused : plugin_state::disabled;
        if (!enabled)
            p.reason = own == nullptr ? "plugins.default is disabled"
                                      : "it is disabled in the configuration";
        else if (!is_there)
            p.reason = "it is listed in the configuration, but the file does not exist";
        else if (found.size() > plugin_set::limit)
            p.reason = fmt::format("there are more than {} plugins", plugin_set::limit);
        else
            p.state = plugin_state::loaded;
    }
    return found;
}

bool load_plugins(const config::value& root, config::problems& found)
{
    if (!is_right(root, found))
        return false;
    plugin_set& set = the_set();
    set.path = part_of(root).get<std::string>("path", default_path());
    set.all = find_plugins(set.path, root);
    for (plugin& p : set.all) {
        if (p.state != plugin_state::loaded)
            continue;
        if (auto loaded = load(p); !loaded) {
            p.state = plugin_state::refused;
            p.reason = loaded.error().message;
        }
    }
    for (const plugin& p : set.all) {
        if (p.state != plugin_state::loaded)
            accept_keys_of(p);
        // what the file counts on must be there; what lies in the directory unasked may be left out
        const auto* own = part_of(root).find(p.name);
        if (const auto* asked = own == nullptr ? nullptr : own->find("enabled");
            asked != nullptr && p.state == plugin_state::refused)
            found.add(*asked, "the plugin is refused: {}", p.reason);
    }
    return true;
}

} // namespace weft
