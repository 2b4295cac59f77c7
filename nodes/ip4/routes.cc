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
    case route_source::kernel:
        return "kernel";
    case route_source::neighbour:
        return "neighbour";
    }
    return "?";
}

route_table::route_table(forwarding& hops, lookup_table table)
    : hops_{hops}, table_{std::move(table)}
{}

prefix_set* route_table::said_by(const route_rank& rank) noexcept
{
    const auto found = std::find_if(ranks_.begin(), ranks_.end(),
                                    [&](const said_at& r) { return r.rank == rank; });
    return found == ranks_.end() ? nullptr : &found->said;
}

const prefix_set* route_table::said_by(const route_rank& rank) const noexcept
{
    return const_cast<route_table*>(this)->said_by(rank);
}

result<prefix_set*> route_table::make_rank(const route_rank& rank)
{
    if (auto* known = said_by(rank))
        return known;
    if (ranks_.size() >= max_ranks)
        std::erase_if(ranks_, [](const said_at& r) { return r.said.size() == 0; });
    if (ranks_.size() >= max_ranks)
        return fail(errc::exhausted,
                    "{} pairs of distance and metric are in use, which is the maximum",
                    ranks_.size());
    const auto place =
        std::find_if(ranks_.begin(), ranks_.end(), [&](const said_at& r) { return rank < r.rank; });
    // who goes through ranks_ begins anew
    if (judging_)
        begin_pass();
    for (auto& [source, r] : refreshes_)
        r.place = r.at = r.capacity = 0;
    return &ranks_.insert(place, said_at{rank, {}})->said;
}

bool route_table::has_better(const net::ip4_prefix& prefix, const route_rank& rank) const noexcept
{
    for (const auto& better : ranks_) {
        if (!(better.rank < rank))
            return false;
        if (const auto balance = better.said.find(prefix); balance && hops_.has_path(*balance))
            return true;
    }
    return false;
}

bool route_table::is_said_before(const net::ip4_prefix& prefix, size_t place) const noexcept
{
    return std::any_of(ranks_.begin(), ranks_.begin() + static_cast<ptrdiff_t>(place),
                       [&](const said_at& r) { return r.said.find(prefix).has_value(); });
}

size_t route_table::count_of(route_source source) const noexcept
{
    size_t count = 0;
    for (const auto& r : ranks_)
        count += r.rank.source == source ? r.said.size() : 0;
    return count;
}

result<void> route_table::place(const net::ip4_prefix& prefix)
{
    std::optional<load_balance_index> without_path;
    for (const auto& r : ranks_) {
        const auto balance = r.said.find(prefix);
        if (balance && hops_.has_path(*balance))
            return table_.set(prefix, *balance);
        if (balance && !without_path)
            without_path = balance;
    }
    if (!table_.find(prefix))
        return {};
    // A default route without a path answers as no route does; to take it out would write up to
    // 2^24 entries.
    if (without_path && prefix.length == 0)
        return table_.set(prefix, *without_path);
    return table_.remove(prefix);
}

result<void> route_table::note_seen(const net::ip4_prefix& prefix, const route_rank& rank)
{
    const auto open = refreshes_.find(rank.source);
    if (open == refreshes_.end())
        return {};
    prefix_set& seen = open->second.seen[rank];
    if (!seen.reserve_one())
        return fail(errc::exhausted, "prefix {}: out of memory", net::to_string(prefix));
    seen.set(prefix, 1);
    return {};
}

result<void> route_table::set(const net::ip4_prefix& prefix, const route_rank& rank,
                              load_balance_index balance)
{
    const bool usable = hops_.has_path(balance);
    result<void> done;
    prefix_set* said = nullptr;
    if (prefix.length > 32 || !prefix.contains(prefix.network))
        done = fail(errc::invalid_argument,
                    "prefix {}: expected a length of at most 32 and no host bits",
                    net::to_string(prefix));
    else if (const auto made = make_rank(rank); !made)
        done = pass(made);
    else if (said = *made; !said->reserve_one())
        done = fail(errc::exhausted, "prefix {}: out of memory", net::to_string(prefix));
    else if (done = note_seen(prefix, rank); done && usable && !has_better(prefix, rank))
        done = table_.set(prefix, balance);
    if (!done) {
        hops_.release_balance(balance);
        return done;
    }
    const auto old = said->find(prefix);
    said->set(prefix, balance);
    if (!usable)
        done = place(prefix); // to leave the prefix table, or to change an entry, needs no memory
    tell(prefix);
    tell_of_route(prefix, rank);
    if (old)
        hops_.release_balance(*old);
    return done;
}

result<void> route_table::remove(const net::ip4_prefix& prefix, const route_rank& rank)
{
    prefix_set* const said = said_by(rank);
    const auto old = said == nullptr ? std::nullopt : said->find(prefix);
    if (!old)
        return fail(errc::not_found, "no {} route to {}", to_string(rank.source),
                    net::to_string(prefix));
    said->erase(prefix);
    if (const auto open = refreshes_.find(rank.source); open != refreshes_.end())
        if (const auto seen = open->second.seen.find(rank); seen != open->second.seen.end())
            seen->second.erase(prefix);
    auto done = place(prefix);
    tell(prefix);
    tell_of_route(prefix, rank);
    hops_.release_balance(*old);
    return done;
}

