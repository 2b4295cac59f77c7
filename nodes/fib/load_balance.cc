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
size_t bucket_count(uint64_t weights)
{
    const uint64_t wanted = std::has_single_bit(weights) ? weights : std::bit_ceil(weights * 8);
    return std::min<uint64_t>(wanted, forwarding::max_buckets);
}

uint64_t sum_of(const std::vector<path_share>& paths)
{
    return std::accumulate(paths.begin(), paths.end(), uint64_t{0},
                           [](uint64_t sum, const path_share& p) { return sum + p.weight; });
}

// How many of `count` buckets each path is to have: as its weight says, but none is without,
// however little that is.
std::vector<int> targets(const std::vector<path_share>& paths, size_t count)
{
    const uint64_t total = sum_of(paths);
    std::vector<int> wanted;
    std::vector<std::pair<uint64_t, size_t>> rests; // what was rounded off, the most first
    int left = static_cast<int>(count);
    for (const auto& p : paths) {
        const uint64_t share = uint64_t{count} * p.weight;
        wanted.push_back(std::max(static_cast<int>(share / total), 1));
        rests.emplace_back(~(share % total), rests.size());
        left -= wanted.back();
    }
    std::sort(rests.begin(), rests.end());
    for (size_t n = 0; left > 0; ++n, --left)
        ++wanted[rests[n % rests.size()].second];
    for (; left < 0; ++left)
        --*std::max_element(wanted.begin(), wanted.end());
    return wanted;
}

bool has(const std::vector<path_share>& paths, next_hop_index hop)
{
    return std::any_of(paths.begin(), paths.end(), [&](const auto& p) { return p.hop == hop; });
}

} // namespace

result<load_balance_index> forwarding::balance(const std::vector<next_hop_index>& hops)
{
    std::vector<weighted_hop> equal;
    for (auto hop : hops)
        equal.push_back({hop, 1});
    return weighted_balance(std::move(equal));
}

result<load_balance_index> forwarding::weighted_balance(std::vector<weighted_hop> hops,
                                                        load_balance_index instead_of)
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
    if (const auto known = share_known(hops, instead_of); known != 0)
        return known;
    const load_balance_index index = take_balance();
    if (index == 0)
        return fail(errc::exhausted, "{} load balances exist, which is the maximum",
                    max_load_balances);
    balance_entry& entry = entries_[index];
    entry.hops = std::move(hops);
    entry.users = 1;
    for (const auto& h : entry.hops) {
        ++next_hops_.at(h.hop).users;
        next_hops_.at(h.hop).named_by.push_back(index);
    }
    index_by_hops(index, entry);
    const auto seed = entries_.find(instead_of);
    lay_out(index, seed == entries_.end() ? entry : seed->second);
    has_path_[index] = any_usable(entry.paths);
    refill(index);
    return index;
}

load_balance_index forwarding::take_balance()
{
    load_balance_index index = 0;
    if (!free_balances_.empty()) {
        index = free_balances_.back();
        free_balances_.pop_back();
    } else if (balances_used_ < max_load_balances) {
        index = balances_used_++;
    }
    if (index != 0) {
        balances_[index].mask.store(0, std::memory_order_relaxed);
        balances_[index].buckets.store(nullptr, std::memory_order_relaxed);
    }
    return index;
}

// The one that exists over these next hops, held once more; where a route is to leave another for
// it, one whose buckets suit the flows of that. 0: there is none.
load_balance_index forwarding::share_known(const std::vector<weighted_hop>& hops,
                                           load_balance_index instead_of)
{
    const auto from = entries_.find(instead_of);
    const auto [begin, end] = by_hops_.equal_range(hops);
    if (begin == end)
        return 0;
    auto found = begin;
    if (from != entries_.end()) {
        found = std::find_if(begin, end, [&](const auto& known) {
            return known.second == instead_of ||
                   keeps_flows(from->second, entries_.at(known.second));
        });
        if (found == end && std::distance(begin, end) < static_cast<ptrdiff_t>(max_arrangements))
            return 0;
        found = found == end ? begin : found;
    }
    ++entries_.at(found->second).users;
    return found->second;
}

// Whose bucket a flow's is: of `bucket` in any power of two that is not less than there are.
next_hop_index forwarding::owner_of(const balance_entry& entry, size_t bucket)
{
    if (entry.shares.empty())
        return entry.paths.front().hop;
    return entry.paths[entry.shares[bucket & (entry.shares.size() - 1)].own].hop;
}

// Whether all flows of one load balance stay with their next hop in another, if that has it; but
// for those that it gives to next hops that are new.
bool forwarding::keeps_flows(const balance_entry& from, const balance_entry& to)
{
    const size_t count = std::max(from.shares.size(), to.shares.size());
    for (size_t bucket = 0; bucket < count; ++bucket) {
        const auto before = owner_of(from, bucket);
        const auto after = owner_of(to, bucket);
        if (before != after && has(to.paths, before) && has(from.paths, after))
            return false;
    }
    return true;
}

