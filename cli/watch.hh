// SPDX-License-Identifier: Apache-2.0
// Repeats a command until it is interrupted.
#pragma once

#include "cli/connection.hh"
#include "cli/options.hh"

#include <csignal>
#include <string>
#include <string_view>

namespace weftctl {

// On a terminal each answer is drawn over the last one, with what has changed in reverse (not where
// NO_COLOR is set); elsewhere they follow one another. `command` may have filters. Ends once
// `interrupted`, with an error of the command, or when the daemon is away.
[[nodiscard]] exit_status watch(const options& wanted, std::string_view command, connection& daemon,
                                const volatile std::sig_atomic_t& interrupted);

// Takes `watch [-n SECONDS]' off the front of a command; false if it does not begin so. `problem`
// is a sentence where the rest is wrong.
[[nodiscard]] bool take_watch(std::string_view& command, double& interval, std::string& problem);

} // namespace weftctl
