// SPDX-License-Identifier: Apache-2.0
// What the adjacencies in packets' marks stand for, in words, for captures and replays.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace weft {

class engine;

// A module of the engine that the owner of the adjacencies fills in. Main thread.
struct adjacency_names {
    explicit adjacency_names(engine&) {}
    // Of an adjacency below count(). Both null where nobody has any.
    std::function<std::string(uint32_t)> describe;
    std::function<uint32_t()> count;

    [[nodiscard]] std::string of(uint32_t index) const
    {
        return count && index < count() ? describe(index) : std::string{};
    }
};

} // namespace weft
