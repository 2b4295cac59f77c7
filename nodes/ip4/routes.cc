// SPDX-License-Identifier: Apache-2.0
// The route table.
#include "nodes/ip4/routes.hh"

#include <algorithm>

namespace weft::ip4 {

std::string_view to_string(route_source source) noexcept
{
    switch (source) {
    case route_source::special: return "special";
    case route_source::local: return "local";
    case route_source::connected: return "connected";
    case route_source::fixed: return "static";
    case route_source::neighbour: return "neighbour";
    }
    return "?";
}

route_table::route_table(forwarding& hops, prefix_table table)
    : hops_{hops}, table_{std::move(table)}
{
}

size_t route_table::best_of(const entry& e) noexcept
{
    return static_cast<size_t>(
        std::find_if(e.begin(), e.end(), [](auto balance) { return balance != nothing; }) -
        e.begin());
}

result<void> route_table::install(const net::ip4_prefix& prefix, const entry& e)
{
    const size_t best = best_of(e);
    return best == route_source_count ? table_.remove(prefix) : table_.set(prefix, e[best]);
}

result<void> route_table::set(const net::ip4_prefix& prefix, route_source source,
                              load_balance_index balance)
{
    entry blank;
    blank.fill(nothing);
    entry& e = routes_.try_emplace(prefix, blank).first->second;
    const load_balance_index old = std::exchange(e[static_cast<size_t>(source)], balance);
    if (auto done = install(prefix, e); !done) {
        e[static_cast<size_t>(source)] = old;
        if (best_of(e) == route_source_count)
            routes_.erase(prefix);
        hops_.release_balance(balance);
        return done;
    }
    if (old != nothing)
        hops_.release_balance(old);
    return {};
}

result<void> route_table::remove(const net::ip4_prefix& prefix, route_source source)
{
    const auto found = routes_.find(prefix);
    if (found == routes_.end() || found->second[static_cast<size_t>(source)] == nothing)
        return fail(errc::not_found, "no {} route to {}", to_string(source), net::to_string(prefix));
    const load_balance_index old =
        std::exchange(found->second[static_cast<size_t>(source)], nothing);
    auto done = install(prefix, found->second);
    if (best_of(found->second) == route_source_count)
        routes_.erase(found);
    hops_.release_balance(old);
    return done;
}

std::optional<load_balance_index> route_table::find(const net::ip4_prefix& prefix,
                                                    route_source source) const
{
    const auto found = routes_.find(prefix);
    if (found == routes_.end() || found->second[static_cast<size_t>(source)] == nothing)
        return {};
    return found->second[static_cast<size_t>(source)];
}

std::vector<route> route_table::of(const net::ip4_prefix& prefix) const
{
    std::vector<route> all;
    if (const auto found = routes_.find(prefix); found != routes_.end())
        for (size_t i = 0; i < route_source_count; ++i)
            if (found->second[i] != nothing)
                all.push_back({prefix, static_cast<route_source>(i), found->second[i], all.empty()});
    return all;
}

std::vector<route> route_table::sorted(size_t limit) const
{
    std::vector<net::ip4_prefix> prefixes;
    prefixes.reserve(routes_.size());
    for (const auto& [prefix, e] : routes_)
        prefixes.push_back(prefix);
    const size_t count = std::min(limit, prefixes.size());
    std::partial_sort(prefixes.begin(), prefixes.begin() + static_cast<ptrdiff_t>(count),
                      prefixes.end());
    std::vector<route> all;
    all.reserve(count);
    for (size_t i = 0; i < count; ++i)
        all.push_back(of(prefixes[i]).front());
    return all;
}

std::array<size_t, 33> route_table::count_by_length() const
{
    std::array<size_t, 33> counts{};
    for (const auto& [prefix, e] : routes_)
        ++counts[prefix.length];
    return counts;
}

} // namespace weft::ip4
