// SPDX-License-Identifier: Apache-2.0
// A router with a network on interface b that is wide enough for all neighbours that there can be.
#pragma once

#include "tests/nodes/node_tester.hh"

namespace weft::test {

// The addresses of that network's stations, from 10.64.1.0 on.
[[nodiscard]] inline net::ip4_address numbered(uint32_t n)
{
    return {ip("10.64.1.0").value + n};
}

[[nodiscard]] inline packet_builder to_numbered(uint32_t n)
{
    return udp_packet("10.0.0.2", net::to_string(numbered(n)));
}

struct crowd : node_tester {
    crowd() : node_tester{{.neighbours = false}}
    {
        REQUIRE(ip4().add_address(1, own_address("10.64.0.1/16")));
        run();
        (void)take();
    }
    bool learn(uint32_t n) { return neighbours().learn(1, numbered(n), mac_of(1, n), false, true); }
    void learn_until(uint32_t end)
    {
        for (uint32_t n = 0; n < end; ++n)
            REQUIRE(learn(n));
    }
    // Packets to them, one at a time, that a worker has let through.
    void glean_numbered(uint32_t begin, uint32_t end)
    {
        for (uint32_t n = begin; n < end; ++n) {
            glean(to_numbered(n), numbered(n));
            run();
        }
    }
    [[nodiscard]] std::optional<fib::neighbour_state> state(uint32_t n)
    {
        return state_of(net::to_string(numbered(n)));
    }
    [[nodiscard]] fib::neighbour_table::usage used() { return neighbours().used_by(1); }
};

} // namespace weft::test
