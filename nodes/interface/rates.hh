// SPDX-License-Identifier: Apache-2.0
// How many packets and bits a second pass each interface: over the last second, the last ten and
// the last sixty.
#pragma once

#include "nodes/interface/interface.hh"

#include <array>
#include <map>

namespace weft {

// A module of the engine. Main thread; a process of it takes a sample every second.
class interface_rates {
public:
    static constexpr std::array<unsigned, 3> spans{1, 10, 60}; // seconds

    explicit interface_rates(engine& engine);

    struct rate {
        double rx_packets = 0, rx_bits = 0, tx_packets = 0, tx_bits = 0; // a second
    };
    // Over spans[span], or since the interface was first seen.
    [[nodiscard]] rate of(interface_index index, size_t span) const;

    // Of one interface at a time, in seconds that count up.
    void sample(interface_index index, double now);

private:
    struct point {
        double when = 0;
        interface_table::totals counts;
    };
    // The last samples, one a second, and one of every ten.
    struct history {
        std::array<point, 11> seconds{};
        std::array<point, 7> tens{};
        size_t taken = 0;
    };
    [[nodiscard]] static rate between(const point& from, const point& to);

    engine& engine_;
    std::map<interface_index, history> all_;
};

} // namespace weft
