// SPDX-License-Identifier: Apache-2.0
// weftctl on a terminal: line editing, history, completion and help asked from the daemon.
#pragma once

#include "cli/options.hh"

namespace weftctl {

// Reads and runs commands until `quit` or the end of input.
[[nodiscard]] exit_status run_interactive(const options& wanted);

// `weftctl watch COMMAND', until Ctrl-C.
[[nodiscard]] exit_status run_watch(const options& wanted);

} // namespace weftctl
