// SPDX-License-Identifier: Apache-2.0
// Changes of input nodes while the graph runs: when they are polled, by which thread, and what lies
// behind them.
#pragma once

#include "base/result.hh"
#include "graph/node.hh"
#include "graph/process/process.hh"

#include <functional>
#include <vector>

namespace weft {

// A module of the engine. Main thread. Changes wait for each other: `self` is the process to wait
// with, null in tests and before engine::run().
class input_control {
public:
    explicit input_control(engine& engine) : engine_{engine} {}

    // By a new plan. errc::invalid_argument for a node that is no input, and for `disabled` of
    // one that lives on posts.
    result<void> set_state(std::vector<node_id> inputs, node_state state, process* self);
    // To another thread. No packet is lost, and none overtakes another of its queue: see change().
    result<void> move(std::vector<node_id> inputs, unsigned thread, process* self);
    // Makes a change at a moment when nothing that these inputs brought in is under way any more:
    // their threads give them up, finish their loops, what they handed to other threads is carried
    // through there, and only then are they polled again. Their queues keep meanwhile what comes,
    // some 100 us. What a device's transmit queue has taken counts as gone. errc::timeout, and
    // nothing changed, if a thread does not get there within 5 s.
    result<void> change(std::vector<node_id> inputs, process* self,
                        const std::function<void()>& make);

private:
    class turn;

    result<void> take_turn(process* self);
    [[nodiscard]] bool settle(process* self);

    engine& engine_;
    bool changing_ = false;
};

} // namespace weft
