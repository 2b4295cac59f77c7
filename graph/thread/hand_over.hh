// SPDX-License-Identifier: Apache-2.0
// For nodes that send some packets of a frame to another thread together.
#pragma once

#include "graph/node_run.hh"

#include <array>

namespace weft {

// Where packets go on in another thread's graph.
struct hand_over_target {
    graph_thread& thread;
    node_id node;
    size_t leave = 0; // room in the thread's inbox that is for others
};

// Hands over the packets of the frame from the place `first` on for which `chosen` (asked by place)
// is true, in order, and gives them their verdicts: consumed, or a drop for the reason `full` where
// the inbox has no more room. The node's own thread.
template <class Chosen>
void hand_over_chosen(node_run& run, const frame& in, uint32_t first, Chosen&& chosen,
                      const hand_over_target& to, uint16_t full, verdict* verdicts) noexcept
{
    std::array<packet*, vector_size> those;
    std::array<uint16_t, vector_size> places;
    uint32_t count = 0;
    for (uint32_t i = first; i < in.count; ++i)
        if (chosen(i)) {
            places[count] = static_cast<uint16_t>(i);
            those[count++] = in.packets[i];
        }
    if (count == 0)
        return;
    const uint32_t handed = run.hand_over_some(those.data(), count, to.thread, to.node, to.leave);
    for (uint32_t i = 0; i < count; ++i)
        verdicts[places[i]] = i < handed ? consumed : drop(full);
}

} // namespace weft
