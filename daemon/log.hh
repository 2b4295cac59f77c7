// SPDX-License-Identifier: Apache-2.0
// The daemon's log: to stderr or the journal, and a ring of the last lines for `show log`.
#pragma once

#include "daemon/settings.hh"

namespace weft {

inline constexpr size_t log_ring_lines = 1000;

// Main thread, once, before other threads exist.
void start_log(const settings& s);

} // namespace weft
