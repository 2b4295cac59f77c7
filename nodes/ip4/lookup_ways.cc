// SPDX-License-Identifier: Apache-2.0
// What ip4-lookup does with a packet, from the registrations of the kinds of adjacencies.
#include "nodes/ip4/lookup_ways.hh"

#include "base/net/headers.hh"
#include "graph/engine.hh"

#include <optional>

namespace weft::ip4::lookup {

namespace {

using fib::adjacency_kind;

// By its name, as a registration has it.
std::optional<uint16_t> reason_named(const node_entry& lookup, std::string_view name)
{
    for (const auto& r : lookup.descriptor->reasons)
        if (r.name == name)
            return r.number;
    return {};
}

way make_way(engine& engine, const node_entry& lookup, const fib::kind_way& what)
{
    way made{.icmp_code = what.icmp_code};
    if (const auto reason = reason_named(lookup, what.reason)) {
        made.reason = *reason;
        made.to = drop(*reason);
    }
    const auto* node = engine.registry().find(what.node);
    if (node == nullptr)
        return made;
    if (const auto slot = engine.registry().add_next(lookup.id, node->id)) {
        made.to = *slot;
        made.refuses = !what.reason.empty();
    }
    return made;
}

} // namespace

ways::ways(engine& engine)
{
    const auto* lookup = engine.registry().find("ip4-lookup");
    if (lookup == nullptr)
        return; // a graph without IPv4
    for (size_t n = 0; n < all_.size(); ++n)
        if (const auto* what = way_of(static_cast<adjacency_kind>(n), net::family::ip4))
            all_[n] = make_way(engine, *lookup, *what);
}

namespace {

using fib::way_registration;
constexpr auto ip4 = net::family::ip4;

// RFC 1812 section 5.2.7.1.
const way_registration unreachable{
    adjacency_kind::unreachable, ip4, {"ip4-icmp-error", "no_route", net::icmp4::net_unreachable}};
const way_registration refused{
    adjacency_kind::host_unreachable,
    ip4,
    {"ip4-icmp-error", "host_unreachable", net::icmp4::host_unreachable}};
const way_registration forbidden{
    adjacency_kind::prohibited,
    ip4,
    {"ip4-icmp-error", "prohibited", net::icmp4::communication_prohibited}};
const way_registration hole{adjacency_kind::blackhole, ip4, {.reason = "blackhole"}};
const way_registration group{adjacency_kind::multicast, ip4, {.reason = "multicast"}};
const way_registration all{adjacency_kind::broadcast, ip4, {.reason = "broadcast"}};
const way_registration nobody{adjacency_kind::martian, ip4, {.reason = "martian_destination"}};

} // namespace

} // namespace weft::ip4::lookup
