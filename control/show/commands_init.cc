// SPDX-License-Identifier: Apache-2.0
// show init-function: what ran when the daemon began and what will run at its end, in order and
// why.
#include "base/place.hh"
#include "control/command/command.hh"
#include "graph/init.hh"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

namespace weft {

namespace {

using json = nlohmann::ordered_json;
using places = std::map<std::string_view, size_t>; // by name, in the order in which they run

// In the phase exit what waits for another runs before it.
std::string reason_of(const init_step& step, init_phase phase, const places& at)
{
    if (step.waited_for == nullptr)
        return "by its name";
    const auto other = step.waited_for->name;
    return fmt::format("{} `{}' [{}], {}", phase == init_phase::exit ? "before" : "after", other,
                       at.at(other),
                       step.asked_by_other ? "which must come before it" : "as it requires");
}

json wishes(const std::vector<std::string_view>& names, const places& at)
{
    json all = json::array();
    for (const auto name : names)
        all.push_back({{"name", name}, {"index", at.at(name)}});
    return all;
}

result<json> functions_of(init_phase phase)
{
    auto order = init_order(phase);
    if (!order)
        return pass(order);
    if (phase == init_phase::exit)
        std::reverse(order->begin(), order->end());
    places at;
    for (const auto& step : *order)
        at.emplace(step.what->name, at.size());
    json functions = json::array();
    for (const auto& step : *order)
        functions.push_back({{"index", functions.size()},
                             {"name", step.what->name},
                             {"registered_at", short_place_of(step.what->where)},
                             {"after", wishes(step.what->after, at)},
                             {"before", wishes(step.what->before, at)},
                             {"reason", reason_of(step, phase, at)}});
    return functions;
}

result<json> show_init_function(command_context& context)
{
    json phases = json::array();
    for (const auto phase : init_phases) {
        auto functions = functions_of(phase);
        if (!functions)
            return pass(functions);
        phases.push_back({{"phase", to_string(phase)}, {"functions", std::move(*functions)}});
    }
    return json{{"verbose", context.arguments.has("verbose")}, {"phases", phases}};
}

std::string wish_lines(const json& function)
{
    std::string out;
    for (const auto* word : {"before", "after"})
        for (const auto& other : function[word])
            out += fmt::format("\n       {} '{}' [{}]", word, other["name"].get<std::string>(),
                               other["index"].get<size_t>());
    return out;
}

std::string init_function_text(const json& data)
{
    const bool verbose = data["verbose"].get<bool>();
    std::string out;
    for (const auto& phase : data["phases"]) {
        out += fmt::format("{}{}:", out.empty() ? "" : "\n", phase["phase"].get<std::string>());
        for (const auto& f : phase["functions"]) {
            out +=
                fmt::format("\n  [{}]: {}", f["index"].get<size_t>(), f["name"].get<std::string>());
            if (verbose)
                out += fmt::format(" ({}), {}{}", f["registered_at"].get<std::string>(),
                                   f["reason"].get<std::string>(), wish_lines(f));
        }
    }
    return out;
}

const command_registration functions{
    "show init-function [verbose]",
    "The init functions of each phase, in order; verbose: why in that order", show_init_function,
    init_function_text};

} // namespace

} // namespace weft
