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

bool route_table::has_better(const net::ip4_prefix& prefix, route_source source) const noexcept
{
    return std::any_of(said_.begin(), said_.begin() + static_cast<ptrdiff_t>(source),
                       [&](const prefix_set& said) { return said.find(prefix).has_value(); });
}

result<void> route_table::set(const net::ip4_prefix& prefix, route_source source,
                              load_balance_index balance)
{
    prefix_set& said = said_by(source);
    result<void> done;
    if (!said.reserve_one())
        done = fail(errc::exhausted, "prefix {}: no memory", net::to_string(prefix));
    else if (!has_better(prefix, source))
        done = table_.set(prefix, balance);
    if (!done) {
        hops_.release_balance(balance);
        return done;
    }
    const auto old = said.find(prefix);
    said.set(prefix, balance);
    if (old)
        hops_.release_balance(*old);
    return {};
}

result<void> route_table::remove(const net::ip4_prefix& prefix, route_source source)
{
    const auto old = find(prefix, source);
    if (!old)
        return fail(errc::not_found, "no {} route to {}", to_string(source), net::to_string(prefix));
    const bool active = !has_better(prefix, source);
    said_by(source).erase(prefix);
    result<void> done;
    if (active) {
        const auto rest = of(prefix);
        done = rest.empty() ? table_.remove(prefix) : table_.set(prefix, rest.front().balance);
    }
    hops_.release_balance(*old);
    return done;
}

std::optional<load_balance_index> route_table::find(const net::ip4_prefix& prefix,
                                                    route_source source) const
{
    return said_[static_cast<size_t>(source)].find(prefix);
}

std::vector<route> route_table::of(const net::ip4_prefix& prefix) const
{
    std::vector<route> all;
    for (size_t i = 0; i < route_source_count; ++i)
        if (const auto balance = said_[i].find(prefix))
            all.push_back({prefix, static_cast<route_source>(i), *balance, all.empty()});
    return all;
}

std::vector<route> route_table::sorted(size_t limit) const
{
    std::vector<net::ip4_prefix> prefixes;
    prefixes.reserve(table_.size());
    table_.prefixes().each([&](const net::ip4_prefix& p, auto) { prefixes.push_back(p); });
    const size_t count = std::min(limit, prefixes.size());
    std::partial_sort(prefixes.begin(), prefixes.begin() + static_cast<ptrdiff_t>(count),
                      prefixes.end());
    std::vector<route> all;
    all.reserve(count);
    for (size_t i = 0; i < count; ++i)
        all.push_back(of(prefixes[i]).front());
    return all;
}

const std::array<uint32_t, 33>& route_table::count_by_length() const noexcept
{
    return table_.prefixes().count_by_length();
}

size_t route_table::memory_bytes() const noexcept
{
    size_t bytes = table_.memory_bytes();
    for (const prefix_set& said : said_)
        bytes += said.memory_bytes();
    return bytes;
}

bool route_table::reserve(size_t count, route_source source) noexcept
{
    return said_by(source).reserve(count) && table_.reserve(count);
}

void route_table::prefetch(const net::ip4_prefix& prefix, route_source source) const noexcept
{
    said_[static_cast<size_t>(source)].prefetch(prefix);
    table_.prefetch(prefix);
}

} // namespace weft::ip4
