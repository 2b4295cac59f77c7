// SPDX-License-Identifier: Apache-2.0
// show interface rx-placement, set interface rx-placement and rx-mode, set node state: when and
// where inputs are polled.
#include "control/command/command_parameters.hh"
#include "graph/engine.hh"
#include "graph/thread/input_control.hh"
#include "nodes/interface/interface.hh"

#include <nlohmann/json.hpp>

namespace weft {

namespace {

using json = nlohmann::ordered_json;

json queue_json(engine& engine, const interface& i, const rx_queue_input& q)
{
    const auto& entry = engine.registry().at(q.input);
    json found{{"interface", i.name},
               {"queue", q.queue},
               {"node", entry.name},
               {"mode", to_string(entry.state)},
               {"interrupts", q.has_interrupt},
               {"waits", entry.state == node_state::interrupt},
               {"switches", 0}};
    const auto* store = engine.thread(*entry.thread).store_of(q.input);
    if (entry.state == node_state::adaptive && store != nullptr) {
        found["waits"] = store->activity.quiet.load(std::memory_order_relaxed);
        found["switches"] = store->activity.switches.get();
    }
    return found;
}

result<json> show_placement(command_context& context)
{
    engine& engine = context.engine;
    std::vector<json> by_thread(engine.thread_count(), json::array());
    for (const auto& i : interfaces_of(engine).all())
        for (const auto& q : i->driver->rx_queues())
            by_thread[*engine.registry().at(q.input).thread].push_back(queue_json(engine, *i, q));
    json threads = json::array();
    for (unsigned index = 0; index < engine.thread_count(); ++index)
        if (!by_thread[index].empty())
            threads.push_back({{"index", index},
                               {"name", engine.thread(index).name()},
                               {"queues", by_thread[index]}});
    return json{{"threads", threads}};
}

std::string placement_text(const json& data)
{
    std::string out;
    for (const auto& t : data["threads"]) {
        out += fmt::format("{}Thread {} ({}):", out.empty() ? "" : "\n", t["index"].get<unsigned>(),
                           t["name"].get<std::string>());
        for (const auto& q : t["queues"])
            out += fmt::format("\n  node {}:\n    {} queue {} ({})", q["node"].get<std::string>(),
                               q["interface"].get<std::string>(), q["queue"].get<unsigned>(),
                               q["mode"].get<std::string>());
    }
    return out;
}

const command_registration show{"show interface rx-placement",
                                "Which thread polls which receive queue, and in which mode",
                                show_placement, placement_text};

// The queue that was named, or `otherwise`: one, or all of them where it is empty.
result<std::vector<rx_queue_input>> chosen(command_context& context,
                                           std::optional<uint16_t> otherwise)
{
    const auto i = interface_of(context);
    if (!i)
        return pass(i);
    const std::string& name = (*i)->name;
    auto queues = (*i)->driver->rx_queues();
    if (queues.empty())
        return fail(errc::unsupported, "interface `{}' has no receive queues", name);
    uint64_t queue = otherwise.value_or(0);
    if (context.arguments.has("queue"))
        queue = context.arguments.number("queue");
    else if (!otherwise)
        return queues;
    if (queue >= queues.size())
        return fail(errc::not_found,
                    "queue: interface `{}' has no queue {}, its queues are 0 to {}", name, queue,
                    queues.size() - 1);
    return std::vector{queues[queue]};
}

result<json> set_mode(command_context& context)
{
    auto queues = chosen(context, {});
    if (!queues)
        return pass(queues);
    const node_state mode = *node_state_of(context.arguments.text("mode"));
    if (mode == node_state::interrupt && !queues->front().has_interrupt)
        return fail(errc::unsupported,
                    "mode: the device of interface `{}' has no receive interrupts; expected "
                    "polling, adaptive or "
                    "disabled",
                    context.arguments.text("interface"));
    auto done =
        context.engine.module<input_control>().set_state(inputs_of(*queues), mode, context.self);
    if (!done)
        return pass(done);
    return json("");
}

const command_registration mode{
    "set interface rx-mode <interface:interface> [queue <queue:number>] "
    "<mode:polling|interrupt|adaptive|disabled>",
    "Sets how receive queues are served; adaptive: polled only under load", set_mode};

result<json> set_placement(command_context& context)
{
    auto queues = chosen(context, 0);
    if (!queues)
        return pass(queues);
    const uint64_t thread = context.arguments.number("worker");
    if (thread >= context.engine.thread_count())
        return fail(errc::not_found, "worker: no thread {}; threads are 0 (main) to {}", thread,
                    context.engine.thread_count() - 1);
    auto done = context.engine.module<input_control>().move(
        inputs_of(*queues), static_cast<unsigned>(thread), context.self);
    if (!done)
        return pass(done);
    return json("");
}

const command_registration placement{
    "set interface rx-placement <interface:interface> [queue <queue:number>] worker "
    "<worker:number>",
    "Moves a receive queue (default: queue 0) to another thread", set_placement};

result<json> set_node_state(command_context& context)
{
    const auto entry = node_of(context, "node");
    if (!entry)
        return pass(entry);
    if ((*entry)->descriptor->wait != nullptr)
        return fail(errc::invalid_argument,
                    "node `{}' polls a receive queue, whose mode is set by `set interface rx-mode'",
                    (*entry)->name);
    auto done = context.engine.module<input_control>().set_state(
        {(*entry)->id}, *node_state_of(context.arguments.text("state")), context.self);
    if (!done)
        return pass(done);
    return json("");
}

const command_registration node_mode{
    "set node state <node:node> <state:polling|interrupt|adaptive|disabled>",
    "Sets when an input node runs; adaptive: polled only under load", set_node_state};

} // namespace

} // namespace weft
