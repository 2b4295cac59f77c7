// SPDX-License-Identifier: Apache-2.0
// Creates and deletes interfaces.
#include "nodes/interface/lifecycle.hh"

#include "base/name.hh"
#include "graph/engine.hh"
#include "graph/feature_arc.hh"
#include "graph/process/process.hh"
#include "graph/thread/input_control.hh"
#include "nodes/interface/kind.hh"
#include "nodes/interface/port_nodes.hh"
#include "nodes/interface/worker_handoff.hh"

#include <algorithm>
#include <spdlog/spdlog.h>

namespace weft {

namespace {

std::string owner_of(const std::string& name)
{
    return fmt::format("interface {}", name);
}

// interface-output, or a node that has its next slots.
bool is_output(const node_registry& registry, node_id id)
{
    const auto* output = registry.find("interface-output");
    const node_entry& node = registry.at(id);
    return output != nullptr &&
           (id == output->id || node.clone_of == output->id ||
            (output->slots_of != no_node && node.slots_of == output->slots_of));
}

interface* child_of(interface_table& interfaces, interface_index parent)
{
    const auto& all = interfaces.all();
    const auto found =
        std::find_if(all.begin(), all.end(), [&](auto* i) { return i->parent == parent; });
    return found == all.end() ? nullptr : *found;
}

} // namespace

bool interface_lifecycle::is_kept_down(const interface& i) const
{
    return kept_down_.contains(i.name);
}

// Before the start the registry is edited as it is: the first plans come afterwards.
result<void> interface_lifecycle::change(const std::function<result<void>()>& edit,
                                         const std::string& why)
{
    if (engine_.main().published_version() == 0)
        return edit();
    return engine_.change_graph([&](node_registry&) { return edit(); }, why);
}

result<interface*> interface_lifecycle::open(const interface_kind& kind, const std::string& name,
                                             const config::value& settings)
{
    auto made = kind.make(engine_, name, settings);
    if (!made)
        return pass(made);
    interface_driver& driver = **made;
    if (auto opened = driver.plug(engine_); !opened) {
        if (!settings.get("optional", false)) {
            driver.leave(engine_);
            return pass(opened);
        }
        spdlog::warn("interface {}: starting without its device, retrying every {} s: {}", name,
                     drivers::replug_seconds, opened.error().message);
    }
    auto added = interfaces_of(engine_).add(name, std::move(*made));
    if (!added)
        return added;
    interface& i = **added;
    i.kind = kind.name;
    i.description = settings.get<std::string>("description", "");
    return added;
}

// What its device is to let in.
result<void> interface_lifecycle::set_filters(interface& i, const config::value& settings)
{
    auto& interfaces = interfaces_of(engine_);
    for (const auto& mac : settings.list<net::mac_address>("secondary-macaddresses"))
        if (auto done = interfaces.add_secondary_mac(i, mac); !done)
            return fail(done.error().code, "secondary-macaddresses: {}", done.error().message);
    if (settings.get("promiscuous", false))
        if (auto done = interfaces.set_promiscuous(i, true); !done)
            return fail(done.error().code, "promiscuous: {}", done.error().message);
    return {};
}

result<void> interface_lifecycle::join(interface& i, const config::value& settings)
{
    if (auto done = i.driver->join(engine_, i.name, i.index); !done)
        return done;
    const auto mode =
        *node_state_of(settings.get<std::string>("rx-mode", "adaptive")); // the keys have no others
    for (const auto& q : i.driver->rx_queues()) {
        // its device tells whether it has interrupts once it is started
        engine_.registry().at(q.input).state = mode;
    }
    const auto workers = settings.list<uint32_t>("handoff");
    const std::vector<unsigned> threads{workers.begin(), workers.end()};
    auto& handoff = engine_.module<drivers::handoff_table>();
    if (auto done = handoff.check(threads); !done)
        return fail(done.error().code, "handoff: {}", done.error().message);
    if (!threads.empty())
        handoff.begin(i, threads);
    return {};
}

result<interface*> interface_lifecycle::create(const std::string& name,
                                               const config::value& settings)
{
    reclaim();
    const auto wrong = [&](const auto& from) {
        return fail(from.error().code, "interfaces.{}: {}", name, from.error().message);
    };
    auto kinds = interface_kinds::registered();
    if (!kinds)
        return pass(kinds);
    auto kind = kinds->of(settings);
    if (!kind)
        return wrong(kind);
    const auto& others = engine_.module<stand_in_devices>();
    const bool stands_in = others.wanted && settings.find("device") != nullptr;
    if (const auto* null = kinds->find("null"); stands_in && null != nullptr)
        kind = null;
    auto opened = open(**kind, name, settings);
    if (!opened)
        return wrong(opened);
    interface& i = **opened;
    auto& hot = interfaces_of(engine_).hot(i.index);
    net::mac_address mac = i.driver->mac(i.index);
    if (const auto own = others.macs.find(name); stands_in && own != others.macs.end())
        mac = own->second;
    if (const auto* given = settings.find("macaddress"))
        mac = given->as<net::mac_address>();
    hot.mtu.store(settings.get<uint16_t>("mtu", hot.mtu.load()));
    interfaces_of(engine_).set_mac(i, mac);
    if (auto done = set_filters(i, settings); !done) {
        discard(i);
        return wrong(done);
    }
    const bool changes_graph = !i.driver->is_in_graph(engine_) || settings.find("handoff");
    const auto joining = [&] { return join(i, settings); };
    auto joined = changes_graph ? change(joining, "interface create " + name) : joining();
    if (!joined) {
        discard(i);
        return wrong(joined);
    }
    return &i;
}

result<void> interface_lifecycle::bring_up(interface& i, process* self)
{
    constexpr duration patience = 5s;
    std::vector<uint64_t> versions;
    for (unsigned t = 0; t < engine_.thread_count(); ++t)
        versions.push_back(engine_.thread(t).published_version());
    const interface_index index = i.index;
    const bool adopted = engine_.run_until(self, patience, [&] {
        for (unsigned t = 0; t < engine_.thread_count(); ++t)
            if (!engine_.thread(t).has_adopted(versions[t]))
                return false;
        return true;
    });
    if (!adopted)
        return fail(errc::timeout, "a thread did not finish its loop within 5 s");
    interface& now = interfaces_of(engine_).at(index);
    if (now.driver == nullptr)
        return fail(errc::not_found, "interface {} has been deleted", now.name);
    return interfaces_of(engine_).set_admin(now, !is_kept_down(now));
}

// One that never was in a plan.
void interface_lifecycle::discard(interface& i)
{
    const interface_index index = i.index;
    interfaces_of(engine_).notify_removal(i);
    auto driver = interfaces_of(engine_).remove(i);
    driver->leave(engine_);
    interfaces_of(engine_).give_back(index);
}

// What an operator has joined to its nodes stays his.
result<void> interface_lifecycle::may_remove(const interface& i) const
{
    if (auto asked = interfaces_of(engine_).may_remove(i); !asked)
        return asked;
    const auto& registry = engine_.registry();
    const std::string owner = owner_of(i.name);
    for (const auto& node : registry.all()) {
        if (node.owner != owner)
            continue;
        for (const node_id from : registry.previous(node.id))
            if (!is_output(registry, from) && registry.at(from).owner != owner)
                return fail(errc::invalid_argument,
                            "interface {}: node `{}' leads to its node `{}'", i.name,
                            registry.at(from).name, node.name);
    }
    return {};
}

// In change_graph(): its nodes, and the slots that lead to them.
void interface_lifecycle::remove_nodes(const std::string& owner, std::shared_ptr<const void> keeps)
{
    auto& registry = engine_.registry();
    const auto* output = registry.find("interface-output");
    std::vector<node_id> gone;
    for (const auto& node : registry.all())
        if (node.owner == owner)
            gone.push_back(node.id);
    for (const node_id id : gone) {
        registry.at(id).keeps_argument = keeps;
        if (output != nullptr)
            for (size_t slot = 0; slot < output->nexts.size(); ++slot)
                if (output->nexts[slot] == id)
                    registry.empty_slot(output->id, slot);
    }
    for (const node_id id : gone)
        if (auto done = registry.remove(id); !done)
            spdlog::error("{}: its node could not be removed: {}", owner, done.error().message);
}

// They may be thousands: others get their turn after each.
result<void> interface_lifecycle::remove_children(const interface& i, process* self)
{
    auto& interfaces = interfaces_of(engine_);
    const std::string name = i.name;
    while (interface* child = child_of(interfaces, i.index)) {
        if (auto done = remove(*child, self); !done)
            return done;
        if (self != nullptr)
            self->yield();
        if (interfaces.find(name) != &i)
            return fail(errc::not_found, "interface {} has been deleted meanwhile", name);
    }
    return {};
}

result<void> interface_lifecycle::remove(interface& i, process* self)
{
    auto& interfaces = interfaces_of(engine_);
    if (i.driver == nullptr)
        return fail(errc::not_found, "interface {} is already being deleted", i.name);
    if (auto asked = may_remove(i); !asked)
        return asked;
    if (auto done = remove_children(i, self); !done)
        return done;
    if (auto down = interfaces.set_admin(i, false); !down) {
        // a device that does not obey is left to itself, but nothing goes to it any more
        interfaces.hot(i.index).set_up(false);
        interfaces.notify(i);
    }
    interfaces.notify_removal(i);
    const auto queues = i.driver->rx_queues();
    const bool has_nodes = !i.driver->is_in_graph(engine_);
    const std::string name = i.name;
    const interface_index index = i.index;
    std::shared_ptr<interface_driver> driver = interfaces.remove(i);
    driver->let_go();
    const auto leave = [&] { driver->leave(engine_); };
    bool has_left = true;
    if (queues.empty()) {
        leave();
    } else if (auto done = engine_.module<input_control>().change(inputs_of(queues), self, leave);
               !done) {
        spdlog::warn("interface {}: {}", name, done.error().message);
        has_left = false;
    }
    result<void> removed{};
    if (has_nodes)
        removed = change(
            [&]() -> result<void> {
                remove_nodes(owner_of(name), driver);
                return {};
            },
            "interface delete " + name);
    if (!has_left) // once all threads have begun another loop, without its nodes
        engine_.rcu().defer([this, driver] { driver->leave(engine_); });
    engine_.module<drivers::handoff_table>().forget(index);
    engine_.module<feature_arcs>().forget(index);
    retired_.push_back({.index = index, .passed = {}});
    await_loops(retired_.back());
    kept_down_.erase(name);
    return removed;
}

void interface_lifecycle::await_loops(retired_number& n)
{
    n.passed = std::make_shared<bool>(false);
    n.handed.clear();
    engine_.rcu().defer([passed = n.passed] { *passed = true; });
}

bool interface_lifecycle::is_free(retired_number& n)
{
    constexpr int max_hand_overs = 3; // to a flow's worker, to a queue's owner, and one more
    if (!*n.passed)
        return false;
    const unsigned threads = engine_.thread_count();
    if (n.handed.empty())
        for (unsigned t = 0; t < threads; ++t)
            n.handed.push_back(engine_.thread(t).handed_in());
    const bool never = std::all_of(n.handed.begin(), n.handed.end(), [](const auto& of) {
        return std::all_of(of.begin(), of.end(), [](size_t count) { return count == 0; });
    });
    if (never || n.rounds == max_hand_overs)
        return true;
    for (unsigned t = 0; t < threads; ++t)
        if (!engine_.thread(t).has_taken(n.handed[t]))
            return false;
    ++n.rounds;
    await_loops(n);
    return false;
}

void interface_lifecycle::reclaim()
{
    for (auto n = retired_.begin(); n != retired_.end();)
        if (is_free(*n)) {
            interfaces_of(engine_).give_back(n->index);
            n = retired_.erase(n);
        } else {
            ++n;
        }
}

result<void> interface_lifecycle::start()
{
    auto& interfaces = interfaces_of(engine_);
    for (interface* i : interfaces.all())
        if (auto done = interfaces.set_admin(*i, !is_kept_down(*i)); !done)
            return fail(done.error().code, "interfaces.{}: {}", i->name, done.error().message);
    for (const interface* i : interfaces.all())
        if (auto done = drivers::check_rx_mode(engine_, *i); !done)
            return fail(done.error().code, "interfaces.{}.{}", i->name, done.error().message);
    return {};
}

} // namespace weft
