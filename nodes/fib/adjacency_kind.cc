// SPDX-License-Identifier: Apache-2.0
// Kinds of forwarding objects, and their registrations.
#include "nodes/fib/adjacency_kind.hh"

#include "base/place.hh"
#include "graph/node_registry.hh"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <vector>

namespace weft::fib {

namespace {

constexpr auto first_free = static_cast<size_t>(adjacency_kind::rewrite) + 1;

std::vector<const kind_registration*>& kinds()
{
    static std::vector<const kind_registration*> list;
    return list;
}

std::vector<const way_registration*>& ways()
{
    static std::vector<const way_registration*> list;
    return list;
}

const kind_registration* registered(adjacency_kind kind) noexcept
{
    const auto found = std::find_if(kinds().begin(), kinds().end(),
                                    [&](const auto* k) { return k->kind() == kind; });
    return found == kinds().end() ? nullptr : *found;
}

adjacency_kind free_number() noexcept
{
    size_t number = first_free;
    while (registered(static_cast<adjacency_kind>(number)) != nullptr)
        ++number;
    return static_cast<adjacency_kind>(number);
}

const std::array<kind_registration, first_free> own{{
    {adjacency_kind::unreachable, "unreachable"},
    {adjacency_kind::blackhole, "blackhole"},
    {adjacency_kind::local, "local"},
    {adjacency_kind::multicast, "multicast"},
    {adjacency_kind::broadcast, "broadcast"},
    {adjacency_kind::martian, "martian"},
    {adjacency_kind::host_unreachable, "host unreachable"},
    {adjacency_kind::prohibited, "prohibited"},
    {adjacency_kind::glean, "glean"},
    {adjacency_kind::rewrite, "rewrite"},
}};

void check_kind(const kind_registration& kind, std::vector<std::string>& faults)
{
    if (static_cast<size_t>(kind.kind()) >= max_kinds)
        faults.push_back(fmt::format("the kind of adjacency `{}' ({}) exceeds the maximum of {}",
                                     kind.name, place_of(kind.where), max_kinds));
    for (const auto* other : kinds())
        if (other->name == kind.name && other->kind() < kind.kind())
            faults.push_back(fmt::format("two kinds of adjacency are called `{}': {} and {}",
                                         kind.name, place_of(other->where), place_of(kind.where)));
}

void check_way(const way_registration& way, const node_registry& nodes,
               std::vector<std::string>& faults)
{
    const std::string what = fmt::format("{} packets for adjacencies of kind `{}'",
                                         to_string(way.family), to_string(way.kind));
    if (way.way.node.empty() && way.way.reason.empty())
        faults.push_back(fmt::format("{} ({}) have neither a node nor a reason to be dropped", what,
                                     place_of(way.where)));
    if (!way.way.node.empty() && nodes.find(way.way.node) == nullptr)
        faults.push_back(fmt::format("{} ({}) go to node `{}', which does not exist", what,
                                     place_of(way.where), way.way.node));
    const auto first = std::find_if(ways().begin(), ways().end(), [&](const auto* other) {
        return other->kind == way.kind && other->family == way.family;
    });
    if (*first != &way)
        faults.push_back(fmt::format("{} are claimed twice: {} and {}", what,
                                     place_of((*first)->where), place_of(way.where)));
}

} // namespace

kind_registration::kind_registration(std::string_view name_, std::source_location where_)
    : kind_registration{free_number(), name_, where_}
{}

kind_registration::kind_registration(adjacency_kind kind, std::string_view name_,
                                     std::source_location where_)
    : name{name_}, where{where_}, kind_{kind}
{
    kinds().push_back(this);
}

kind_registration::~kind_registration()
{
    std::erase(kinds(), this);
}

way_registration::way_registration(adjacency_kind kind_, net::family family_, kind_way way_,
                                   std::source_location where_)
    : kind{kind_}, family{family_}, way{way_}, where{where_}
{
    ways().push_back(this);
}

way_registration::~way_registration()
{
    std::erase(ways(), this);
}

std::string_view to_string(adjacency_kind kind) noexcept
{
    const auto* found = registered(kind);
    return found == nullptr ? std::string_view{} : found->name;
}

const kind_way* way_of(adjacency_kind kind, net::family family) noexcept
{
    for (const auto* w : ways())
        if (w->kind == kind && w->family == family)
            return &w->way;
    return nullptr;
}

result<void> check_kinds(const node_registry& nodes)
{
    std::vector<std::string> faults;
    for (const auto* kind : kinds())
        check_kind(*kind, faults);
    for (const auto* way : ways())
        check_way(*way, nodes, faults);
    if (faults.empty())
        return {};
    return fail(errc::invalid_argument, "{}", fmt::join(faults, "\n"));
}

} // namespace weft::fib
