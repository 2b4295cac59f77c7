// SPDX-License-Identifier: Apache-2.0
// Next hops and adjacencies: prepared beside the live ones, then put in their place.
#include "nodes/fib/forwarding.hh"

#include "base/net/headers.hh"
#include "graph/engine.hh"
#include "nodes/interface/interface.hh"
#include "nodes/interface/link.hh"
#include "nodes/interface/link_header.hh"

#include <algorithm>
#include <cstring>
#include <sys/mman.h>

namespace weft::fib {

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

} // namespace

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

void forwarding::write(adjacency& to, const next_hop& hop) const
{
    adjacency fresh;
    fresh.kind = hop.mac ? adjacency_kind::rewrite : adjacency_kind::glean;
    fresh.interface = hop.interface;
    fresh.next_hop = hop.address;
    fresh.watched = hop.watched;
    const auto& hot = interfaces_of(engine_).hot(hop.interface);
    fresh.mtu = hot.mtu.load(std::memory_order_relaxed);
    if (hop.mac) {
        const link_header header{interfaces_of(engine_), hop.interface, *hop.mac,
                                 net::ether_type::of(hop.address.of())};
        fresh.set_rewrite(header.bytes());
    }
    to = fresh;
}

result<next_hop_index> forwarding::acquire(interface_index interface,
                                           const net::ip_address& address, vrf_index vrf,
                                           std::string_view device)
{
    const hop_key key{interface, vrf, address, device};
    if (const auto known = by_address_.find(key); known != by_address_.end()) {
        ++next_hops_.at(known->second).users;
        return known->second;
    }
    const bool is_there = interface != no_interface;
    const adjacency_index adjacency = is_there ? take_adjacency() : 0;
    if (is_there && adjacency == 0)
        return fail(errc::exhausted, "{} adjacencies exist, which is the maximum", max_adjacencies);
    const next_hop_index index = ++last_next_hop_;
    next_hop& hop = next_hops_[index];
    hop.interface = interface;
    hop.vrf = vrf;
    hop.address = address;
    hop.device = device;
    hop.adjacency = adjacency;
    hop.interface_up = is_there && is_up(interfaces_of(engine_), interface);
    hop.on_link = is_there;
    hop.users = 1;
    if (is_there)
        write(adjacencies_[adjacency], hop);
    by_address_.emplace(key, index);
    return index;
}

void forwarding::release(next_hop_index index)
{
    next_hop& hop = next_hops_.at(index);
    if (--hop.users > 0)
        return;
    by_address_.erase({hop.interface, hop.vrf, hop.address, hop.device});
    if (hop.adjacency >= special_count)
        engine_.rcu().defer([this, old = hop.adjacency] { free_adjacencies_.push_back(old); });
    const auto others = std::move(hop.rests_on);
    next_hops_.erase(index);
    for (const auto& other : others)
        release(other.hop);
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
    write(adjacencies_[fresh], hop);
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
        return fail(errc::exhausted, "{} adjacencies exist, which is the maximum", max_adjacencies);
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
                                               const net::ip_address& address, vrf_index vrf) const
{
    const auto known = by_address_.find({interface, vrf, address, {}});
    return known == by_address_.end() ? std::nullopt : std::optional{known->second};
}

void forwarding::set_on_link(next_hop_index index, bool on_link)
{
    next_hop& hop = next_hops_.at(index);
    if (hop.on_link == on_link || hop.pinned)
        return;
    hop.on_link = on_link;
    flips_ = true;
    for (auto balance : hop.balances)
        refill(balance);
}

void forwarding::pin(next_hop_index index)
{
    set_on_link(index, true);
    next_hops_.at(index).pinned = true;
}

