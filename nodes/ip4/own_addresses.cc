// SPDX-License-Identifier: Apache-2.0
// The router's own addresses as the workers read them.
#include "nodes/ip4/own_addresses.hh"

#include <algorithm>
#include <functional>

namespace weft::ip4 {

namespace {

// Most files list interfaces and addresses in order, and one of thousands changes at a time.
template <class T, class Before>
void in_order(std::vector<T>& all, Before before)
{
    if (!std::is_sorted(all.begin(), all.end(), before))
        std::stable_sort(all.begin(), all.end(), before);
}

} // namespace

own_addresses::own_addresses(std::vector<owned> all) : all_{std::move(all)}, by_interface_{all_}
{
    for (const auto& o : all_) {
        know(o.address);
        addresses_.push_back(o.address.value);
    }
    for (const auto& o : all_) {
        const auto of = o.network();
        networks_.push_back({of.network.value, of.last().value, o.interface});
        if (!of.has_ends())
            continue;
        know(of.network);
        know(of.last());
        ends_.insert(ends_.end(), {of.network.value, of.last().value});
    }
    in_order(by_interface_, [](const auto& a, const auto& b) { return a.interface < b.interface; });
    in_order(addresses_, std::less<>{});
    in_order(ends_, std::less<>{});
    in_order(networks_, [](const auto& a, const auto& b) { return a.first < b.first; });
}

std::span<const own_addresses::owned> own_addresses::of(interface_index interface) const noexcept
{
    const auto begin = std::lower_bound(by_interface_.begin(), by_interface_.end(), interface,
                                        [](const auto& o, auto i) { return o.interface < i; });
    auto end = begin;
    while (end != by_interface_.end() && end->interface == interface)
        ++end;
    return {begin, end};
}

void own_addresses::know(net::ip4_address a) noexcept
{
    filter_[slot_of(a.value) / 32] |= 1u << slot_of(a.value) % 32;
    if (known_ < few)
        wire_[known_] = a.wire().wire();
    ++known_;
}

bool own_addresses::search_ends(net::ip4_address a) const noexcept
{
    return std::binary_search(ends_.begin(), ends_.end(), a.value);
}

bool own_addresses::search(net::ip4_address a) const noexcept
{
    return std::binary_search(addresses_.begin(), addresses_.end(), a.value);
}

bool own_addresses::on_interface(net::ip4_address a, interface_index interface) const noexcept
{
    if (!may_contain(a))
        return false;
    const auto those = of(interface);
    return std::any_of(those.begin(), those.end(), [&](const auto& o) { return o.address == a; });
}

// Networks of one VRF do not overlap, but for an interface's that are the same.
std::optional<interface_index> own_addresses::interface_towards(net::ip4_address a) const noexcept
{
    if (contains(a) || is_broadcast(a))
        return {};
    const auto behind = std::upper_bound(networks_.begin(), networks_.end(), a.value,
                                         [](auto value, const auto& n) { return value < n.first; });
    if (behind == networks_.begin() || std::prev(behind)->last < a.value)
        return {};
    return std::prev(behind)->interface;
}

net::ip4_address own_addresses::source_for(net::ip4_address peer,
                                           interface_index interface) const noexcept
{
    const auto those = of(interface);
    for (const auto& o : those)
        if (o.network().contains(peer))
            return o.address;
    return those.empty() ? net::ip4_address{} : those.front().address;
}

} // namespace weft::ip4
