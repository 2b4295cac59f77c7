// SPDX-License-Identifier: Apache-2.0
// The route table.
#include "nodes/ip4/routes.hh"

#include <algorithm>

namespace weft::ip4 {

std::string_view to_string(route_source source) noexcept
{
    switch (source) {
    case route_source::special:
        return "special";
    case route_source::local:
        return "local";
    case route_source::connected:
        return "connected";
    case route_source::fixed:
        return "static";
    case route_source::neighbour:
        return "neighbour";
    }
    return "?";
}

route_table::route_table(forwarding& hops, prefix_table table)
    : hops_{hops}, table_{std::move(table)}
{}

bool route_table::has_better(const net::ip4_prefix& prefix, route_source source) const noexcept
{
    return std::any_of(said_.begin(), said_.begin() + static_cast<ptrdiff_t>(source),
                       [&](const prefix_set& said) {
                           const auto balance = said.find(prefix);
                           return balance && hops_.has_path(*balance);
                       });
}

bool route_table::is_said_by_better(const net::ip4_prefix& prefix,
                                    route_source source) const noexcept
{
    return std::any_of(said_.begin(), said_.begin() + static_cast<ptrdiff_t>(source),
                       [&](const prefix_set& said) { return said.find(prefix).has_value(); });
}

result<void> route_table::place(const net::ip4_prefix& prefix)
{
    for (const prefix_set& said : said_)
        if (const auto balance = said.find(prefix); balance && hops_.has_path(*balance))
            return table_.set(prefix, *balance);
    if (!table_.find(prefix))
        return {};
    // A default route without a path answers as no route does; to take it out would write up to
    // 2^24 entries.
    if (const auto fixed = find(prefix, route_source::fixed); fixed && prefix.length == 0)
        return table_.set(prefix, *fixed);
    return table_.remove(prefix);
}

result<void> route_table::set(const net::ip4_prefix& prefix, route_source source,
                              load_balance_index balance)
{
    prefix_set& said = said_by(source);
    const bool usable = hops_.has_path(balance);
    result<void> done;
    if (prefix.length > 32 || !prefix.contains(prefix.network))
        done = fail(errc::invalid_argument, "prefix {}: expected a length to 32 and no host bits",
                    net::to_string(prefix));
    else if (!said.reserve_one())
        done = fail(errc::exhausted, "prefix {}: no memory", net::to_string(prefix));
    else if (usable && !has_better(prefix, source))
        done = table_.set(prefix, balance);
    if (!done) {
        hops_.release_balance(balance);
        return done;
    }
    const auto old = said.find(prefix);
    said.set(prefix, balance);
    if (!usable)
        done = place(prefix); // to leave the prefix table, or to change an entry, needs no memory
    tell(prefix);
    if (old)
        hops_.release_balance(*old);
    return done;
}

result<void> route_table::remove(const net::ip4_prefix& prefix, route_source source)
{
    const auto old = find(prefix, source);
    if (!old)
        return fail(errc::not_found, "no {} route to {}", to_string(source),
                    net::to_string(prefix));
    said_by(source).erase(prefix);
    auto done = place(prefix);
    tell(prefix);
    hops_.release_balance(*old);
    return done;
}

void route_table::watch(const net::ip4_prefix& network)
{
    for (uint32_t slot = network.network.value >> 16; slot <= network.last().value >> 16; ++slot)
        watched_[slot / 32] |= 1u << slot % 32;
}

void route_table::judge_routes_over(std::span<const load_balance_index> balances)
{
    for (auto balance : balances) {
        if (balance >= noted_.size())
            noted_.resize(balance + 1);
        if (std::exchange(noted_[balance], uint8_t{1}) == 0)
            noted_list_.push_back(balance);
    }
    if (balances.empty())
        return;
    again_ = judging_;
    if (!std::exchange(judging_, true))
        begin_pass();
}

bool route_table::judge_some(std::chrono::steady_clock::duration budget)
{
    using clock = std::chrono::steady_clock;
    constexpr size_t group = 64;   // places; the misses of their prefixes overlap
    constexpr size_t least = 4096; // places, whatever the clock says: a small table is done at once
    const prefix_set& fixed = said(route_source::fixed);
    const auto until = clock::now() + budget;
    for (size_t places = 0; judging_ && (places < least || clock::now() < until); places += group) {
        if (std::exchange(capacity_, fixed.capacity()) != fixed.capacity())
            begin_pass();
        group_.clear();
        at_ =
            fixed.walk(at_, group, [&](const net::ip4_prefix& prefix, load_balance_index balance) {
                if (balance < noted_.size() && noted_[balance] != 0)
                    group_.push_back(prefix);
            });
        for (const auto& prefix : group_)
            table_.prefetch(prefix);
        for (const auto& prefix : group_) {
            left_out_ += place(prefix) ? 0 : 1;
            tell(prefix);
        }
        if (at_ >= capacity_)
            end_pass();
    }
    return !judging_;
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
            all.push_back({prefix, static_cast<route_source>(i), *balance, false});
    const auto best = std::find_if(all.begin(), all.end(),
                                   [&](const route& r) { return hops_.has_path(r.balance); });
    if (best != all.end())
        best->active = true;
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
        for (const auto& r : of(prefixes[i]))
            if (r.active)
                all.push_back(r);
    return all;
}

void route_table::begin_pass() noexcept
{
    at_ = 0;
    left_out_ = 0;
}

void route_table::judge_left_out() noexcept
{
    if (left_out_ == 0 || judging_)
        return;
    judging_ = true;
    begin_pass();
}

void route_table::end_pass()
{
    judging_ = std::exchange(again_, false);
    if (judging_)
        begin_pass();
    if (judging_ || left_out_ > 0)
        return;
    for (auto balance : std::exchange(noted_list_, {}))
        noted_[balance] = 0;
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
