// SPDX-License-Identifier: Apache-2.0
// Load balances: which path each flow of a route with several takes.
#include "nodes/fib/forwarding.hh"

#include "graph/engine.hh"

#include <algorithm>
#include <bit>
#include <numeric>

namespace weft::fib {

namespace {

// Where the weights add up to a power of two each path gets its share exactly; otherwise enough
// buckets make the shares differ by less than a quarter.
uint32_t bucket_count(uint32_t weights)
{
    const uint32_t wanted = std::has_single_bit(weights) ? weights : std::bit_ceil(weights * 8);
    return std::min(wanted, uint32_t{forwarding::max_buckets});
}

uint32_t sum_of(const std::vector<weighted_hop>& hops)
{
    return std::accumulate(hops.begin(), hops.end(), 0u,
                           [](uint32_t sum, const weighted_hop& h) { return sum + h.weight; });
}

} // namespace

result<load_balance_index> forwarding::balance(const std::vector<next_hop_index>& hops)
{
    std::vector<weighted_hop> equal;
    for (auto hop : hops)
        equal.push_back({hop, 1});
    return weighted_balance(std::move(equal));
}

result<load_balance_index> forwarding::weighted_balance(std::vector<weighted_hop> hops)
{
    const auto same = [](const weighted_hop& a, const weighted_hop& b) { return a.hop == b.hop; };
    std::sort(hops.begin(), hops.end());
    hops.erase(std::unique(hops.begin(), hops.end(), same), hops.end());
    if (hops.empty() || hops.size() > max_paths)
        return fail(errc::invalid_argument, "{} next hops; 1 to {} are allowed", hops.size(),
                    max_paths);
    uint16_t common = 0;
    for (const auto& h : hops)
        common = std::gcd(common, h.weight);
    for (auto& h : hops)
        if (h.weight < 1 || h.weight > max_weight)
            return fail(errc::invalid_argument, "a weight of {}; 1 to {} are allowed", h.weight,
                        max_weight);
        else
            h.weight = static_cast<uint16_t>(h.weight / common);
    if (const auto known = by_hops_.find(hops); known != by_hops_.end()) {
        ++entries_.at(known->second).users;
        return known->second;
    }
    load_balance_index index = 0;
    if (!free_balances_.empty()) {
        index = free_balances_.back();
        free_balances_.pop_back();
    } else if (balances_used_ < max_load_balances) {
        index = balances_used_++;
    } else {
        return fail(errc::exhausted, "{} load balances exist, which is the maximum",
                    max_load_balances);
    }
    balance_entry& entry = entries_[index];
    entry.hops = hops;
    entry.users = 1;
    for (const auto& h : hops) {
        ++next_hops_.at(h.hop).users;
        next_hops_.at(h.hop).balances.push_back(index);
    }
    load_balance& live = balances_[index];
    live.mask = 0;
    live.buckets = nullptr;
    if (hops.size() > 1) {
        const uint32_t count = bucket_count(sum_of(hops));
        entry.buckets = std::make_unique<atomic_path[]>(count);
        live.buckets = entry.buckets.get();
        live.mask = count - 1;
        entry.shares.resize(count);
        share_out(entry);
    }
    index_by_hops(index, entry);
    has_path_[index] = any_usable(entry);
    refill(index);
    return index;
}

void forwarding::index_by_hops(load_balance_index index, const balance_entry& entry)
{
    auto key = entry.hops;
    std::sort(key.begin(), key.end());
    by_hops_.emplace(std::move(key),
                     index); // after a move, two may have the same hops: the first is shared
}

void forwarding::forget_hops(load_balance_index index, const balance_entry& entry)
{
    auto key = entry.hops;
    std::sort(key.begin(), key.end());
    if (const auto known = by_hops_.find(key); known != by_hops_.end() && known->second == index)
        by_hops_.erase(known);
}

void forwarding::refill(load_balance_index index)
{
    balance_entry& entry = entries_.at(index);
    const load_balance& live = balances_[index];
    if (const uint8_t has_one = any_usable(entry);
        std::exchange(has_path_[index], has_one) != has_one)
        changed_.push_back(index);
    if (live.buckets == nullptr) {
        const next_hop& only = next_hops_.at(entry.hops.front().hop);
        paths_[index].store(path_to(usable(only) ? only.adjacency : 0), std::memory_order_release);
        return;
    }
    serve(entry);
    for (uint32_t bucket = 0; bucket <= live.mask; ++bucket) {
        const uint8_t by = entry.shares[bucket].served_by;
        live.buckets[bucket].store(
            path_to(by == nobody ? 0 : next_hops_.at(entry.hops[by].hop).adjacency),
            std::memory_order_release);
    }
    paths_[index].store(path::several(), std::memory_order_release);
}

// Gives each path its buckets, those of one as far from each other as can be: the next one goes to
// the path that is furthest behind its weight. None is without, however little its weight.
void forwarding::share_out(balance_entry& entry)
{
    const auto total = static_cast<int>(sum_of(entry.hops));
    std::vector<int> behind(entry.hops.size()), given(entry.hops.size());
    for (auto& bucket : entry.shares) {
        for (size_t place = 0; place < behind.size(); ++place)
            behind[place] += entry.hops[place].weight;
        const auto most = std::max_element(behind.begin(), behind.end());
        *most -= total;
        bucket.own = static_cast<uint8_t>(most - behind.begin());
        ++given[bucket.own];
    }
    for (size_t place = 0; place < given.size(); ++place)
        if (given[place] == 0) {
            const auto most = std::max_element(given.begin(), given.end()) - given.begin();
            std::find_if(entry.shares.begin(), entry.shares.end(), [&](const auto& bucket) {
                return bucket.own == most;
            })->own = static_cast<uint8_t>(place);
            --given[static_cast<size_t>(most)];
            ++given[place];
        }
}

// Chooses the path of each bucket: its own if that can be used; otherwise the one that it has
// borrowed, unless that one serves more than its share; otherwise the one that serves least, for
// its weight.
void forwarding::serve(balance_entry& entry) const
{
    std::array<uint32_t, max_paths> served{};
    std::array<bool, max_paths> good{};
    uint32_t weights = 0;
    for (size_t place = 0; place < entry.hops.size(); ++place) {
        good[place] = usable(next_hops_.at(entry.hops[place].hop));
        weights += good[place] ? entry.hops[place].weight : 0u;
    }
    const auto buckets = static_cast<uint32_t>(entry.shares.size());
    const auto weight = [&](size_t place) { return uint32_t{entry.hops[place].weight}; };
    for (auto& bucket : entry.shares)
        if (good[bucket.own])
            ++served[bucket.served_by = bucket.own];
    for (auto& bucket : entry.shares) {
        uint8_t& by = bucket.served_by;
        if (good[bucket.own])
            continue;
        if (by != nobody && good[by] && served[by] * weights < buckets * weight(by))
            ++served[by];
        else
            by = nobody;
    }
    if (weights == 0)
        return;
    for (auto& bucket : entry.shares) {
        if (bucket.served_by != nobody)
            continue;
        size_t least = nobody;
        for (size_t place = 0; place < entry.hops.size(); ++place)
            if (good[place] &&
                (least == nobody || served[place] * weight(least) < served[least] * weight(place)))
                least = place;
        ++served[bucket.served_by = static_cast<uint8_t>(least)];
    }
}

bool forwarding::any_usable(const balance_entry& entry) const
{
    return std::any_of(entry.hops.begin(), entry.hops.end(),
                       [&](const auto& h) { return usable(next_hops_.at(h.hop)); });
}

void forwarding::hold_balance(load_balance_index index)
{
    if (index >= special_count)
        ++entries_.at(index).users;
}

void forwarding::release_balance(load_balance_index index)
{
    if (index < special_count)
        return;
    balance_entry& entry = entries_.at(index);
    if (--entry.users > 0)
        return;
    for (const auto& h : entry.hops) {
        std::erase(next_hops_.at(h.hop).balances, index);
        release(h.hop);
    }
    forget_hops(index, entry);
    std::shared_ptr<atomic_path[]> buckets{std::move(entry.buckets)};
    entries_.erase(index);
    engine_.rcu().defer([this, index, buckets] { free_balances_.push_back(index); });
}

const std::vector<weighted_hop>& forwarding::hops_of(load_balance_index index) const
{
    static const std::vector<weighted_hop> none;
    const auto found = entries_.find(index);
    return found == entries_.end() ? none : found->second.hops;
}

uint32_t forwarding::users_of(load_balance_index index) const
{
    const auto found = entries_.find(index);
    return found == entries_.end() ? 0 : found->second.users;
}

std::vector<adjacency_index> forwarding::buckets_of(load_balance_index index) const
{
    const load_balance& live = balances_[index];
    std::vector<adjacency_index> found;
    if (live.buckets == nullptr)
        found.push_back(paths_[index].load().adjacency());
    else
        for (uint32_t bucket = 0; bucket <= live.mask; ++bucket)
            found.push_back(live.buckets[bucket].load().adjacency());
    return found;
}

} // namespace weft::fib
