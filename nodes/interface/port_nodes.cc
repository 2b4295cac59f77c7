// SPDX-License-Identifier: Apache-2.0
// Joins ports to the graph.
#include "nodes/interface/port_nodes.hh"

#include "graph/engine.hh"
#include "graph/node_run.hh"

#include <algorithm>

namespace weft::drivers {

void hand_to_owner(node_run& run, frame& in, graph_thread& owner, uint16_t reason) noexcept
{
    uint32_t handed = 0;
    while (handed < in.count && run.hand_over(*in.packets[handed], owner))
        ++handed;
    if (handed < in.count)
        run.drop_rest(in.packets.data() + handed, in.count - handed, reason);
}

std::vector<unsigned> sending_threads(engine& engine, const std::string& tx_node)
{
    auto order = engine.polling_threads(); // those that rest may be chosen again
    std::erase_if(order, [&](unsigned thread) { return !engine.nodes_of(thread).take(tx_node); });
    if (std::find(order.begin(), order.end(), 0u) == order.end())
        order.push_back(0);
    return order;
}

result<void> join_output(engine& engine, std::string_view of, const std::string& name,
                         interface_index index, void* argument)
{
    auto& registry = engine.registry();
    auto tx = registry.clone(of, fmt::format("{}-{}", of, name), argument);
    if (!tx)
        return pass(tx);
    const auto* output = registry.find("interface-output");
    if (output == nullptr)
        return fail(errc::not_found, "the graph has no node `interface-output'");
    const std::string owner = fmt::format("interface {}", name);
    registry.at(*tx).owner = owner;
    auto slot = registry.add_next(output->id, *tx, {}, owner);
    if (!slot)
        return pass(slot);
    interfaces_of(engine).hot(index).output_slot.store(*slot);
    return {};
}

bool has_shared_output(engine& engine, std::string_view node)
{
    const auto* output = engine.registry().find("interface-output");
    const auto* shared = engine.registry().find(node);
    return output != nullptr && shared != nullptr &&
           std::find(output->nexts.begin(), output->nexts.end(), shared->id) != output->nexts.end();
}

result<void> join_shared_output(engine& engine, const node_descriptor& node, interface_index index)
{
    auto& registry = engine.registry();
    const auto* output = registry.find("interface-output");
    if (output == nullptr)
        return fail(errc::not_found, "the graph has no node `interface-output'");
    if (registry.find(node.name) == nullptr) {
        auto added = registry.add(static_descriptor(node));
        if (!added)
            return pass(added);
        registry.at(*added).owner = "all interfaces that share it";
    }
    auto slot = registry.add_next(output->id, registry.find(node.name)->id, {}, node.name);
    if (!slot)
        return pass(slot);
    interfaces_of(engine).hot(index).output_slot.store(*slot);
    return {};
}

result<void> check_rx_mode(engine& engine, const interface& i)
{
    for (const auto& q : i.driver->rx_queues())
        if (!q.has_interrupt && i.driver->state() == device_state::present &&
            engine.registry().at(q.input).state == node_state::interrupt)
            return fail(errc::unsupported,
                        "rx-mode: its device has no receive interrupts; expected polling or "
                        "adaptive");
    return {};
}

} // namespace weft::drivers
