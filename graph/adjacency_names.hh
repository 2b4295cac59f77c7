// SPDX-License-Identifier: Apache-2.0
// What the adjacencies in packets' marks stand for, in words, for captures, replays and traces.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace weft {

class engine;
struct trace_record;

// A module of the engine that the owner of the adjacencies fills in. Main thread.
struct adjacency_names {
    explicit adjacency_names(engine&) {}
    // Of an adjacency below count(). Both null where nobody has any.
    std::function<std::string(uint32_t)> describe;
    std::function<uint32_t()> count;

    // Of a lookup node, by its name: which route a traced packet has, as the tables are now.
    std::map<std::string, std::function<std::string(const trace_record&)>, std::less<>> route_of;

    [[nodiscard]] std::string of(uint32_t index) const
    {
        return count && index < count() ? describe(index) : std::string{};
    }
};

} // namespace weft
