// SPDX-License-Identifier: Apache-2.0
// Collects registered nodes, resolves their edges and siblings by name, finds them.
#include "graph/node_registry.hh"

#include "base/place.hh"
#include "graph/dispatch_table.hh"
#include "graph/feature_arc.hh"

#include <algorithm>
#include <cpuid.h>
#include <fmt/ranges.h>

namespace weft {

namespace {

std::vector<const node_registration*>& node_registrations()
{
    static std::vector<const node_registration*> list;
    return list;
}

std::vector<const node_variant_registration*>& variant_registrations()
{
    static std::vector<const node_variant_registration*> list;
    return list;
}

} // namespace

std::string_view to_string(node_type type) noexcept
{
    switch (type) {
    case node_type::pre_input:
        return "pre-input";
    case node_type::input:
        return "input";
    case node_type::internal:
        return "internal";
    }
    return "?";
}

std::string_view to_string(node_state state) noexcept
{
    switch (state) {
    case node_state::polling:
        return "polling";
    case node_state::interrupt:
        return "interrupt";
    case node_state::adaptive:
        return "adaptive";
    case node_state::disabled:
        return "disabled";
    }
    return "?";
}

std::optional<node_state> node_state_of(std::string_view word) noexcept
{
    for (auto s :
         {node_state::polling, node_state::interrupt, node_state::adaptive, node_state::disabled})
        if (word == to_string(s))
            return s;
    return {};
}

std::string_view to_string(severity level) noexcept
{
    switch (level) {
    case severity::info:
        return "info";
    case severity::warning:
        return "warning";
    case severity::error:
        return "error";
    }
    return "?";
}

std::string_view to_string(variant which) noexcept
{
    switch (which) {
    case variant::plain:
        return "plain";
    case variant::baseline:
        return "baseline";
    case variant::avx2:
        return "avx2";
    case variant::avx512:
        return "avx512";
    }
    return "?";
}

std::string_view description_of(variant which) noexcept
{
    switch (which) {
    case variant::plain:
        return "packet by packet, the reference";
    case variant::baseline:
        return "many packets at once, any x86-64 that DPDK runs on";
    case variant::avx2:
        return "many packets at once, AVX2 and BMI2 (x86-64-v3)";
    case variant::avx512:
        return "many packets at once, AVX-512 F, BW, CD, DQ, VL (x86-64-v4)";
    }
    return "?";
}

namespace {

// Not every compiler's __builtin_cpu_supports() knows them, and DPDK 22.11 looks for LZCNT in
// another bit.
bool has_movbe_and_lzcnt() noexcept
{
    unsigned a = 0, b = 0, basic = 0, extended = 0, d = 0;
    return __get_cpuid(1, &a, &b, &basic, &d) != 0 && (basic & bit_MOVBE) != 0 &&
           __get_cpuid(0x8000'0001, &a, &b, &extended, &d) != 0 && (extended & bit_LZCNT) != 0;
}

} // namespace

bool is_supported(variant which) noexcept
{
    const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
                    __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("fma") &&
                    has_movbe_and_lzcnt();
    switch (which) {
    case variant::plain:
    case variant::baseline:
        return true;
    case variant::avx2:
        return v3;
    case variant::avx512:
        return v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl");
    }
    return false;
}

node_variant_registration::node_variant_registration(std::string_view of, variant as,
                                                     node_function body)
    : node{of}, which{as}, function{body}
{
    variant_registrations().push_back(this);
}

std::span<const node_variant_registration* const> registered_variants() noexcept
{
    return variant_registrations();
}

node_registration::node_registration(node_descriptor descriptor, std::source_location at)
    : what{std::move(descriptor)}, where{at}
{
    node_registrations().push_back(this);
}

std::span<const node_registration* const> registered_nodes() noexcept
{
    return node_registrations();
}

result<node_registry> node_registry::registered()
{
    auto made = of(registered_nodes());
    if (!made)
        return made;
    for (const auto check : {dispatch_tables::check, feature_arcs::check})
        if (auto sound = check(*made); !sound)
            return pass(sound);
    dispatch_tables::add_slots(*made);
    return made;
}

result<node_registry> node_registry::of(std::span<const node_registration* const> given)
{
    // by name, so that a node's index does not depend on the order of linking
    std::vector<const node_registration*> sorted(given.begin(), given.end());
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](auto* a, auto* b) { return a->what.name < b->what.name; });
    node_registry registry;
    std::vector<std::string> faults;
    const node_registration* last = nullptr;
    for (const auto* registration : sorted) {
        if (last != nullptr && last->what.name == registration->what.name)
            faults.push_back(fmt::format("two nodes are called `{}': {} and {}", last->what.name,
                                         place_of(last->where), place_of(registration->where)));
        else if (auto added =
                     registry.append(std::string{registration->what.name}, registration->what);
                 !added)
            return pass(added);
        last = registration;
    }
    if (const auto* drop = registry.find("drop"))
        registry.drop_ = drop->id;
    const auto* null = registry.find("null-node");
    registry.empty_ = null != nullptr ? null->id : registry.drop_;
    for (auto& entry : registry.nodes_)
        registry.join(entry, faults);
    for (auto& entry : registry.nodes_)
        registry.join_siblings(entry, faults);
    registry.add_variants();
    if (!faults.empty())
        return fail(errc::invalid_argument, "{}", fmt::join(faults, "\n"));
    return registry;
}

