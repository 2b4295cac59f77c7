// SPDX-License-Identifier: Apache-2.0
// Feature arcs: their registrations, order, and what is switched on.
#include "graph/feature_arc.hh"

#include "base/place.hh"
#include "graph/engine.hh"
#include "graph/node_run_vector.hh"
#include "graph/order.hh"

#include <algorithm>
#include <fmt/format.h>
#include <new>

namespace weft {

namespace {

std::vector<const feature_arc_registration*>& arc_registrations()
{
    static std::vector<const feature_arc_registration*> list;
    return list;
}

std::vector<const feature_registration*>& feature_registrations()
{
    static std::vector<const feature_registration*> list;
    return list;
}

struct dispatch_context {
    explicit dispatch_context(const node_setup& setup)
        : next{setup.engine.module<feature_arcs>().next_of(setup.id)}
    {}
    const feature_next next;
};

void dispatch_features(node_run& run, frame& in) noexcept
{
    const feature_next next = run.context<dispatch_context>().next;
    run.each_by(
        in, [](const packet& p) noexcept { return p.metadata().interface; },
        [&](uint32_t interface) noexcept {
            return next.of_interface(static_cast<uint16_t>(interface));
        });
}

// An arc's features in their order.
result<std::vector<const feature_registration*>> features_of(std::string_view arc)
{
    std::vector<const feature_registration*> mine;
    std::vector<order_item> items;
    for (const auto* f : feature_registrations())
        if (f->arc == arc)
            mine.push_back(f);
    for (const auto* f : mine)
        items.push_back({f->node, f->after, f->before, f->where});
    pass_over_absent(items);
    const auto order = order_of(fmt::format("features of `{}'", arc), items);
    if (!order)
        return pass(order);
    std::vector<const feature_registration*> sorted;
    for (const auto& step : *order)
        sorted.push_back(mine[step.item]);
    return sorted;
}

result<void> check_arc(const feature_arc_registration& arc, const node_registry& nodes)
{
    std::vector<std::string_view> wanted{arc.starts};
    wanted.push_back(arc.end);
    for (const auto name : wanted)
        if (nodes.find(name) == nullptr)
            return fail(errc::not_found, "the arc `{}' ({}) needs node `{}', which does not exist",
                        arc.name, place_of(arc.where), name);
    for (const auto* other : arc_registrations())
        if (other != &arc && other->name == arc.name)
            return fail(errc::exists, "two arcs are called `{}': {} and {}", arc.name,
                        place_of(arc.where), place_of(other->where));
    return {};
}

result<void> check_feature(const feature_registration& feature, const node_registry& nodes)
{
    const auto& arcs = arc_registrations();
    const auto place = place_of(feature.where);
    if (nodes.find(feature.node) == nullptr)
        return fail(errc::not_found, "the feature `{}' ({}) is not a node", feature.node, place);
    if (std::none_of(arcs.begin(), arcs.end(),
                     [&](const auto* arc) { return arc->name == feature.arc; }))
        return fail(errc::not_found,
                    "the feature `{}' ({}) registers on the arc `{}', which does not exist",
                    feature.node, place, feature.arc);
    for (const auto* other : feature_registrations())
        if (other != &feature && other->node == feature.node && other->arc != feature.arc)
            return fail(errc::exists, "the feature `{}' is on two arcs: `{}' ({}) and `{}' ({})",
                        feature.node, feature.arc, place, other->arc, place_of(other->where));
    return {};
}

} // namespace

feature_arc_registration::feature_arc_registration(std::string_view name_, std::string_view end_,
                                                   std::vector<std::string_view> starts_,
                                                   std::source_location where_)
    : name{name_},
      end{end_},
      starts{std::move(starts_)},
      where{where_},
      node_name{fmt::format("{}-features", name_)},
      dispatcher_{{.name = node_name,
                   .function = dispatch_features,
                   .nexts = {{0, end_}},
                   .context = context_of<dispatch_context>(),
                   .joined_later = true},
                  where_}
{
    arc_registrations().push_back(this);
}

feature_registration::feature_registration(std::string_view node_, std::string_view arc_,
                                           std::vector<std::string_view> after_,
                                           std::vector<std::string_view> before_,
                                           std::source_location where_)
    : node{node_}, arc{arc_}, after{std::move(after_)}, before{std::move(before_)}, where{where_}
{
    feature_registrations().push_back(this);
}

feature_registration::~feature_registration()
{
    std::erase(feature_registrations(), this);
}

result<void> feature_arcs::check(const node_registry& nodes)
{
    for (const auto* feature : feature_registrations())
        if (auto sound = check_feature(*feature, nodes); !sound)
            return sound;
    for (const auto* arc : arc_registrations())
        if (const auto order = features_of(arc->name); !order)
            return pass(order);
    for (const auto* arc : arc_registrations())
        if (auto sound = check_arc(*arc, nodes); !sound)
            return sound;
    return {};
}

feature_arcs::feature_arcs(engine& engine) : engine_{engine}
{
    node_registry& nodes = engine.registry();
    for (const auto* registration : arc_registrations()) {
        const auto* end = nodes.find(registration->end);
        const auto* own = nodes.find(registration->node_name);
        const auto features = features_of(registration->name);
        if (end == nullptr || own == nullptr || !features)
            continue; // a test's graph without this place; a daemon's has passed check()
        arc& made = arcs_.emplace_back();
        made.name = registration->name;
        made.what = registration;
        made.end = end->id;
        made.entry.store(end->id);
        made.members.push_back({registration->node_name, own->id, {}, {}, {}});
        for (const auto* feature : *features)
            if (const auto* node = nodes.find(feature->node))
                made.members.push_back({std::string{feature->node}, node->id, {}, {}, {}});
        for (size_t i = 0; i < made.members.size(); ++i) {
            member& from = made.members[i];
            for (size_t k = i + 1; k <= made.members.size(); ++k) {
                const auto slot =
                    nodes.add_next(from.id, k < made.members.size() ? made.members[k].id : end->id,
                                   {}, registration->name);
                from.onward.push_back(slot ? *slot : next_index{0});
            }
            if (!from.slots.map(size_t{1} << 16, 0))
                throw std::bad_alloc{};
        }
    }
}

std::vector<std::string_view> registered_features()
{
    std::vector<std::string_view> names;
    for (const auto* f : feature_registrations())
        names.push_back(f->node);
    std::sort(names.begin(), names.end());
    return names;
}

const feature_arcs::arc* feature_arcs::find(std::string_view name) const noexcept
{
    const auto found =
        std::find_if(arcs_.begin(), arcs_.end(), [&](const arc& a) { return a.name == name; });
    return found == arcs_.end() ? nullptr : &*found;
}

const feature_arcs::arc* feature_arcs::arc_of(std::string_view feature) const noexcept
{
    for (const auto& each : arcs_)
        for (size_t i = 1; i < each.members.size(); ++i)
            if (each.members[i].name == feature)
                return &each;
    return nullptr;
}

feature_arcs::member* feature_arcs::find(arc& of, std::string_view feature) noexcept
{
    const auto found = std::find_if(of.members.begin() + 1, of.members.end(),
                                    [&](const member& m) { return m.name == feature; });
    return found == of.members.end() ? nullptr : &*found;
}

bool feature_arcs::is_member(const arc& of, node_id node) const noexcept
{
    return std::any_of(of.members.begin(), of.members.end(),
                       [&](const member& m) { return m.id == node; });
}

// Writes where packets of an interface go on, from the last feature to the first: a packet that is
// under way meets the chain as it was or as it is now, and each feature of it leads to the end.
void feature_arcs::link(arc& of, uint16_t interface)
{
    const size_t count = of.members.size();
    size_t behind = count; // the next one that is on; count: the end node
    for (size_t i = count; i-- > 0;) {
        member& at = of.members[i];
        const bool on = i == 0 || at.is_on(interface);
        // One that is off goes on as if it were on: a packet may be on its way to it still.
        at.slots[interface].store(at.onward[behind - i - 1], std::memory_order_release);
        if (on)
            behind = i;
    }
}

// What packets for the arc's end meet first behind the arc: another arc in front of the same node,
// on the edges of all, or the node.
node_id feature_arcs::entrance(const arc& of) const noexcept
{
    for (const auto& other : arcs_)
        if (&other != &of && other.end == of.end && other.is_led_through &&
            other.what->starts.empty())
            return other.members.front().id;
    return of.end;
}

// Leads the edges to the end node through the arc's own node, or past it.
result<void> feature_arcs::lead(arc& of, bool through)
{
    const node_id own = of.members.front().id;
    const node_id from = through ? entrance(of) : own;
    const node_id to = through ? own : entrance(of);
    const auto edit = [&](node_registry& nodes) -> result<void> {
        for (const auto& entry : nodes.all()) {
            const auto& starts = of.what->starts;
            const bool is_start = starts.empty() ? !is_member(of, entry.id)
                                                 : std::find(starts.begin(), starts.end(),
                                                             entry.name) != starts.end();
            if (!is_start)
                continue;
            for (size_t slot = 0; slot < entry.nexts.size(); ++slot)
                if (entry.nexts[slot] == from)
                    if (auto done = nodes.update_next(entry.id, slot, to); !done)
                        return done;
        }
        return {};
    };
    auto done =
        engine_.main().published() == nullptr
            ? edit(engine_.registry()) // the first plan is made when all is configured
            : engine_.change_graph(edit, fmt::format("arc {} {}", of.name, through ? "on" : "off"));
    if (done) {
        of.is_led_through = through;
        of.entry.store(through ? own : of.end);
    }
    return done;
}

result<void> feature_arcs::set(std::string_view feature, uint16_t interface, bool on)
{
    const arc* where = arc_of(feature);
    if (where == nullptr)
        return fail(errc::not_found, "no feature `{}' (show features)", feature);
    arc& of = const_cast<arc&>(*where);
    member& which = *find(of, feature);
    const auto at = std::lower_bound(which.on.begin(), which.on.end(), interface);
    if ((at != which.on.end() && *at == interface) == on)
        return {};
    if (on)
        which.on.insert(at, interface);
    else
        which.on.erase(at);
    link(of, interface);
    const bool wanted = std::any_of(of.members.begin() + 1, of.members.end(),
                                    [](const member& m) { return !m.on.empty(); });
    if (wanted == of.is_led_through)
        return {};
    auto led = lead(of, wanted);
    if (!led && on) {
        std::erase(which.on, interface);
        link(of, interface);
    }
    return led;
}

bool feature_arcs::is_on(std::string_view feature, uint16_t interface) const noexcept
{
    for (const auto& each : arcs_)
        for (const auto& m : each.members)
            if (m.name == feature)
                return m.is_on(interface);
    return false;
}

std::vector<std::string> feature_arcs::chain(const arc& of, uint16_t interface) const
{
    std::vector<std::string> names;
    for (size_t i = 1; i < of.members.size(); ++i)
        if (of.members[i].is_on(interface))
            names.push_back(of.members[i].name);
    return names;
}

void feature_arcs::forget(uint16_t interface)
{
    for (auto& each : arcs_)
        for (const auto& name : chain(each, interface))
            static_cast<void>(set(name, interface, false)); // takes away, which needs nothing
}

bool feature_arcs::is_idle(node_id node) const noexcept
{
    return std::any_of(arcs_.begin(), arcs_.end(), [&](const arc& each) {
        return !each.is_led_through && is_member(each, node);
    });
}

feature_next feature_arcs::next_of(node_id node) const noexcept
{
    for (const auto& each : arcs_)
        for (const auto& m : each.members)
            if (m.id == node)
                return feature_next{m.slots.data()};
    static const reserved_array<std::atomic<next_index>> nowhere = [] {
        reserved_array<std::atomic<next_index>> zero; // the node's first slot
        if (!zero.map(size_t{1} << 16, 0))
            throw std::bad_alloc{};
        return zero;
    }();
    return feature_next{nowhere.data()};
}

} // namespace weft
