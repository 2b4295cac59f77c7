// SPDX-License-Identifier: Apache-2.0
// Recursive next hops: the search through the routes of a VRF.
#include "nodes/ip4/recursive.hh"

#include "nodes/ip4/ip4.hh"

#include <algorithm>

namespace weft::ip4 {

namespace {

constexpr std::string_view no_network = "no connected network";
constexpr std::string_view only_default = "only the default route leads to it";
constexpr std::string_view nobodys = "the router's own address, or no host's";
constexpr std::string_view dropped = "its route drops packets";
constexpr std::string_view no_path = "no path of its route can be used";
constexpr std::string_view a_loop = "a loop: its route leads through itself";
constexpr std::string_view too_deep = "more than 8 next hops rest on each other";

// What an operator can mend first.
std::string_view worse(std::string_view a, std::string_view b) noexcept
{
    for (const auto why : {a_loop, too_deep, nobodys, dropped, no_path, only_default})
        if (a == why || b == why)
            return why;
    return no_network;
}

} // namespace

// What one next hop of a route to an address comes to. That of a `dev' route is the address itself.
std::vector<path_share> resolver::follow_hop(search& s, next_hop_index index, net::ip4_address to)
{
    const next_hop& hop = ip4_.hops().at(index);
    if (hop.interface == no_interface) {
        const bool looped = std::find(s.under.begin(), s.under.end(), index) != s.under.end();
        if (looped || s.under.size() >= max_depth) {
            s.why = worse(s.why, looped ? a_loop : too_deep);
            return {};
        }
        return find(s, index).on;
    }
    if (!hop.address.is_none())
        return {{index, 1}};
    const auto made = ip4_.hops().acquire(hop.interface, to, hop.vrf);
    if (!made)
        return {};
    ip4_.hops().pin(*made);
    s.held.push_back(*made);
    return {{*made, 1}};
}

std::vector<path_share> resolver::follow(search& s, load_balance_index balance, net::ip4_address to)
{
    std::vector<weighted_part> parts;
    for (const auto& h : ip4_.hops().hops_of(balance))
        if (auto on = follow_hop(s, h.hop, to); !on.empty())
            parts.push_back({h.weight, std::move(on)});
    return combine(parts, forwarding::max_paths);
}

// The longest prefix decides that has a route with a path that can be used, and of its routes the
// best.
resolver::way resolver::find(search& s, next_hop_index index)
{
    const vrf_index vrf = ip4_.hops().at(index).vrf;
    const net::ip4_address to = ip4_.hops().at(index).address.ip4();
    if (const auto why = ip4_.why_no_next_hop(to, vrf); !why.empty()) {
        s.why = worse(s.why, nobodys);
        return {};
    }
    s.under.push_back(index);
    way found;
    const auto lengths = ip4_.routes(vrf).lengths();
    for (int length = 32; length >= 0 && found.on.empty(); --length) {
        if ((lengths >> length & 1) == 0)
            continue;
        const auto l = static_cast<uint8_t>(length);
        const net::ip4_prefix prefix{{to.value & net::ip4_prefix::mask_of(l)}, l};
        for (const auto& r : ip4_.routes(vrf).of(prefix)) {
            if (r.rank.source == route_source::neighbour || ++s.looks > max_looks)
                continue;
            if (length == 0 && !with_default_) {
                s.why = worse(s.why, only_default);
                continue;
            }
            if (r.balance < special_count) {
                s.why = worse(s.why, dropped);
                s.under.pop_back();
                return {};
            }
            auto on = follow(s, r.balance, to);
            if (ip4_.hops().any_usable(on)) {
                found = {std::move(on), prefix};
                break;
            }
            s.why = worse(s.why, no_path);
        }
    }
    s.under.pop_back();
    return found;
}

void resolver::resolve(next_hop_index hop)
{
    search s{{}, {}, 0, no_network};
    way to = find(s, hop);
    found_[hop] = {to.through, to.through ? std::string_view{} : s.why};
    ip4_.hops().rest_on(hop, std::move(to.on));
    for (auto held : s.held)
        ip4_.hops().release(held);
}

resolver::outcome resolver::of(next_hop_index hop) const
{
    const auto known = found_.find(hop);
    return known == found_.end() ? outcome{{}, no_network} : known->second;
}

bool resolver::note_route(vrf_index vrf, const net::ip4_prefix& prefix)
{
    if (again_ || !ip4_.hops().has_unlinked(vrf, prefix.network, prefix.last()))
        return false;
    again_ = true;
    return true;
}

void resolver::note_use()
{
    again_ = ip4_.hops().has_unlinked();
}

// All that there are now.
void resolver::begin()
{
    again_ = false;
    to_do_ = ip4_.hops().unlinked();
    std::erase_if(found_, [&](const auto& f) { return !ip4_.hops().is_unlinked(f.first); });
}

void resolver::use_default_routes(bool use)
{
    if (std::exchange(with_default_, use) != use)
        note_use();
}

bool resolver::resolve_some(std::chrono::steady_clock::duration budget)
{
    using clock = std::chrono::steady_clock;
    constexpr size_t least = 64; // whatever the clock says: a few are done at once
    const auto until = clock::now() + budget;
    size_t done = 0;
    while (is_pending()) {
        if (to_do_.empty()) {
            begin();
            continue;
        }
        const auto hop = to_do_.back();
        to_do_.pop_back();
        if (ip4_.hops().is_unlinked(hop))
            resolve(hop);
        if (++done >= least && clock::now() >= until)
            break;
    }
    return !is_pending();
}

} // namespace weft::ip4
