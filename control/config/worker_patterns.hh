// SPDX-License-Identifier: Apache-2.0
// Which nodes the configuration gives to each worker.
#pragma once

#include "control/config/config.hh"
#include "graph/node_patterns.hh"

#include <vector>

namespace weft {

// `cpu.workers` of a configuration, whose items are a core's number or {core:, nodes:}. One for
// each worker; none where the key is not given.
[[nodiscard]] std::vector<node_patterns> patterns_of_workers(const config::value& root);

} // namespace weft