// Resolves the names in a node's descriptor.
void node_registry::join(node_entry& entry, std::vector<std::string>& faults)
{
    const auto of = entry.descriptor->sibling_of;
    if (!of.empty() && !entry.descriptor->nexts.empty())
        faults.push_back(fmt::format(
            "node `{}' is a sibling of `{}' and names next nodes of its own", entry.name, of));
    if (const auto* sibling = find(of))
        entry.sibling_of = sibling->id;
    else if (!of.empty())
        faults.push_back(
            fmt::format("node `{}' is a sibling of `{}', which does not exist", entry.name, of));
    for (const auto& next : entry.descriptor->nexts) {
        if (next.index != entry.nexts.size())
            faults.push_back(
                fmt::format("node `{}' declares next {} (`{}') where number {} is expected",
                            entry.name, next.index, next.name, entry.nexts.size()));
        const auto* target = find(next.name);
        if (target == nullptr)
            faults.push_back(fmt::format("node `{}' has an edge to `{}', which does not exist",
                                         entry.name, next.name));
        entry.nexts.push_back(target == nullptr ? no_node : target->id);
    }
    for (size_t number = 0; const auto& reason : entry.descriptor->reasons)
        if (reason.number != number++)
            faults.push_back(
                fmt::format("node `{}' declares reason {} (`{}') where number {} is expected",
                            entry.name, reason.number, reason.name, number - 1));
    entry.slot_owners.resize(entry.nexts.size());
}

// Finds the one of a node's siblings, and of their siblings, that names the slots for all. A circle
// is told once, by its first node.
void node_registry::join_siblings(node_entry& entry, std::vector<std::string>& faults)
{
    if (entry.sibling_of == no_node)
        return;
    std::vector<std::string_view> way{entry.name};
    node_id at = entry.sibling_of;
    bool first = true;
    while (at != entry.id && nodes_[at].sibling_of != no_node && way.size() <= nodes_.size()) {
        way.push_back(nodes_[at].name);
        first = first && at > entry.id;
        at = nodes_[at].sibling_of;
    }
    if (at == entry.id && first)
        faults.push_back(fmt::format("nodes are siblings in a cycle: {} -> {}",
                                     fmt::join(way, " -> "), entry.name));
    if (at == entry.id || nodes_[at].sibling_of != no_node)
        return;
    node_entry& owner = nodes_[at];
    owner.slots_of = entry.slots_of = at;
    entry.nexts = owner.nexts;
    entry.slot_owners = owner.slot_owners;
}

void node_registry::add_variants()
{
    for (auto& entry : nodes_)
        add_variants(entry);
}

// The best variant that the processor runs is the active one.
void node_registry::add_variants(node_entry& entry)
{
    if (entry.descriptor->function == nullptr)
        return;
    for (const auto* registration : registered_variants())
        if (registration->node == entry.name)
            entry.variants.push_back({registration->which, registration->function});
    entry.variants.push_back({variant::plain, entry.descriptor->function});
    std::sort(entry.variants.begin(), entry.variants.end(),
              [](const auto& a, const auto& b) { return a.which > b.which; });
    while (!is_supported(entry.variants[entry.active_variant].which))
        ++entry.active_variant;
}

result<void> node_registry::set_variant(node_id id, variant which)
{
    node_entry& entry = nodes_[id];
    const auto found = std::find_if(entry.variants.begin(), entry.variants.end(),
                                    [&](const auto& f) { return f.which == which; });
    if (found == entry.variants.end())
        return fail(errc::not_found, "node `{}' has no variant `{}' (show node {})", entry.name,
                    to_string(which), entry.name);
    if (!is_supported(which))
        return fail(errc::unsupported, "this CPU does not support the variant `{}'",
                    to_string(which));
    entry.active_variant = static_cast<size_t>(found - entry.variants.begin());
    return {};
}

const node_entry* node_registry::find(std::string_view name) const noexcept
{
    const auto found = by_name_.find(std::string{name});
    return found == by_name_.end() ? nullptr : &nodes_[found->second];
}

node_entry* node_registry::find(std::string_view name) noexcept
{
    return const_cast<node_entry*>(std::as_const(*this).find(name));
}

std::vector<node_id> node_registry::previous(node_id id) const
{
    std::vector<node_id> found;
    for (const auto& entry : all())
        if (std::find(entry.nexts.begin(), entry.nexts.end(), id) != entry.nexts.end())
            found.push_back(entry.id);
    return found;
}

std::vector<node_id> node_registry::siblings(node_id id) const
{
    std::vector<node_id> found;
    const node_id of = nodes_[id].slots_of;
    for (const auto& entry : all())
        if (of != no_node && entry.slots_of == of && entry.id != id)
            found.push_back(entry.id);
    return found;
}

const reason* node_registry::reason_of(reason_id id) const noexcept
{
    const size_t node = id >> 16;
    const size_t index = id & 0xffff;
    if (node >= nodes_.size() || index >= nodes_[node].descriptor->reasons.size())
        return nullptr;
    return &nodes_[node].descriptor->reasons[index];
}

} // namespace weft
