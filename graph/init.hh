// SPDX-License-Identifier: Apache-2.0
// Init functions: what a room does at fixed moments of the daemon's life, in an order that it can
// ask for.
#pragma once

#include "base/result.hh"

#include <array>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft {

class engine;
class graph_thread;

enum class init_phase {
    early,           // the engine exists, no configuration has been applied
    start,           // the configuration is applied, the graph is about to run
    worker_start,    // on each worker's own thread, before its first loop
    main_loop_enter, // workers and processes run, the start-up commands are done; the main thread
                     // begins to loop
    exit,            // the workers have stopped and the modules are gone; runs in reverse order
};

inline constexpr std::array init_phases{init_phase::early, init_phase::start,
                                        init_phase::worker_start, init_phase::main_loop_enter,
                                        init_phase::exit};

[[nodiscard]] std::string_view to_string(init_phase) noexcept;

// Registered before main(), or by a plugin before the first phase runs. `before` and `after` name
// other functions of the same phase. All run on the main thread but those of worker_start, which
// are given the thread that they run on.
struct init_registration {
    using function_type = result<void> (*)(engine&);
    using worker_function_type = result<void> (*)(graph_thread&);

    init_registration(std::string_view name, init_phase phase, function_type function,
                      std::vector<std::string_view> after = {},
                      std::vector<std::string_view> before = {},
                      std::source_location where = std::source_location::current());
    // Of worker_start.
    init_registration(std::string_view name, worker_function_type on_worker,
                      std::vector<std::string_view> after = {},
                      std::vector<std::string_view> before = {},
                      std::source_location where = std::source_location::current());
    init_registration(const init_registration&) = default; // a copy registers nothing
    init_registration& operator=(const init_registration&) = default;
    ~init_registration(); // takes it back

    std::string_view name;
    init_phase phase;
    function_type function = nullptr;
    worker_function_type on_worker = nullptr;
    std::vector<std::string_view> after;
    std::vector<std::string_view> before;
    std::source_location where;
};

// A function in its place, and why it stands there.
struct init_step {
    const init_registration* what = nullptr;
    // The last one that it had to wait for; null where its name alone gave it its place.
    const init_registration* waited_for = nullptr;
    // Whether that one asked for it with `before`; else it is in this one's own `after`.
    bool asked_by_other = false;
};

// A phase's functions in their order: topological, by name where nothing else decides. Fails on a
// cycle, which it prints, on a name that does not exist, and on two functions of one name.
[[nodiscard]] result<std::vector<init_step>> init_order(init_phase phase);
[[nodiscard]] result<std::vector<init_step>>
init_order(std::vector<const init_registration*> functions);

// Whether every phase can be ordered; the daemon does not start otherwise. The error names the
// phase.
[[nodiscard]] result<void> check_init_order();

// Calls a phase's functions; stops at the first that fails (in exit: goes on, and reports the
// first). Not for worker_start.
[[nodiscard]] result<void> run_init(init_phase phase, engine& engine);
// The same of worker_start, on the worker's thread, in the order that the main thread found.
[[nodiscard]] result<void> run_init(std::span<const init_step> order, graph_thread& self);

} // namespace weft