std::vector<path_share> combine(const std::vector<weighted_part>& parts, size_t max)
{
    constexpr uint64_t whole = uint64_t{1} << 32;
    uint64_t common = 1; // a multiple of all sums, or a large number
    for (const auto& part : parts)
        common = std::min(std::lcm(common, std::max<uint64_t>(sum_of(part.of), 1)), whole);
    std::map<next_hop_index, uint64_t> weights;
    for (const auto& part : parts)
        for (const auto& p : part.of)
            weights[p.hop] += std::max<uint64_t>(
                part.weight * (common * p.weight / std::max<uint64_t>(sum_of(part.of), 1)), 1);
    std::vector<std::pair<uint64_t, next_hop_index>> heaviest;
    for (const auto& [hop, weight] : weights)
        heaviest.emplace_back(~weight, hop);
    std::sort(heaviest.begin(), heaviest.end());
    heaviest.resize(std::min(heaviest.size(), max));
    uint64_t divisor = 0, sum = 0;
    for (const auto& [weight, hop] : heaviest) {
        divisor = std::gcd(divisor, ~weight);
        sum += ~weight;
    }
    const bool fine = divisor != 0 && sum / divisor > forwarding::max_buckets;
    std::vector<path_share> all;
    for (const auto& [weight, hop] : heaviest)
        all.push_back(
            {hop,
             static_cast<uint32_t>(std::max<uint64_t>(
                 fine ? ~weight / (sum / forwarding::max_buckets + 1) : ~weight / divisor, 1))});
    std::sort(all.begin(), all.end());
    return all;
}

// A next hop that rests on nothing stands for itself, so that its flows can wait for it.
std::vector<path_share> forwarding::paths_of(const balance_entry& entry) const
{
    std::vector<weighted_part> parts;
    for (const auto& h : entry.hops) {
        const auto& on = next_hops_.at(h.hop).rests_on;
        parts.push_back({h.weight, on.empty() ? std::vector<path_share>{{h.hop, 1}} : on});
    }
    return combine(parts, max_paths);
}

// Finds what its next hops come to, and shares its buckets out: as `seed`, which may be itself, has
// them as far as that goes.
void forwarding::lay_out(load_balance_index index, const balance_entry& seed)
{
    balance_entry& entry = entries_.at(index);
    balance_entry fresh;
    fresh.paths = paths_of(entry);
    for (const auto& p : fresh.paths)
        next_hops_.at(p.hop).balances.push_back(index);
    const size_t count =
        std::max({bucket_count(sum_of(fresh.paths)), seed.shares.size(), entry.shares.size()});
    if (count > 1 && (fresh.paths.size() > 1 || !entry.shares.empty())) {
        inherit(fresh, seed, count);
        share_out(fresh);
    }
    forget_paths(index);
    entry.paths = std::move(fresh.paths);
    entry.shares = std::move(fresh.shares);
}

// Once for each path: one that stays is there twice meanwhile.
void forwarding::forget_paths(load_balance_index index)
{
    for (const auto& p : entries_.at(index).paths) {
        auto& list = next_hops_.at(p.hop).balances;
        list.erase(std::find(list.begin(), list.end(), index));
    }
}

// So many buckets, each with the owner that it has in another load balance, if there is one.
void forwarding::inherit(balance_entry& entry, const balance_entry& from, size_t count)
{
    entry.shares.assign(count, {});
    if (from.paths.empty())
        return;
    const auto place_of = [&](next_hop_index hop) {
        const auto found = std::find_if(entry.paths.begin(), entry.paths.end(),
                                        [&](const auto& p) { return p.hop == hop; });
        return found == entry.paths.end() ? nobody
                                          : static_cast<uint8_t>(found - entry.paths.begin());
    };
    for (size_t bucket = 0; bucket < count; ++bucket) {
        entry.shares[bucket].own = place_of(owner_of(from, bucket));
        if (from.shares.empty())
            continue;
        const uint8_t by = from.shares[bucket & (from.shares.size() - 1)].served_by;
        entry.shares[bucket].served_by = by == nobody ? nobody : place_of(from.paths[by].hop);
    }
}

// What one of its next hops comes to has changed.
void forwarding::follow_paths(load_balance_index index)
{
    balance_entry& entry = entries_.at(index);
    if (paths_of(entry) != entry.paths)
        lay_out(index, entry);
    refill(index);
}

void forwarding::index_by_hops(load_balance_index index, const balance_entry& entry)
{
    auto key = entry.hops;
    std::sort(key.begin(), key.end());
    by_hops_.emplace(std::move(key), index);
}

