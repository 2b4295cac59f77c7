// SPDX-License-Identifier: Apache-2.0
// Plugins: shared objects from one directory that register what the daemon's own modules register.
#pragma once

#include "control/config/config.hh"

#include <list>
#include <string>

namespace weft {

enum class plugin_state { loaded, disabled, refused };
[[nodiscard]] std::string_view to_string(plugin_state) noexcept;

struct plugin {
    std::string name; // of the file, without .so
    std::string file;
    plugin_state state = plugin_state::refused;
    std::string version;     // empty if the file does not say
    std::string description; // empty if the file does not say
    std::string reason;      // why it is refused or disabled
};

struct plugin_set {
    static constexpr size_t limit = 256;

    std::string path;
    std::list<plugin> all; // by name
};

// Loads what the part `plugins` of a configuration asks for. Main thread, once, while it is the
// only thread and before the registrations are made a schema, a table of commands and a graph. A
// plugin is refused, and leaves nothing behind, if it was built against another ABI, if it cannot
// be loaded, if its constructors throw or crash, or if what it registers does not go with all else;
// that is a problem of the configuration if this says that the plugin is enabled, and else it is
// left out. False if that part itself is wrong: the problems are added, nothing is loaded.
[[nodiscard]] bool load_plugins(const config::value& root, config::problems& found);

// What came of it.
[[nodiscard]] const plugin_set& plugins() noexcept;
// "plugin bad (/p/bad.so) is refused: it crashed: SIGSEGV"
[[nodiscard]] std::string describe(const plugin&);

// Parts of loading, for tests. Which plugins a directory and a configuration name, in the order of
// loading: those that are to be loaded are marked as loaded, the others say why not.
[[nodiscard]] std::list<plugin> find_plugins(const std::string& path, const config::value& root);
// Calls `load`, which registers a plugin's parts, and says what is wrong now that was right before:
// faults of the graph, of the configuration's keys, of commands, of init functions, of processes.
[[nodiscard]] result<void> check_registrations(std::string_view name,
                                               const std::function<result<void>()>& load);

} // namespace weft
