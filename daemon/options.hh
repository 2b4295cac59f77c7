// SPDX-License-Identifier: Apache-2.0
// weftd's command line.
#pragma once

#include <optional>
#include <string>

namespace weft {

// How weftd exits; systemd/weft.service and docs/deploy.md count on the values.
namespace exit_status {
inline constexpr int fine = 0;
inline constexpr int failed = 1; // something that may come later is missing: a device, memory
inline constexpr int wrong_command_line = 2;
inline constexpr int stuck = 70; // ended by force, because something hung when it was asked to end
inline constexpr int wrong_configuration =
    78; // EX_CONFIG of sysexits.h: trying again does not help
} // namespace exit_status

struct options {
    std::string file;
    bool check = false;
    std::string replay; // a capture to run through the graph, instead of forwarding
    std::string page;   // to print, instead of anything else
};

// What was asked for; empty when help, version or an error was printed and `status` says how to
// exit.
[[nodiscard]] std::optional<options> parse_options(int count, char** words, int& status);

} // namespace weft
