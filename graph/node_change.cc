// SPDX-License-Identifier: Apache-2.0
// Changes of the graph: nodes, clones and next slots that come and go.
#include "graph/node_registry.hh"
#include "graph/trace.hh"

#include <algorithm>
#include <fmt/ranges.h>

namespace weft {

namespace {

// What stands where no node is any more; no plan takes it up.
const node_descriptor nothing{.name = "", .is_template = true};

} // namespace

result<node_entry*> node_registry::append(std::string name, const node_descriptor& descriptor)
{
    const bool used_again = !free_.empty();
    if (!used_again && nodes_.size() == trace_buffer::max_nodes)
        return fail(errc::exhausted, "{} nodes exist{}, which is the maximum", count(),
                    count() < nodes_.size() ? " or were removed but are still referred to" : "");
    const auto id = used_again ? free_.front() : static_cast<node_id>(nodes_.size());
    if (used_again)
        free_.pop_front();
    else
        nodes_.emplace_back();
    by_name_.emplace(name, id);
    node_entry& entry = nodes_[id];
    entry = {};
    entry.id = id;
    entry.name = std::move(name);
    entry.descriptor = &descriptor;
    entry.state = descriptor.state;
    entry.joined_later = descriptor.joined_later;
    return &entry;
}

result<node_id> node_registry::add(std::shared_ptr<const node_descriptor> what)
{
    if (what->name.empty())
        return fail(errc::invalid_argument, "a node without a name");
    if (find(what->name) != nullptr)
        return fail(errc::exists, "a node `{}' already exists", what->name);
    auto appended = append(std::string{what->name}, *what);
    if (!appended)
        return pass(appended);
    node_entry& entry = **appended;
    std::vector<std::string> faults;
    join(entry, faults);
    join_siblings(entry, faults);
    if (!faults.empty()) {
        by_name_.erase(entry.name);
        release(entry.id);
        return fail(errc::invalid_argument, "{}", fmt::join(faults, "\n"));
    }
    add_variants(entry);
    entry.keeps_descriptor = std::move(what);
    entry.added = true;
    return entry.id;
}

result<node_id> node_registry::clone(std::string_view of, std::string name, void* argument,
                                     std::optional<unsigned> thread)
{
    const auto* original = find(of);
    if (original == nullptr)
        return fail(errc::not_found, "no node `{}' to clone", of);
    if (name.empty())
        return fail(errc::invalid_argument, "a clone of `{}' without a name", of);
    if (find(name) != nullptr)
        return fail(errc::exists, "a node `{}' already exists", name);
    auto appended = append(std::move(name), *original->descriptor);
    if (!appended)
        return pass(appended);
    node_entry& entry = **appended;
    entry.clone_of = original->clone_of == no_node ? original->id : original->clone_of;
    entry.sibling_of = original->sibling_of;
    entry.slots_of = original->slots_of;
    entry.argument = argument;
    entry.keeps_descriptor = original->keeps_descriptor;
    entry.thread = thread;
    entry.nexts = original->nexts;
    entry.slot_owners = original->slot_owners;
    entry.variants = original->variants;
    entry.active_variant = original->active_variant;
    entry.added = true;
    return entry.id;
}

result<void> node_registry::remove(node_id id)
{
    node_entry& entry = nodes_[id];
    if (!entry.added || entry.removed)
        return fail(errc::invalid_argument,
                    "node `{}' is not a clone and was not added at run time; it cannot be removed",
                    entry.name);
    for (const auto& other : all()) {
        const auto edge = std::find(other.nexts.begin(), other.nexts.end(), id);
        if (other.id == id)
            continue;
        if (edge != other.nexts.end())
            return fail(errc::invalid_argument, "an edge leads to node `{}' from `{}', slot {}",
                        entry.name, other.name, edge - other.nexts.begin());
        if (other.clone_of == id)
            return fail(errc::invalid_argument, "node `{}' is a clone of `{}'", other.name,
                        entry.name);
        if (other.sibling_of == id || (entry.slots_of == id && other.slots_of == id))
            return fail(errc::invalid_argument, "node `{}' is a sibling of `{}'", other.name,
                        entry.name);
    }
    by_name_.erase(entry.name);
    entry.removed = true;
    removed_.push_back(id);
    return {};
}

void node_registry::release(node_id id)
{
    nodes_[id] = {};
    nodes_[id].id = id;
    nodes_[id].descriptor = &nothing;
    nodes_[id].removed = true;
    free_.push_back(id);
}

std::vector<node_entry*> node_registry::sharing(const node_entry& entry, bool clones_too)
{
    std::vector<node_entry*> found;
    for (auto& other : nodes_)
        if (!other.removed && (other.id == entry.id ||
                               (entry.slots_of != no_node && other.slots_of == entry.slots_of) ||
                               (clones_too && other.descriptor == entry.descriptor)))
            found.push_back(&other);
    return found;
}

size_t node_registry::named_slots(node_id id) const noexcept
{
    const node_id of = nodes_[id].slots_of;
    return nodes_[of == no_node ? id : of].descriptor->nexts.size();
}

bool node_registry::is_empty(const node_entry& entry, size_t slot) const noexcept
{
    return slot >= entry.nexts.size() ||
           (entry.nexts[slot] == empty_ && entry.slot_owners[slot].empty());
}

result<void> node_registry::check_target(const node_entry& from, node_id to) const
{
    if (nodes_[to].descriptor->type != node_type::internal)
        return fail(errc::invalid_argument, "an edge from `{}' would lead into the {} node `{}'",
                    from.name, to_string(nodes_[to].descriptor->type), nodes_[to].name);
    return {};
}

result<next_index> node_registry::add_next(node_id from, node_id to, std::optional<size_t> asked,
                                           std::string_view owner)
{
    node_entry& entry = nodes_[from];
    if (auto good = check_target(entry, to); !good)
        return pass(good);
    const auto all = sharing(entry, !owner.empty());
    const auto leads_there = [&](size_t slot) {
        return std::all_of(all.begin(), all.end(), [&](const auto* e) {
            return slot < e->nexts.size() && e->nexts[slot] == to;
        });
    };
    size_t slot = asked.value_or(0);
    if (!asked) {
        while (slot < entry.nexts.size() && !leads_there(slot))
            ++slot;
        if (slot == entry.nexts.size())
            slot = named_slots(from);
        while (!leads_there(slot) &&
               !std::all_of(all.begin(), all.end(), [&](auto* e) { return is_empty(*e, slot); }))
            ++slot;
    }
    if (slot >= max_slots)
        return fail(errc::invalid_argument, "slot {} of `{}' is not between 0 and {}", slot,
                    entry.name, max_slots - 1);
    for (const auto* e : all) {
        if (slot < e->nexts.size() && e->nexts[slot] != to && e->nexts[slot] != empty_)
            return fail(errc::exists, "slot {} of `{}' already leads to `{}'", slot, e->name,
                        nodes_[e->nexts[slot]].name);
        if (slot > e->nexts.size() && empty_ == no_node)
            return fail(
                errc::invalid_argument,
                "slot {} of `{}' would leave empty slots before it, which need a node `drop'", slot,
                e->name);
    }
    for (auto* e : all) {
        if (slot >= e->nexts.size()) {
            e->nexts.resize(slot + 1, empty_);
            e->slot_owners.resize(slot + 1);
        }
        e->nexts[slot] = to;
        if (!owner.empty())
            e->slot_owners[slot] = owner;
    }
    return static_cast<next_index>(slot);
}

result<void> node_registry::update_next(node_id from, size_t slot, node_id to)
{
    node_entry& entry = nodes_[from];
    if (auto good = check_target(entry, to); !good)
        return good;
    if (slot >= entry.nexts.size())
        return fail(errc::not_found, "node `{}' has {} next slots, no slot {}", entry.name,
                    entry.nexts.size(), slot);
    nodes_[entry.nexts[slot]].joined_later = true; // and may be again
    for (auto* e : sharing(entry, false))
        e->nexts[slot] = to;
    return {};
}

void node_registry::empty_slot(node_id from, size_t slot)
{
    for (auto* e : sharing(nodes_[from], true))
        if (slot < e->nexts.size()) {
            e->nexts[slot] = empty_;
            e->slot_owners[slot].clear();
        }
}

result<void> node_registry::shrink(node_id id, size_t count)
{
    node_entry& entry = nodes_[id];
    if (count > entry.nexts.size())
        return fail(errc::invalid_argument, "node `{}' has {} next slots, fewer than {}",
                    entry.name, entry.nexts.size(), count);
    if (count < named_slots(id))
        return fail(errc::invalid_argument, "node `{}' itself uses its first {} next slots",
                    entry.name, named_slots(id));
    for (size_t slot = count; slot < entry.nexts.size(); ++slot)
        if (!entry.slot_owners[slot].empty())
            return fail(errc::invalid_argument, "slot {} of `{}' belongs to {}", slot, entry.name,
                        entry.slot_owners[slot]);
    for (size_t slot = count; slot < entry.nexts.size(); ++slot)
        nodes_[entry.nexts[slot]].joined_later = true; // and may be again
    for (auto* e : sharing(entry, false)) {
        e->nexts.resize(count);
        e->slot_owners.resize(count);
    }
    return {};
}

} // namespace weft
