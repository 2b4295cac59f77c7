// SPDX-License-Identifier: Apache-2.0
// How busy the nodes and edges of the graph are: the difference between two looks at the threads'
// counters.
#pragma once

#include "base/clock.hh"
#include "graph/node.hh"

#include <cstdint>
#include <vector>

namespace weft {

class engine;

// What all threads have counted of the graph since the start. Main thread.
class graph_look {
public:
    explicit graph_look(engine& engine);

private:
    friend class graph_rates;

    struct node {
        uint64_t clocks = 0;
        uint64_t packets = 0;
        uint64_t drops = 0;         // packets that any of its reasons counted
        std::vector<uint64_t> sent; // by slot
    };
    duration at_{};
    std::vector<node> nodes_; // by node_id
};

// From one look to a later one. A node that one of them has not seen has rested.
class graph_rates {
public:
    graph_rates(const graph_look& from, const graph_look& to);

    struct node {
        double packets_per_second = 0;
        double clocks_per_packet = 0; // TSC cycles; 0 without packets
        double share = 0;             // of the cycles of all nodes on all threads, from 0 to 1
    };
    [[nodiscard]] double seconds() const noexcept { return seconds_; }
    [[nodiscard]] node of(node_id id) const noexcept;
    // Packets per second over an edge, and those that a node dropped or refused.
    [[nodiscard]] double sent(node_id id, size_t slot) const noexcept;
    [[nodiscard]] double dropped(node_id id) const noexcept;

private:
    [[nodiscard]] double per_second(uint64_t count) const noexcept;

    double seconds_ = 0;
    uint64_t clocks_ = 0;
    std::vector<graph_look::node> nodes_; // what was counted between the looks
};

} // namespace weft