void forwarding::forget_hops(load_balance_index index, const balance_entry& entry)
{
    auto key = entry.hops;
    std::sort(key.begin(), key.end());
    const auto [begin, end] = by_hops_.equal_range(key);
    for (auto known = begin; known != end; ++known)
        if (known->second == index) {
            by_hops_.erase(known);
            return;
        }
}

void forwarding::refill(load_balance_index index)
{
    balance_entry& entry = entries_.at(index);
    if (const uint8_t has_one = any_usable(entry.paths);
        std::exchange(has_path_[index], has_one) != has_one)
        changed_.push_back(index);
    if (entry.shares.empty()) {
        const next_hop& only = next_hops_.at(entry.paths.front().hop);
        paths_[index].store(path_to(usable(only) ? only.adjacency : 0), std::memory_order_release);
        return;
    }
    serve(entry);
    publish_buckets(index);
    paths_[index].store(path::several(), std::memory_order_release);
}

// Workers may be reading the buckets: more of them are written beside those, which are freed after
// a grace period. Whoever still has the smaller mask finds the same paths in both.
void forwarding::publish_buckets(load_balance_index index)
{
    balance_entry& entry = entries_.at(index);
    load_balance& live = balances_[index];
    const size_t had = entry.buckets == nullptr ? 0 : live.mask.load() + size_t{1};
    const bool grows = had != entry.shares.size();
    auto fresh = grows ? std::make_unique<atomic_path[]>(entry.shares.size()) : nullptr;
    atomic_path* const to = grows ? fresh.get() : entry.buckets.get();
    for (size_t bucket = 0; bucket < entry.shares.size(); ++bucket) {
        const uint8_t by = entry.shares[bucket].served_by;
        to[bucket].store(path_to(by == nobody ? 0 : next_hops_.at(entry.paths[by].hop).adjacency),
                         std::memory_order_release);
    }
    if (!grows)
        return;
    live.buckets.store(to, std::memory_order_release);
    live.mask.store(static_cast<uint32_t>(entry.shares.size() - 1), std::memory_order_release);
    std::shared_ptr<atomic_path[]> old{std::exchange(entry.buckets, std::move(fresh))};
    if (old != nullptr)
        engine_.rcu().defer([old] {});
}

// Gives each path the buckets that its weight says: those that it has, and of the others some as
// far from each other as can be.
void forwarding::share_out(balance_entry& entry)
{
    auto missing = targets(entry.paths, entry.shares.size());
    int total = 0;
    for (auto& bucket : entry.shares) {
        if (bucket.own != nobody && missing[bucket.own] == 0)
            bucket.own = nobody;
        if (bucket.own != nobody)
            --missing[bucket.own];
        else
            ++total;
    }
    std::vector<int> behind(entry.paths.size());
    for (auto& bucket : entry.shares) {
        if (bucket.own != nobody)
            continue;
        for (size_t place = 0; place < behind.size(); ++place)
            behind[place] += missing[place];
        const auto most = std::max_element(behind.begin(), behind.end());
        *most -= total;
        bucket.own = static_cast<uint8_t>(most - behind.begin());
    }
}

// Chooses the path of each bucket: its own if that can be used; otherwise the one that it has
// borrowed, unless that one serves more than its share; otherwise the one that serves least, for
// its weight.
void forwarding::serve(balance_entry& entry) const
{
    std::array<uint64_t, max_paths> served{};
    std::array<bool, max_paths> good{};
    uint64_t weights = 0;
    for (size_t place = 0; place < entry.paths.size(); ++place) {
        good[place] = usable(next_hops_.at(entry.paths[place].hop));
        weights += good[place] ? entry.paths[place].weight : 0u;
    }
    const uint64_t buckets = entry.shares.size();
    const auto weight = [&](size_t place) { return uint64_t{entry.paths[place].weight}; };
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
        for (size_t place = 0; place < entry.paths.size(); ++place)
            if (good[place] &&
                (least == nobody || served[place] * weight(least) < served[least] * weight(place)))
                least = place;
        ++served[bucket.served_by = static_cast<uint8_t>(least)];
    }
}

bool forwarding::any_usable(const std::vector<path_share>& paths) const
{
    return std::any_of(paths.begin(), paths.end(),
                       [&](const auto& p) { return usable(next_hops_.at(p.hop)); });
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
    forget_paths(index);
    for (const auto& h : entry.hops) {
        std::erase(next_hops_.at(h.hop).named_by, index);
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
    const auto* live = balances_[index].buckets.load();
    std::vector<adjacency_index> found;
    if (live == nullptr)
        found.push_back(paths_[index].load().adjacency());
    else
        for (uint32_t bucket = 0; bucket <= balances_[index].mask.load(); ++bucket)
            found.push_back(live[bucket].load().adjacency());
    return found;
}

} // namespace weft::fib
