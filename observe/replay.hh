// SPDX-License-Identifier: Apache-2.0
// Runs recorded vectors through the graph again: in their order, at the nodes where they were
// recorded, on the main thread alone. Between them no process runs, no timer fires and no input is
// polled, and time is what the recording says; so two replays of one recording with one
// configuration do the same.
#pragma once

#include "base/clock.hh"
#include "graph/engine.hh"
#include "observe/capture_file.hh"

#include <nlohmann/json_fwd.hpp>

namespace weft {

// Time as a recording tells it. Never goes back.
class replay_clock final : public clock_source {
public:
    [[nodiscard]] duration now() const noexcept override { return now_; }
    void set(duration to) noexcept { now_ = to > now_ ? to : now_; }

private:
    duration now_{0};
};

// Main thread, before host.run(), with plans published and no workers. `clock` is the host's.
// Returns what happened: calls and packets of each node, reasons with their counts, packets with
// bytes and a hash of them all for each node that sends out, and the packets that wait for
// something. Errors name the packet and its byte in the file: its node is not in this graph or is
// given no vectors, its interface or adjacency is not there, or it was not recorded whole.
[[nodiscard]] result<nlohmann::ordered_json> replay(engine& engine, const recording& what,
                                                    replay_clock& clock);

// The same for people.
[[nodiscard]] std::string replay_text(const nlohmann::ordered_json& data);

} // namespace weft