result<void> route_table::remove_all(const net::ip4_prefix& prefix, route_source source)
{
    result<void> done =
        fail(errc::not_found, "no {} route to {}", to_string(source), net::to_string(prefix));
    for (const auto& r : of(prefix))
        if (r.rank.source == source)
            done = remove(prefix, r.rank);
    return done;
}

void route_table::begin_refresh(route_source source)
{
    refreshes_[source] = {};
}

void route_table::end_refresh(route_source source)
{
    if (const auto open = refreshes_.find(source); open != refreshes_.end())
        open->second.sweeping = true;
}

size_t route_table::swept(route_source source) const noexcept
{
    const auto found = swept_.find(source);
    return found == swept_.end() ? 0 : found->second;
}

bool route_table::sweep_some(route_source source, std::chrono::steady_clock::duration budget)
{
    using clock = std::chrono::steady_clock;
    constexpr size_t places = 256;
    const auto found = refreshes_.find(source);
    if (found == refreshes_.end() || !found->second.sweeping)
        return true;
    refresh& r = found->second;
    const auto until = clock::now() + budget;
    std::vector<net::ip4_prefix> stale;
    for (; r.place < ranks_.size(); ++r.place, r.at = r.capacity = 0) {
        const said_at& here = ranks_[r.place];
        const auto seen = r.seen.find(here.rank);
        while (here.rank.source == source && r.at < here.said.capacity()) {
            if (std::exchange(r.capacity, here.said.capacity()) != here.said.capacity())
                r.at = 0; // it was laid out anew
            stale.clear();
            r.at = here.said.walk(r.at, places, [&](const net::ip4_prefix& prefix, auto) {
                if (seen == r.seen.end() || !seen->second.find(prefix))
                    stale.push_back(prefix);
            });
            for (const auto& prefix : stale)
                r.swept += remove(prefix, here.rank) ? 1 : 0;
            if (clock::now() >= until)
                return false;
        }
    }
    const size_t swept = r.swept;
    refreshes_.erase(found);
    swept_[source] = swept;
    return true;
}

uint64_t route_table::lengths() const noexcept
{
    uint64_t found = 0;
    for (const auto& r : ranks_)
        for (size_t length = 0; length <= 32 && r.rank.source != route_source::neighbour; ++length)
            found |= uint64_t{r.said.count_by_length()[length] > 0} << length;
    return found;
}

void route_table::watch(const net::ip4_prefix& network)
{
    for (uint32_t slot = network.network.value >> 16; slot <= network.last().value >> 16; ++slot)
        watched_[slot / 32] |= 1u << slot % 32;
}

void route_table::judge_routes_over(std::span<const load_balance_index> balances)
{
    if (count_of(route_source::fixed) + count_of(route_source::kernel) == 0)
        return;
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
    const auto until = clock::now() + budget;
    for (size_t places = 0; judging_ && (places < least || clock::now() < until); places += group) {
        if (!find_judged()) {
            end_pass();
            continue;
        }
        const prefix_set& said = ranks_[place_].said;
        group_.clear();
        at_ = said.walk(at_, group, [&](const net::ip4_prefix& prefix, load_balance_index balance) {
            if (balance < noted_.size() && noted_[balance] != 0)
                group_.push_back(prefix);
        });
        for (const auto& prefix : group_)
            table_.prefetch(prefix);
        for (const auto& prefix : group_) {
            left_out_ += place(prefix) ? 0 : 1;
            tell(prefix);
        }
    }
    return !judging_;
}

// Goes on to the next rank of static or learned routes where one is done; false if there is none.
// One that was laid out anew meanwhile is begun again.
bool route_table::find_judged() noexcept
{
    for (; place_ < ranks_.size(); ++place_, at_ = capacity_ = 0) {
        const auto& [rank, said] = ranks_[place_];
        if (rank.source != route_source::fixed && rank.source != route_source::kernel)
            continue;
        if (std::exchange(capacity_, said.capacity()) != said.capacity())
            at_ = 0;
        if (at_ < capacity_)
            return true;
    }
    return false;
}

std::optional<load_balance_index> route_table::find(const net::ip4_prefix& prefix,
                                                    const route_rank& rank) const
{
    const prefix_set* said = said_by(rank);
    return said == nullptr ? std::nullopt : said->find(prefix);
}

std::vector<route> route_table::of(const net::ip4_prefix& prefix) const
{
    std::vector<route> all;
    for (const auto& r : ranks_)
        if (const auto balance = r.said.find(prefix))
            all.push_back({prefix, r.rank, *balance, false});
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
    place_ = at_ = capacity_ = 0;
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
    noted_list_ = {};
    noted_ = {}; // there may be a thousand VRFs
}

const std::array<uint32_t, 33>& route_table::count_by_length() const noexcept
{
    return table_.prefixes().count_by_length();
}

size_t route_table::memory_bytes() const noexcept
{
    size_t bytes = table_.memory_bytes();
    for (const auto& r : ranks_)
        bytes += r.said.memory_bytes();
    return bytes;
}

bool route_table::reserve(size_t count, const route_rank& rank)
{
    const auto made = make_rank(rank);
    return made && (*made)->reserve(count) && table_.reserve(count);
}

void route_table::prefetch(const net::ip4_prefix& prefix, const route_rank& rank) const noexcept
{
    if (const prefix_set* said = said_by(rank))
        said->prefetch(prefix);
    table_.prefetch(prefix);
}

} // namespace weft::ip4
