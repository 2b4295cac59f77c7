// SPDX-License-Identifier: Apache-2.0
// Dispatch tables: their registrations, the slots behind them, the arrays that threads look into.
#include "graph/dispatch_table.hh"

#include "base/place.hh"
#include "graph/engine.hh"

#include <algorithm>
#include <fmt/ranges.h>
#include <stdexcept>

namespace weft {

namespace {

std::vector<const dispatch_table_registration*>& table_registrations()
{
    static std::vector<const dispatch_table_registration*> list;
    return list;
}

std::vector<const dispatch_registration*>& key_registrations()
{
    static std::vector<const dispatch_registration*> list;
    return list;
}

const dispatch_table_registration* table_named(std::string_view name) noexcept
{
    const auto& all = table_registrations();
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const auto* t) { return t->what.name == name; });
    return found == all.end() ? nullptr : *found;
}

std::string text_of(const dispatch_table_descriptor& table, uint32_t key)
{
    return table.hex_digits == 0 ? fmt::format("{}", key)
                                 : fmt::format("0x{:0{}x}", key, table.hex_digits);
}

bool is_in_range(const dispatch_table_descriptor& table, uint32_t key) noexcept
{
    return key >= table.lowest && key <= table.highest;
}

using faults = std::vector<std::string>;

template <class... Args>
void add(faults& to, fmt::format_string<Args...> text, Args&&... args)
{
    to.push_back(fmt::format(text, std::forward<Args>(args)...));
}

void check_tables(const node_registry& nodes, faults& found)
{
    for (const auto* t : table_registrations()) {
        const auto* first = table_named(t->what.name);
        if (first != t)
            add(found, "two dispatch tables are called `{}': {} and {}", t->what.name,
                place_of(first->where), place_of(t->where));
        if (nodes.find(t->what.node) == nullptr)
            add(found, "the dispatch table `{}' ({}) belongs to node `{}', which does not exist",
                t->what.name, place_of(t->where), t->what.node);
        if (t->what.lowest > t->what.highest ||
            t->what.highest > dispatch_table_descriptor::max_key)
            add(found,
                "the dispatch table `{}' ({}) has keys from {} to {}, expected keys up to {}",
                t->what.name, place_of(t->where), t->what.lowest, t->what.highest,
                dispatch_table_descriptor::max_key);
    }
}

void check_key(const dispatch_registration& k, const node_registry& nodes, faults& found)
{
    const auto* table = table_named(k.table);
    if (table == nullptr)
        return add(found,
                   "node `{}' registers for key {} of the table `{}', which does not exist: {}",
                   k.node, k.key, k.table, place_of(k.where));
    const auto& what = table->what;
    const auto key = fmt::format("{} {}", what.key, text_of(what, k.key));
    if (!is_in_range(what, k.key))
        add(found, "node `{}' registers for {}, expected one from {} to {}: {}", k.node, key,
            text_of(what, what.lowest), text_of(what, what.highest), place_of(k.where));
    const auto* node = nodes.find(k.node);
    if (node == nullptr)
        add(found, "{} is registered for node `{}', which does not exist: {}", key, k.node,
            place_of(k.where));
    else if (node->descriptor->type != node_type::internal)
        add(found, "{} is registered for the {} node `{}': {}", key,
            to_string(node->descriptor->type), k.node, place_of(k.where));
}

void check_claims(std::string_view table, faults& found)
{
    const auto keys = dispatch_keys(table);
    const auto* registration = table_named(table);
    for (size_t i = 1; i < keys.size() && registration != nullptr; ++i)
        if (keys[i]->key == keys[i - 1]->key)
            add(found, "two nodes handle {} {}: `{}' ({}) and `{}' ({})", registration->what.key,
                text_of(registration->what, keys[i]->key), keys[i - 1]->node,
                place_of(keys[i - 1]->where), keys[i]->node, place_of(keys[i]->where));
}

// The verdicts of a table's keys; adds the slots that they need to its node.
std::vector<verdict> verdicts_of(const dispatch_table_descriptor& table, node_registry& nodes)
{
    std::vector<verdict> all(size_t{table.highest} + 1, table.otherwise);
    const auto* owner = nodes.find(table.node);
    if (owner == nullptr)
        return all;
    for (const auto* k : dispatch_keys(table.name)) {
        const auto* node = nodes.find(k->node);
        if (node == nullptr || node == owner || !is_in_range(table, k->key))
            continue;
        if (const auto slot = nodes.add_next(
                owner->id, node->id, {}, fmt::format("{} {}", table.key, text_of(table, k->key))))
            all[k->key] = *slot;
    }
    return all;
}

} // namespace

dispatch_table_registration::dispatch_table_registration(dispatch_table_descriptor table,
                                                         std::source_location at)
    : what{table}, where{at}
{
    table_registrations().push_back(this);
}

dispatch_table_registration::~dispatch_table_registration()
{
    std::erase(table_registrations(), this);
}

dispatch_registration::dispatch_registration(std::string_view table_, uint32_t key_,
                                             std::string_view name_, std::string_view node_,
                                             std::source_location where_)
    : table{table_}, key{key_}, name{name_}, node{node_}, where{where_}
{
    key_registrations().push_back(this);
}

dispatch_registration::~dispatch_registration()
{
    std::erase(key_registrations(), this);
}

std::vector<const dispatch_registration*> dispatch_keys(std::string_view table)
{
    std::vector<const dispatch_registration*> found;
    for (const auto* k : key_registrations())
        if (k->table == table)
            found.push_back(k);
    std::stable_sort(found.begin(), found.end(),
                     [](const auto* a, const auto* b) { return a->key < b->key; });
    return found;
}

std::string_view dispatch_key_name(std::string_view table, uint32_t key) noexcept
{
    for (const auto* k : key_registrations())
        if (k->table == table && k->key == key)
            return k->name;
    return {};
}

std::string dispatch_key_text(std::string_view table, uint32_t key)
{
    return text_of(table_named(table)->what, key);
}

result<void> dispatch_tables::check(const node_registry& nodes)
{
    faults found;
    check_tables(nodes, found);
    for (const auto* k : key_registrations())
        check_key(*k, nodes, found);
    for (const auto* t : table_registrations())
        if (table_named(t->what.name) == t)
            check_claims(t->what.name, found);
    if (!found.empty())
        return fail(errc::invalid_argument, "{}", fmt::join(found, "\n"));
    return {};
}

void dispatch_tables::add_slots(node_registry& nodes)
{
    for (const auto* t : table_registrations())
        static_cast<void>(verdicts_of(t->what, nodes));
}

dispatch_tables::dispatch_tables(engine& engine)
{
    for (const auto* t : table_registrations())
        tables_.emplace(t->what.name, verdicts_of(t->what, engine.registry()));
}

dispatch_lookup dispatch_tables::lookup(std::string_view table) const
{
    const auto found = tables_.find(table);
    if (found == tables_.end())
        throw std::logic_error{fmt::format("no dispatch table `{}'", table)};
    return dispatch_lookup{found->second.data()};
}

} // namespace weft
