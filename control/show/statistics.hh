// SPDX-License-Identifier: Apache-2.0
// What the threads have counted of the graph since it was last cleared, read without disturbing
// them.
#pragma once

#include "graph/engine.hh"
#include "graph/process/process.hh"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace weft {

struct node_statistics {
    node_id id = no_node;
    uint64_t calls = 0;
    uint64_t vectors = 0;
    uint64_t clocks = 0;
    uint64_t max_clocks = 0; // of the costliest call
    uint64_t max_clocks_vectors = 0;
};

struct thread_statistics {
    unsigned index = 0;
    double seconds = 0;
    uint64_t loops = 0;
    uint64_t entered = 0;
    std::vector<node_statistics> nodes; // by name
};

// A node over several threads.
struct cluster_statistics {
    node_id id = no_node;
    unsigned threads = 0; // that have it
    uint64_t calls = 0;
    uint64_t vectors = 0;
    uint64_t clocks = 0;
    double calls_per_second =
        0; // both since cluster() last looked at it there, or since the last clear
    double vectors_per_second = 0;
};

struct reason_statistics {
    node_id node;
    uint16_t reason;
    uint64_t count;
};

// A module of the engine. Main thread. Counters have one writer, so to clear them is to remember
// where they stood.
class statistics {
public:
    explicit statistics(engine& engine);

    [[nodiscard]] thread_statistics of_thread(unsigned index) const;
    // The nodes of these names on the threads of these names, both as shell patterns; sorted by
    // name. A look less than `shortest_look` after another one begins its rates where that one's
    // began.
    [[nodiscard]] std::vector<cluster_statistics> cluster(const std::string& nodes,
                                                          const std::string& threads);
    static constexpr duration shortest_look = 100ms;
    // Packets that a node sent to a slot, over all threads, since start.
    [[nodiscard]] uint64_t sent(node_id id, size_t slot) const;
    // Sums over threads, only what is not zero.
    [[nodiscard]] std::vector<reason_statistics> reasons() const;
    [[nodiscard]] std::vector<process_status> processes() const;
    void clear_runtime();
    void clear_reasons();

private:
    struct base {
        duration at{};
        uint64_t loops = 0;
        uint64_t entered = 0;
        std::map<node_id, node_statistics> nodes;
    };

    struct look {
        duration at{};
        uint64_t calls = 0;
        uint64_t vectors = 0;
    };

    void forget(node_id id);
    [[nodiscard]] node_statistics raw(unsigned thread, node_id id) const;
    [[nodiscard]] node_statistics since_clear(unsigned thread, node_id id) const;
    void add_thread(cluster_statistics& node, unsigned thread);
    [[nodiscard]] std::map<reason_id, uint64_t> raw_reasons() const;

    engine& engine_;
    std::vector<base> bases_;
    std::map<std::pair<unsigned, node_id>, look> looks_; // by thread
    std::map<process_id, process_status> process_bases_;
    std::map<reason_id, uint64_t> reason_bases_;
};

} // namespace weft
