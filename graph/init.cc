// SPDX-License-Identifier: Apache-2.0
// Orders and runs init functions.
#include "graph/init.hh"

#include <algorithm>
#include <fmt/ranges.h>
#include <map>
#include <set>

namespace weft {

namespace {

std::vector<const init_registration*>& registrations()
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
            return fail(errc::exists, "two init functions are called `{}': {}:{} and {}:{}", f->name,
                        at->second->where.file_name(), at->second->where.line(),
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
                    return fail(errc::not_found, "the init functions `{}' and `{}' are to be ordered, "
                                                 "but `{}' does not exist", other, name, asked);
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
            return fmt::format("{}", fmt::join(std::vector(std::find(way.begin(), way.end(), next),
                                                           way.end()), " after "));
    }
}

} // namespace

init_registration::init_registration(std::string_view name_, init_phase phase_,
                                     result<void> (*function_)(engine&),
                                     std::vector<std::string_view> after_,
                                     std::vector<std::string_view> before_,
                                     std::source_location where_)
    : name{name_}, phase{phase_}, function{function_}, after{std::move(after_)},
      before{std::move(before_)}, where{where_}
{
    registrations().push_back(this);
}

result<std::vector<const init_registration*>> init_order(init_phase phase)
{
    std::vector<const init_registration*> chosen;
    for (const auto* f : registrations())
        if (f->phase == phase)
            chosen.push_back(f);
    return init_order(std::move(chosen));
}

result<std::vector<const init_registration*>>
init_order(std::vector<const init_registration*> functions)
{
    const auto named = by_name(functions);
    if (!named)
        return pass(named);
    auto remaining = predecessors(*named);
    if (!remaining)
        return pass(remaining);
    std::vector<const init_registration*> order;
    while (!remaining->empty()) {
        const auto ready = std::find_if(remaining->begin(), remaining->end(),
                                        [](const auto& entry) { return entry.second.empty(); });
        if (ready == remaining->end())
            return fail(errc::invalid_argument, "init functions wait for each other: {}",
                        cycle_of(*remaining));
        const auto name = ready->first;
        order.push_back(named->at(name));
        remaining->erase(ready);
        for (auto& entry : *remaining)
            entry.second.erase(name);
    }
    return order;
}

result<void> run_init(init_phase phase, engine& host)
{
    auto order = init_order(phase);
    if (!order)
        return pass(order);
    if (phase == init_phase::exit)
        std::reverse(order->begin(), order->end());
    result<void> outcome;
    for (const auto* f : *order) {
        auto done = f->function(host);
        if (!done && outcome)
            outcome = fail(done.error().code, "{}: {}", f->name, done.error().message);
        if (!outcome && phase != init_phase::exit)
            break;
    }
    return outcome;
}

} // namespace weft
