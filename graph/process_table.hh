// SPDX-License-Identifier: Apache-2.0
// The processes that the daemon is made of, by name: started, stopped and restarted while it runs.
#pragma once

#include "base/result.hh"
#include "graph/process/process.hh"

#include <map>
#include <memory>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

namespace weft {

class engine;

struct process_description {
    std::string name;
    process_function function;
    size_t stack_size = 64 * 1024;
    process_control control = process_control::full;
    std::source_location where = std::source_location::current();
};

// A module of the engine. Main thread. Processes that somebody else has in hand (a CLI session, the
// listener of a socket) are not in it: they are started and stopped by him alone.
class process_table {
public:
    explicit process_table(engine& engine);
    process_table(const process_table&) = delete;
    process_table& operator=(const process_table&) = delete;

    // Starts a process and keeps what it is made of; it first runs in the main thread's next loop.
    // errc::exists for a name that is taken (the error has both places), errc::exhausted.
    result<process_id> add(process_description what);
    result<process_id> add_registered(const process_registration& what);
    // Stops it, whatever its control says, and forgets it; for those who added it. Not on its own
    // fiber: errc::invalid_argument.
    result<void> remove(std::string_view name);

    // By the operator's word. A process started again has the number that it had, and nothing else
    // of its earlier life: events that it had not taken are gone. Errors name what can be done:
    // errc::not_found, errc::unsupported (its control forbids it), errc::exists (it runs already).
    result<process_id> start(std::string_view name);
    result<void> stop(std::string_view name);
    result<process_id> restart(std::string_view name); // one that has ended is started

    // All processes of the main loop, and those of the table that have ended.
    [[nodiscard]] std::vector<process_status> status() const;
    [[nodiscard]] std::vector<std::string> names() const;

private:
    struct entry {
        process_description what;
        process_id id = 0;
        uint64_t starts = 0;
        std::string ended; // how, in words
    };

    [[nodiscard]] result<entry*> known(std::string_view name, std::string_view action);
    [[nodiscard]] bool alive(const entry& e) const;
    result<process_id> launch(entry& e);
    result<void> halt(entry& e, std::string_view how);

    engine& engine_;
    std::map<std::string, std::unique_ptr<entry>, std::less<>> entries_;
};

} // namespace weft
