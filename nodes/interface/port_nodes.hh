// SPDX-License-Identifier: Apache-2.0
// How ports stand in the graph: the slots of their inputs, their tx nodes, and the threads of both.
#pragma once

#include "base/result.hh"
#include "nodes/interface/interface.hh"

#include <string>
#include <string_view>
#include <vector>

namespace weft {
class engine;
class graph_thread;
class node_run;
struct frame;
} // namespace weft

namespace weft::drivers {

// The next nodes of what brings packets in, by slot.
enum input_next : next_index { to_ethernet_input, to_worker_handoff };

inline constexpr unsigned replug_seconds = 5; // between two attempts to open what is not there

// Puts an interface's tx node, a clone of the template `of` called OF-NAME, behind
// interface-output.
result<void> join_output(engine& engine, std::string_view of, const std::string& name,
                         interface_index index, void* argument);
// The same for a node that all interfaces of a kind share, and that is added with the first of
// them. The descriptor is static.
result<void> join_shared_output(engine& engine, const node_descriptor& node, interface_index index);
[[nodiscard]] bool has_shared_output(engine& engine, std::string_view node);

// Tx nodes: gives a frame to the thread that owns the queue; what that has no room for is dropped
// for `reason`. Any thread.
void hand_to_owner(node_run& run, frame& in, graph_thread& owner, uint16_t reason) noexcept;
// The threads that send through a tx node of that name: the workers first, the main thread last,
// for it sends little. A worker whose plan has no tx node never sends.
[[nodiscard]] std::vector<unsigned> sending_threads(engine& engine, const std::string& tx_node);

// Of a port that is up: whether it has the receive interrupts that its inputs are to wait for.
[[nodiscard]] result<void> check_rx_mode(engine& engine, const interface& i);

} // namespace weft::drivers
