// SPDX-License-Identifier: Apache-2.0
// The daemon's log: to stderr or the journal, and a ring of the last lines for `show log`.
#pragma once

#include "daemon/settings.hh"

#include <chrono>

namespace weft {

inline constexpr size_t log_ring_lines = 1000;

// Main thread, once, before other threads exist. From then on nobody waits for stderr or the
// journal: a thread writes what is logged, and what it cannot write is lost and counted
// (daemon/lossy_sink.hh).
void start_log(const settings& s);

// Waits until what was logged is written, at most for `limit`; whether it is. Where it is not, the
// thread hangs, and the process must be ended without the destructors of static objects.
bool drain_log(std::chrono::milliseconds limit);

} // namespace weft
