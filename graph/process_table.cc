// SPDX-License-Identifier: Apache-2.0
// Starts, stops and restarts the daemon's processes by name, and remembers how each ended.
#include "graph/process_table.hh"

#include "base/place.hh"
#include "base/quote.hh"
#include "graph/engine.hh"

#include <algorithm>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

namespace weft {

process_table::process_table(engine& engine) : engine_{engine} {}

bool process_table::alive(const entry& e) const
{
    return engine_.loop().alive(e.id);
}

result<process_id> process_table::add(process_description what)
{
    const auto [at, fresh] = entries_.try_emplace(what.name);
    if (!fresh) {
        const auto& first = at->second->what.where;
        return fail(errc::exists, "two processes are called `{}': {} and {}", what.name,
                    place_of(first), place_of(what.where));
    }
    at->second = std::make_unique<entry>();
    at->second->what = std::move(what);
    auto started = launch(*at->second);
    if (!started)
        entries_.erase(at);
    return started;
}

result<process_id> process_table::add_registered(const process_registration& what)
{
    return add(process_description{std::string{what.name}, what.function, what.stack_size,
                                   what.control, what.where});
}

result<void> process_table::remove(std::string_view name)
{
    const auto found = entries_.find(name);
    if (found == entries_.end())
        return fail(errc::not_found, "no process {}", quote(name));
    if (alive(*found->second))
        if (auto done = halt(*found->second, "removed"); !done)
            return done;
    entries_.erase(found);
    return {};
}

// The entry lives as long as its process: remove() stops that one first.
result<process_id> process_table::launch(entry& e)
{
    auto body = [&e](process& self) {
        try {
            e.what.function(self);
            e.ended = "returned";
        } catch (const std::exception& failure) {
            e.ended = fmt::format("failed: {}", failure.what());
            throw;
        } catch (...) {
            e.ended = "failed";
            throw;
        }
    };
    auto& loop = engine_.loop();
    auto started = e.id == 0 ? loop.start(e.what.name, body, e.what.stack_size)
                             : loop.start_again(e.id, e.what.name, body, e.what.stack_size);
    if (!started)
        return started;
    e.id = *started;
    e.ended.clear();
    ++e.starts;
    return started;
}

result<void> process_table::halt(entry& e, std::string_view how)
{
    if (auto done = engine_.loop().stop(e.id); !done)
        return done;
    e.ended = how;
    return {};
}

result<process_table::entry*> process_table::known(std::string_view name, std::string_view action)
{
    const auto found = entries_.find(name);
    if (found != entries_.end())
        return found->second.get();
    if (engine_.loop().find(name) != 0)
        return fail(errc::unsupported,
                    "process {} cannot be {} separately from what it serves; expected {}",
                    quote(name), action, fmt::join(names(), ", "));
    return fail(errc::not_found, "no process {}, expected {}", quote(name),
                fmt::join(names(), ", "));
}

result<process_id> process_table::start(std::string_view name)
{
    auto found = known(name, "started");
    if (!found)
        return pass(found);
    if (alive(**found))
        return fail(errc::exists, "process {} is already running", quote(name));
    spdlog::info("process `{}' started by command", name);
    return launch(**found);
}

result<void> process_table::stop(std::string_view name)
{
    auto found = known(name, "stopped");
    if (!found)
        return pass(found);
    if ((*found)->what.control != process_control::full)
        return fail(errc::unsupported,
                    "process {} cannot be stopped, since the router does not work without it; use "
                    "`process restart {}'",
                    quote(name), name);
    if (!alive(**found))
        return fail(errc::not_found, "process {} is not running: {}", quote(name), (*found)->ended);
    spdlog::warn("process `{}' stopped by command", name);
    return halt(**found, "stopped by command");
}

result<process_id> process_table::restart(std::string_view name)
{
    auto found = known(name, "restarted");
    if (!found)
        return pass(found);
    spdlog::info("process `{}' restarted by command", name);
    if (alive(**found))
        if (auto done = halt(**found, "stopped by command"); !done)
            return pass(done);
    return launch(**found);
}

std::vector<process_status> process_table::status() const
{
    auto all = engine_.loop().status();
    for (const auto& [name, e] : entries_) {
        const auto found = std::find_if(all.begin(), all.end(),
                                        [id = e->id](const auto& each) { return each.id == id; });
        if (found != all.end()) {
            found->starts = e->starts;
            continue;
        }
        process_status gone;
        gone.id = e->id;
        gone.name = name;
        gone.state = process_state::done;
        gone.waits_for = e->ended;
        gone.starts = e->starts;
        gone.stack_size = e->what.stack_size;
        all.push_back(std::move(gone));
    }
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
    return all;
}

std::vector<std::string> process_table::names() const
{
    std::vector<std::string> found;
    for (const auto& [name, e] : entries_)
        found.push_back(name);
    return found;
}

} // namespace weft
