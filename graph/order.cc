// SPDX-License-Identifier: Apache-2.0
// Orders by before and after.
#include "graph/order.hh"

#include "base/place.hh"

#include <algorithm>
#include <fmt/ranges.h>
#include <map>
#include <set>

namespace weft {

namespace {

using item_map = std::map<std::string_view, size_t>;
using waiting_map = std::map<std::string_view, std::set<std::string_view>>;

result<item_map> places_by_name(std::string_view kind, std::span<const order_item> items)
{
    item_map found;
    for (size_t i = 0; i < items.size(); ++i)
        if (const auto [at, fresh] = found.emplace(items[i].name, i); !fresh) {
            const auto& other = items[at->second].where;
            return fail(errc::exists, "two {} are called `{}': {} and {}", kind, items[i].name,
                        place_of(other), place_of(items[i].where));
        }
    return found;
}

// By name, who has to come before it.
result<waiting_map> earlier_ones(std::string_view kind, std::span<const order_item> items,
                                 const item_map& places)
{
    waiting_map wanted;
    for (const auto& item : items) {
        wanted[item.name];
        for (auto other : item.after)
            wanted[item.name].insert(other);
        for (auto other : item.before)
            wanted[other].insert(item.name);
    }
    for (const auto& [name, others] : wanted)
        for (auto other : others)
            for (auto asked : {name, other})
                if (!places.contains(asked))
                    return fail(errc::not_found,
                                "the {} `{}' and `{}' are to be ordered, but `{}' does not exist",
                                kind, other, name, asked);
    return wanted;
}

// An item and its place, if that is known.
std::string told(const order_item& item)
{
    return item.where.line() == 0 ? std::string{item.name}
                                  : fmt::format("{} ({})", item.name, place_of(item.where));
}

// Walks back along those that are waited for until a name comes again.
std::string cycle_among(const waiting_map& remaining, std::span<const order_item> items,
                        const item_map& places)
{
    std::vector<std::string_view> way{remaining.begin()->first};
    while (true) {
        const auto next = *remaining.at(way.back()).begin();
        const bool seen = std::find(way.begin(), way.end(), next) != way.end();
        way.push_back(next);
        if (!seen)
            continue;
        std::vector<std::string> cycle;
        for (auto at = std::find(way.begin(), way.end(), next); at != way.end(); ++at)
            cycle.push_back(told(items[places.at(*at)]));
        return fmt::format("{}", fmt::join(cycle, " after "));
    }
}

// The last one in `order` that has to come before `item`.
order_step step_behind(size_t item, std::span<const order_item> items,
                       const std::set<std::string_view>& earlier,
                       const std::vector<order_step>& order)
{
    for (auto at = order.rbegin(); at != order.rend(); ++at) {
        const auto name = items[at->item].name;
        if (earlier.contains(name)) {
            const auto& own = items[item].after;
            return {item, at->item, std::find(own.begin(), own.end(), name) == own.end()};
        }
    }
    return {item};
}

} // namespace

result<std::vector<order_step>> order_of(std::string_view kind, std::span<const order_item> items)
{
    const auto places = places_by_name(kind, items);
    if (!places)
        return pass(places);
    const auto wanted = earlier_ones(kind, items, *places);
    if (!wanted)
        return pass(wanted);
    auto remaining = *wanted;
    std::vector<order_step> order;
    while (!remaining.empty()) {
        const auto ready = std::find_if(remaining.begin(), remaining.end(),
                                        [](const auto& entry) { return entry.second.empty(); });
        if (ready == remaining.end())
            return fail(errc::invalid_argument, "{} depend on each other: {}", kind,
                        cycle_among(remaining, items, *places));
        const auto name = ready->first;
        order.push_back(step_behind(places->at(name), items, wanted->at(name), order));
        remaining.erase(ready);
        for (auto& entry : remaining)
            entry.second.erase(name);
    }
    return order;
}

void pass_over_absent(std::vector<order_item>& items)
{
    std::set<std::string_view> present;
    for (const auto& item : items)
        present.insert(item.name);
    const auto is_absent = [&](std::string_view name) { return !present.contains(name); };
    for (auto& item : items) {
        std::erase_if(item.after, is_absent);
        std::erase_if(item.before, is_absent);
    }
}

} // namespace weft