result<void> forwarding::move(next_hop_index index, interface_index to, std::string_view device)
{
    const auto there = acquire(to, next_hops_.at(index).address, next_hops_.at(index).vrf, device);
    if (!there)
        return pass(there);
    flips_ = true;
    for (auto balance : std::vector{next_hops_.at(index).named_by}) {
        balance_entry& entry = entries_.at(balance);
        forget_hops(balance, entry);
        forget_paths(balance);
        for (auto& h : entry.hops)
            h.hop = h.hop == index ? *there : h.hop;
        for (auto& p : entry.paths) {
            p.hop = p.hop == index ? *there : p.hop;
            next_hops_.at(p.hop).balances.push_back(balance);
        }
        index_by_hops(balance, entry);
        next_hops_.at(*there).named_by.push_back(balance);
        ++next_hops_.at(*there).users;
        std::erase(next_hops_.at(index).named_by, balance);
        follow_paths(balance);
        release(index);
    }
    release(*there);
    return {};
}

void forwarding::rest_on(next_hop_index index, std::vector<path_share> others)
{
    if (next_hops_.at(index).rests_on == others)
        return;
    for (const auto& other : others)
        ++next_hops_.at(other.hop).users;
    const auto before = std::exchange(next_hops_.at(index).rests_on, std::move(others));
    for (auto balance : std::vector{next_hops_.at(index).named_by})
        follow_paths(balance);
    for (const auto& other : before)
        release(other.hop);
}

std::vector<next_hop_index> forwarding::unlinked() const
{
    return behind({});
}

std::vector<next_hop_index> forwarding::behind(std::string_view device) const
{
    std::vector<next_hop_index> found;
    for (auto at = by_address_.lower_bound(no_interface_key()); at != by_address_.end(); ++at)
        if (std::get<3>(at->first) == device)
            found.push_back(at->second);
    return found;
}

bool forwarding::has_unlinked(vrf_index vrf, const net::ip_address& from,
                              const net::ip_address& to) const
{
    if (!has_unlinked())
        return false;
    for (auto at = by_address_.lower_bound({no_interface, vrf, from, {}});
         at != by_address_.end() && std::get<1>(at->first) == vrf && std::get<2>(at->first) <= to;
         ++at)
        if (std::get<3>(at->first).empty())
            return true;
    return false;
}

// Whether its adjacency would be written differently now.
bool forwarding::is_outdated(const next_hop& hop) const
{
    adjacency now;
    write(now, hop);
    const adjacency& live = adjacencies_[hop.adjacency];
    return now.mtu != live.mtu || now.rewrite_bytes != live.rewrite_bytes ||
           now.rewrite != live.rewrite;
}

void forwarding::interface_changed(interface_index interface)
{
    const bool up = is_up(interfaces_of(engine_), interface);
    std::vector<load_balance_index> to_refill;
    for (auto at = by_address_.lower_bound({interface, default_vrf, net::ip_address::lowest(), {}});
         at != by_address_.end() && std::get<0>(at->first) == interface; ++at) {
        next_hop& hop = next_hops_.at(at->second);
        if (std::exchange(hop.interface_up, up) != up) {
            flips_ = true;
            to_refill.insert(to_refill.end(), hop.balances.begin(), hop.balances.end());
        }
        if (is_outdated(hop))
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

std::string forwarding::describe(adjacency_index index) const
{
    const adjacency& a = adjacencies_[index];
    if (index < special_count)
        return std::string{to_string(a.kind)};
    const std::string name = interfaces_of(engine_).at(a.interface).name;
    if (a.kind == adjacency_kind::glean)
        return a.next_hop.is_none()
                   ? fmt::format("glean {}", name)
                   : fmt::format("glean {} via {}", name, net::to_string(a.next_hop));
    net::ethernet_header header;
    std::memcpy(&header, a.rewrite.data(), sizeof header);
    return fmt::format("rewrite {} via {} mtu {} {} -> {}", name, net::to_string(a.next_hop), a.mtu,
                       net::to_string(header.source), net::to_string(header.destination));
}

} // namespace weft::fib
