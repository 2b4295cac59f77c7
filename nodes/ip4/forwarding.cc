// SPDX-License-Identifier: Apache-2.0
// Next hops, adjacencies and load balances: prepared beside the live ones, then put in their place.
#include "nodes/ip4/forwarding.hh"

#include "base/net/headers.hh"
#include "graph/engine.hh"
#include "nodes/interface/interface.hh"
#include "nodes/interface/link.hh"
#include "nodes/ip4/lookup_verdicts.hh"

#include <algorithm>
#include <bit>
#include <cstring>
#include <sys/mman.h>

namespace weft::ip4 {

namespace {

template <class T>
T* map_table(size_t count)
{
    void* region = mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (region == MAP_FAILED)
        throw std::bad_alloc{};
    return static_cast<T*>(region); // zero bytes are valid objects of all tables
}

// With a power of two of paths each gets the same share; otherwise enough buckets make the shares
// differ by less than a quarter.
uint32_t bucket_count(size_t paths)
{
    if (std::has_single_bit(paths))
        return static_cast<uint32_t>(paths);
    return static_cast<uint32_t>(std::bit_ceil(paths * 8));
}

} // namespace

std::string_view to_string(adjacency_kind kind) noexcept
{
    switch (kind) {
    case adjacency_kind::unreachable:
        return "unreachable";
    case adjacency_kind::blackhole:
        return "blackhole";
    case adjacency_kind::local:
        return "local";
    case adjacency_kind::multicast:
        return "multicast";
    case adjacency_kind::broadcast:
        return "broadcast";
    case adjacency_kind::martian:
        return "martian";
    case adjacency_kind::glean:
        return "glean";
    case adjacency_kind::rewrite:
        return "rewrite";
    }
    return "?";
}

void adjacency::set_rewrite(std::span<const std::byte> header) noexcept
{
    rewrite_bytes = static_cast<uint8_t>(std::min(header.size(), max_rewrite));
    rewrite = {};
    std::copy_n(header.begin(), rewrite_bytes, rewrite.begin());
    plain_mtu = rewrite_bytes == sizeof(net::ethernet_header) ? mtu : uint16_t{0};
}

forwarding::forwarding(engine& engine)
    : engine_{engine},
      adjacencies_{map_table<adjacency>(max_adjacencies)},
      balances_{map_table<load_balance>(max_load_balances)},
      paths_{map_table<atomic_path>(max_load_balances)},
      has_path_(max_load_balances)
{
    for (uint32_t i = 0; i < special_count; ++i) {
        const auto kind = static_cast<adjacency_kind>(i);
        adjacencies_[i].kind = kind;
        adjacencies_[i].interface = no_interface;
        adjacencies_[i].lookup_verdict = lookup_verdict_of(kind);
        paths_[i].store(path_to(i), std::memory_order_relaxed);
        has_path_[i] = 1;
    }
}

forwarding::~forwarding()
{
    munmap(adjacencies_, max_adjacencies * sizeof(adjacency));
    munmap(balances_, max_load_balances * sizeof(load_balance));
    munmap(paths_, max_load_balances * sizeof(atomic_path));
}

adjacency_index forwarding::take_adjacency()
{
    if (!free_adjacencies_.empty()) {
        const auto index = free_adjacencies_.back();
        free_adjacencies_.pop_back();
        return index;
    }
    return adjacencies_used_ < max_adjacencies ? adjacencies_used_++ : 0;
}

void forwarding::write(adjacency& to, const next_hop& hop, next_hop_index index) const
{
    adjacency fresh;
    fresh.kind = hop.mac ? adjacency_kind::rewrite : adjacency_kind::glean;
    fresh.lookup_verdict = lookup_verdict_of(fresh.kind);
    fresh.interface = hop.interface;
    fresh.next_hop = hop.address;
    fresh.owner = index;
    fresh.watched = hop.watched;
    const auto& hot = interfaces_of(engine_).hot(hop.interface);
    fresh.mtu = hot.mtu.load(std::memory_order_relaxed);
    if (hop.mac) {
        const net::ethernet_header header{*hop.mac, hot.mac, net::ether_type::ip4};
        fresh.set_rewrite(std::as_bytes(std::span{&header, 1}));
    }
    to = fresh;
}

result<next_hop_index> forwarding::acquire(interface_index interface, net::ip4_address address)
{
    const auto key = std::pair{interface, address};
    if (const auto known = by_address_.find(key); known != by_address_.end()) {
        ++next_hops_.at(known->second).users;
        return known->second;
    }
    const adjacency_index adjacency = take_adjacency();
    if (adjacency == 0)
        return fail(errc::exhausted, "{} adjacencies exist, the most there can be",
                    max_adjacencies);
    const next_hop_index index = ++last_next_hop_;
    next_hop& hop = next_hops_[index];
    hop.interface = interface;
    hop.address = address;
    hop.adjacency = adjacency;
    hop.interface_up = is_up(interfaces_of(engine_), interface);
    hop.users = 1;
    write(adjacencies_[adjacency], hop, index);
    by_address_.emplace(key, index);
    return index;
}

void forwarding::release(next_hop_index index)
{
    next_hop& hop = next_hops_.at(index);
    if (--hop.users > 0)
        return;
    by_address_.erase({hop.interface, hop.address});
    engine_.rcu().defer([this, old = hop.adjacency] { free_adjacencies_.push_back(old); });
    next_hops_.erase(index);
}

// Gives the next hop a new adjacency and lets every load balance with it follow.
void forwarding::rebuild(next_hop_index index)
{
    next_hop& hop = next_hops_.at(index);
    const adjacency_index fresh = take_adjacency();
    if (fresh == 0) {
        // the old one stays, since no other is free; whether it may be used is told all the same
        for (auto balance : hop.balances)
            refill(balance);
        return;
    }
    write(adjacencies_[fresh], hop, index);
    std::atomic_thread_fence(std::memory_order_release);
    const adjacency_index old = std::exchange(hop.adjacency, fresh);
    for (auto balance : hop.balances)
        refill(balance);
    engine_.rcu().defer([this, old] { free_adjacencies_.push_back(old); });
}

result<void> forwarding::set_mac(next_hop_index index, std::optional<net::mac_address> mac)
{
    next_hop& hop = next_hops_.at(index);
    if (hop.mac == mac)
        return {};
    if (free_adjacencies_.empty() && adjacencies_used_ == max_adjacencies)
        return fail(errc::exhausted, "{} adjacencies exist, the most there can be",
                    max_adjacencies);
    hop.mac = mac;
    rebuild(index);
    return {};
}

void forwarding::watch(next_hop_index index, bool on)
{
    next_hop& hop = next_hops_.at(index);
    if (hop.watched == on)
        return;
    hop.watched = on;
    rebuild(index);
}

bool forwarding::used(next_hop_index index) const
{
    adjacency& a = adjacencies_[next_hops_.at(index).adjacency];
    return !a.watched || std::atomic_ref{a.used}.load(std::memory_order_relaxed) != 0;
}

std::optional<next_hop_index> forwarding::find(interface_index interface,
                                               net::ip4_address address) const
{
    const auto known = by_address_.find({interface, address});
    return known == by_address_.end() ? std::nullopt : std::optional{known->second};
}

void forwarding::set_on_link(next_hop_index index, bool on_link)
{
    next_hop& hop = next_hops_.at(index);
    if (hop.on_link == on_link)
        return;
    hop.on_link = on_link;
    for (auto balance : hop.balances)
        refill(balance);
}

result<void> forwarding::move(next_hop_index index, interface_index to)
{
    const auto there = acquire(to, next_hops_.at(index).address);
    if (!there)
        return pass(there);
    for (auto balance : std::vector{next_hops_.at(index).balances}) {
        balance_entry& entry = entries_.at(balance);
        forget_hops(balance, entry);
        std::replace(entry.hops.begin(), entry.hops.end(), index, *there);
        index_by_hops(balance, entry);
        next_hops_.at(*there).balances.push_back(balance);
        ++next_hops_.at(*there).users;
        std::erase(next_hops_.at(index).balances, balance);
        refill(balance);
        release(index);
    }
    release(*there);
    return {};
}

// Whether its adjacency would be written differently now.
bool forwarding::is_outdated(const next_hop& hop, next_hop_index index) const
{
    adjacency now;
    write(now, hop, index);
    const adjacency& live = adjacencies_[hop.adjacency];
    return now.mtu != live.mtu || now.rewrite_bytes != live.rewrite_bytes ||
           now.rewrite != live.rewrite;
}

void forwarding::interface_changed(interface_index interface)
{
    const bool up = is_up(interfaces_of(engine_), interface);
    std::vector<load_balance_index> to_refill;
    for (auto at = by_address_.lower_bound({interface, {}});
         at != by_address_.end() && at->first.first == interface; ++at) {
        next_hop& hop = next_hops_.at(at->second);
        if (std::exchange(hop.interface_up, up) != up)
            to_refill.insert(to_refill.end(), hop.balances.begin(), hop.balances.end());
        if (is_outdated(hop, at->second))
            rebuild(at->second);
    }
    std::sort(to_refill.begin(), to_refill.end());
    to_refill.erase(std::unique(to_refill.begin(), to_refill.end()), to_refill.end());
    for (auto balance : to_refill)
        refill(balance);
}

std::vector<next_hop_index> forwarding::next_hops() const
{
    std::vector<next_hop_index> indices;
    for (const auto& entry : by_address_)
        indices.push_back(entry.second);
    return indices;
}

result<load_balance_index> forwarding::balance(std::vector<next_hop_index> hops)
{
    std::sort(hops.begin(), hops.end());
    hops.erase(std::unique(hops.begin(), hops.end()), hops.end());
    if (hops.empty() || hops.size() > max_paths)
        return fail(errc::invalid_argument, "{} next hops; from 1 to {} are allowed", hops.size(),
                    max_paths);
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
        return fail(errc::exhausted, "{} load balances exist, the most there can be",
                    max_load_balances);
    }
    balance_entry& entry = entries_[index];
    entry.hops = hops;
    entry.users = 1;
    for (auto hop : hops) {
        ++next_hops_.at(hop).users;
        next_hops_.at(hop).balances.push_back(index);
    }
    load_balance& live = balances_[index];
    live.mask = 0;
    live.buckets = nullptr;
    if (hops.size() > 1) {
        const uint32_t count = bucket_count(hops.size());
        entry.buckets = std::make_unique<atomic_path[]>(count);
        live.buckets = entry.buckets.get();
        live.mask = count - 1;
        entry.served_by.assign(count, nobody);
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
        const next_hop& only = next_hops_.at(entry.hops.front());
        paths_[index].store(path_to(usable(only) ? only.adjacency : 0), std::memory_order_release);
        return;
    }
    serve(entry);
    for (uint32_t bucket = 0; bucket <= live.mask; ++bucket) {
        const uint8_t by = entry.served_by[bucket];
        live.buckets[bucket].store(
            path_to(by == nobody ? 0 : next_hops_.at(entry.hops[by]).adjacency),
            std::memory_order_release);
    }
    paths_[index].store(path::several(), std::memory_order_release);
}

