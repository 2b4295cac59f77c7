// SPDX-License-Identifier: Apache-2.0
// Orders and runs init functions.
#include "graph/init.hh"

#include <algorithm>
#include <fmt/ranges.h>
#include <map>
#include <set>

namespace weft {

namespace {

std::vector<const init_registration*>& init_registrations()
{
    static std::vector<const init_registration*> list;
    return list;
}

using function_map = std::map<std::string_view, const init_registration*>;
using predecessor_map = std::map<std::string_view, std::set<std::string_view>>;

result<function_map> by_name(const std::vector<const init_registration*>& functions)
{
    function_map found;
    for (const auto* f : functions)
        if (const auto [at, fresh] = found.emplace(f->name, f); !fresh)
            return fail(errc::exists, "two init functions are called `{}': {}:{} and {}:{}",
                        f->name, at->second->where.file_name(), at->second->where.line(),
                        f->where.file_name(), f->where.line());
    return found;
}

result<predecessor_map> predecessors(const function_map& functions)
{
    predecessor_map wanted;
    for (const auto& [name, f] : functions) {
        wanted[name];
        for (auto other : f->after)
            wanted[name].insert(other);
        for (auto other : f->before)
            wanted[other].insert(name);
    }
    for (const auto& [name, others] : wanted)
        for (auto other : others)
            for (auto asked : {name, other})
                if (!functions.contains(asked))
                    return fail(errc::not_found,
                                "the init functions `{}' and `{}' are to be ordered, "
                                "but `{}' does not exist",
                                other, name, asked);
    return wanted;
}

// Walks back along predecessors that remain until a name comes again.
std::string cycle_of(const predecessor_map& remaining)
{
    std::vector<std::string_view> way{remaining.begin()->first};
    while (true) {
        const auto next = *remaining.at(way.back()).begin();
        const bool seen = std::find(way.begin(), way.end(), next) != way.end();
        way.push_back(next);
        if (seen)
            return fmt::format(
                "{}", fmt::join(std::vector(std::find(way.begin(), way.end(), next), way.end()),
                                " after "));
    }
}

// One who waits for another, and whether the other asked for it.
bool asked_by(const init_registration& earlier, const init_registration& later)
{
    return std::find(later.after.begin(), later.after.end(), earlier.name) == later.after.end();
}

// The last one in `order` that has to come before `what`.
init_step step_of(const init_registration& what, const predecessor_map& wanted,
                  const std::vector<init_step>& order)
{
    const auto& earlier = wanted.at(what.name);
    for (auto at = order.rbegin(); at != order.rend(); ++at)
        if (earlier.contains(at->what->name))
            return {&what, at->what, asked_by(*at->what, what)};
    return {&what, nullptr, false};
}

// Calls what `call` makes of each step until one fails; all of them if `all`.
template <class Steps, class Call>
result<void> run_steps(const Steps& steps, bool all, Call&& call)
{
    result<void> outcome;
    for (const init_step& step : steps) {
        auto done = call(*step.what);
        if (!done && outcome)
            outcome = fail(done.error().code, "{}: {}", step.what->name, done.error().message);
        if (!outcome && !all)
            break;
    }
    return outcome;
}

} // namespace

std::string_view to_string(init_phase phase) noexcept
{
    switch (phase) {
    case init_phase::early:
        return "early";
    case init_phase::start:
        return "start";
    case init_phase::worker_start:
        return "worker-start";
    case init_phase::main_loop_enter:
        return "main-loop-enter";
    case init_phase::exit:
        return "exit";
    }
    return "unknown";
}

init_registration::init_registration(std::string_view name_, init_phase phase_,
                                     function_type function_, std::vector<std::string_view> after_,
                                     std::vector<std::string_view> before_,
                                     std::source_location where_)
    : name{name_},
      phase{phase_},
      function{function_},
      after{std::move(after_)},
      before{std::move(before_)},
      where{where_}
{
    init_registrations().push_back(this);
}

init_registration::init_registration(std::string_view name_, worker_function_type on_worker_,
                                     std::vector<std::string_view> after_,
                                     std::vector<std::string_view> before_,
                                     std::source_location where_)
    : name{name_},
      phase{init_phase::worker_start},
      on_worker{on_worker_},
      after{std::move(after_)},
      before{std::move(before_)},
      where{where_}
{
    init_registrations().push_back(this);
}

init_registration::~init_registration()
{
    std::erase(init_registrations(), this);
}

result<std::vector<init_step>> init_order(init_phase phase)
{
    std::vector<const init_registration*> chosen;
    for (const auto* f : init_registrations())
        if (f->phase == phase)
            chosen.push_back(f);
    return init_order(std::move(chosen));
}

result<std::vector<init_step>> init_order(std::vector<const init_registration*> functions)
{
    const auto named = by_name(functions);
    if (!named)
        return pass(named);
    const auto wanted = predecessors(*named);
    if (!wanted)
        return pass(wanted);
    auto remaining = *wanted;
    std::vector<init_step> order;
    while (!remaining.empty()) {
        const auto ready = std::find_if(remaining.begin(), remaining.end(),
                                        [](const auto& entry) { return entry.second.empty(); });
        if (ready == remaining.end())
            return fail(errc::invalid_argument, "init functions wait for each other: {}",
                        cycle_of(remaining));
        const auto name = ready->first;
        order.push_back(step_of(*named->at(name), *wanted, order));
        remaining.erase(ready);
        for (auto& entry : remaining)
            entry.second.erase(name);
    }
    return order;
}

result<void> check_init_order()
{
    for (const auto phase : init_phases)
        if (const auto order = init_order(phase); !order)
            return fail(order.error().code, "phase {}: {}", to_string(phase),
                        order.error().message);
    return {};
}

result<void> run_init(init_phase phase, engine& engine)
{
    auto order = init_order(phase);
    if (!order)
        return pass(order);
    const bool last = phase == init_phase::exit;
    if (last)
        std::reverse(order->begin(), order->end());
    return run_steps(*order, last, [&](const auto& f) { return f.function(engine); });
}

result<void> run_init(std::span<const init_step> order, graph_thread& self)
{
    return run_steps(order, false, [&](const auto& f) { return f.on_worker(self); });
}

} // namespace weft
