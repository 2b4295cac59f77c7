// SPDX-License-Identifier: Apache-2.0
// Ethernet headers in packet traces.
#pragma once

#include "graph/trace.hh"

#include <string>

namespace weft {

// "IP4: 02:00:00:00:0a:02 -> 02:00:00:00:0a:01"
[[nodiscard]] std::string frame_text(const trace_record& record);

} // namespace weft
