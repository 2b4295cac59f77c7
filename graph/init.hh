// SPDX-License-Identifier: Apache-2.0
// Init functions: what a room does at fixed moments of the daemon's life, in an order that it can ask for.
#pragma once

#include "graph/result.hh"

#include <source_location>
#include <string_view>
#include <vector>

namespace weft {

class engine;

enum class init_phase {
    early, // the engine exists, no configuration has been applied
    start, // the configuration is applied, the graph is about to run
    exit,  // the workers have stopped; runs in reverse order
};

// Registered before main(). `before` and `after` name other functions of the same phase.
struct init_registration {
    init_registration(std::string_view name, init_phase phase, result<void> (*function)(engine&),
                      std::vector<std::string_view> after = {},
                      std::vector<std::string_view> before = {},
                      std::source_location where = std::source_location::current());

    std::string_view name;
    init_phase phase;
    result<void> (*function)(engine&);
    std::vector<std::string_view> after;
    std::vector<std::string_view> before;
    std::source_location where;
};

// A phase's functions in their order: topological, by name where nothing else decides. Fails on a cycle, which
// it prints, on a name that does not exist, and on two functions of one name.
[[nodiscard]] result<std::vector<const init_registration*>> init_order(init_phase phase);
[[nodiscard]] result<std::vector<const init_registration*>>
init_order(std::vector<const init_registration*> functions);

// Calls a phase's functions; stops at the first that fails (in exit: goes on, and reports the first).
[[nodiscard]] result<void> run_init(init_phase phase, engine& host);

} // namespace weft
