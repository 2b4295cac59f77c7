// SPDX-License-Identifier: Apache-2.0
// Waits for a grace period by a one-time event, which RCU's callback signals.
#include "graph/thread/grace_period.hh"

#include "graph/engine.hh"

namespace weft {

result<void> wait_grace_period(process& self, duration limit)
{
    const auto over = self.open_one_time_event();
    if (!over)
        return pass(over);
    // The process may be gone when it is over, and the answer then goes nowhere.
    auto& loop = self.engine().loop();
    self.engine().rcu().defer([&loop, to = self.id(), type = over->type()] {
        event answer;
        answer.type = type;
        loop.signal(to, answer);
    });
    if (self.wait_event_of(over->type(), limit))
        return {};
    return fail(errc::timeout,
                "the change was made, but a worker did not finish its loop within {} ms",
                std::chrono::duration_cast<std::chrono::milliseconds>(limit).count());
}

} // namespace weft
