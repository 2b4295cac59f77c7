// SPDX-License-Identifier: Apache-2.0
// Waiting for a grace period: until no thread runs by what was replaced.
#pragma once

#include "base/clock.hh"
#include "base/result.hh"

namespace weft {

class process;

// On the process's fiber: waits until every worker has ended the loop in which it was when this was
// called. Plans and tables published before are then what all of them use. No worker waits for
// this. errc::timeout after `limit`, where a worker stands still.
[[nodiscard]] result<void> wait_grace_period(process& self, duration limit = 1s);

} // namespace weft