// Chooses the path of each bucket: its own if that can be used; otherwise the one that it has
// borrowed, unless that one serves more than its share; otherwise the one that serves least.
void forwarding::serve(balance_entry& entry) const
{
    std::array<size_t, max_paths> served{};
    std::vector<uint8_t> good;
    for (size_t place = 0; place < entry.hops.size(); ++place)
        if (usable(next_hops_.at(entry.hops[place])))
            good.push_back(static_cast<uint8_t>(place));
    const size_t buckets = entry.served_by.size();
    const auto is_good = [&](uint8_t place) {
        return std::binary_search(good.begin(), good.end(), place);
    };
    const auto own = [&](size_t bucket) {
        return static_cast<uint8_t>(bucket % entry.hops.size());
    };
    for (size_t bucket = 0; bucket < buckets; ++bucket)
        if (is_good(own(bucket)))
            ++served[entry.served_by[bucket] = own(bucket)];
    const size_t share = good.empty() ? 0 : (buckets + good.size() - 1) / good.size();
    for (size_t bucket = 0; bucket < buckets; ++bucket) {
        uint8_t& by = entry.served_by[bucket];
        if (is_good(own(bucket)))
            continue;
        if (is_good(by) && served[by] < share)
            ++served[by];
        else
            by = nobody;
    }
    for (size_t bucket = 0; bucket < buckets && !good.empty(); ++bucket)
        if (uint8_t& by = entry.served_by[bucket]; by == nobody)
            ++served[by = *std::min_element(good.begin(), good.end(),
                                            [&](auto a, auto b) { return served[a] < served[b]; })];
}

