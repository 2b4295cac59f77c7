// SPDX-License-Identifier: Apache-2.0
// The router's own addresses as the workers read them.
#include "nodes/ip4/own_addresses.hh"

#include <algorithm>

namespace weft::ip4 {

own_addresses::own_addresses(std::vector<owned> all) : all_{std::move(all)}
{
    for (const auto& o : all_)
        know(o.address);
    for (const auto& o : all_)
        if (const auto network = o.network(); network.has_ends()) {
            know(network.network);
            know(network.last());
        }
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
    return std::any_of(all_.begin(), all_.end(),
                       [&](const auto& o) { return o.network().is_end(a); });
}

bool own_addresses::search(net::ip4_address a) const noexcept
{
    return std::any_of(all_.begin(), all_.end(), [&](const auto& o) { return o.address == a; });
}

bool own_addresses::on_interface(net::ip4_address a, interface_index interface) const noexcept
{
    return may_contain(a) && std::any_of(all_.begin(), all_.end(), [&](const auto& o) {
               return o.address == a && o.interface == interface;
           });
}

std::optional<interface_index> own_addresses::interface_towards(net::ip4_address a) const noexcept
{
    if (contains(a))
        return {};
    for (const auto& o : all_)
        if (o.network().has_host(a))
            return o.interface;
    return {};
}

net::ip4_address own_addresses::source_for(net::ip4_address peer,
                                           interface_index interface) const noexcept
{
    net::ip4_address first;
    for (const auto& o : all_) {
        if (o.interface != interface)
            continue;
        if (o.network().contains(peer))
            return o.address;
        if (first.value == 0)
            first = o.address;
    }
    return first;
}

} // namespace weft::ip4