bool forwarding::any_usable(const balance_entry& entry) const
{
    return std::any_of(entry.hops.begin(), entry.hops.end(),
                       [&](auto hop) { return usable(next_hops_.at(hop)); });
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
    for (auto hop : entry.hops) {
        std::erase(next_hops_.at(hop).balances, index);
        release(hop);
    }
    forget_hops(index, entry);
    std::shared_ptr<atomic_path[]> buckets{std::move(entry.buckets)};
    entries_.erase(index);
    engine_.rcu().defer([this, index, buckets] { free_balances_.push_back(index); });
}

const std::vector<next_hop_index>& forwarding::hops_of(load_balance_index index) const
{
    static const std::vector<next_hop_index> none;
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

std::string forwarding::describe(adjacency_index index) const
{
    const adjacency& a = adjacencies_[index];
    if (index < special_count)
        return std::string{to_string(a.kind)};
    const std::string name = interfaces_of(engine_).at(a.interface).name;
    if (a.kind == adjacency_kind::glean)
        return a.next_hop.value == 0
                   ? fmt::format("glean {}", name)
                   : fmt::format("glean {} via {}", name, net::to_string(a.next_hop));
    net::ethernet_header header;
    std::memcpy(&header, a.rewrite.data(), sizeof header);
    return fmt::format("rewrite {} via {} mtu {} {} -> {}", name, net::to_string(a.next_hop), a.mtu,
                       net::to_string(header.source), net::to_string(header.destination));
}

} // namespace weft::ip4
