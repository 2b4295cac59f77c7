// SPDX-License-Identifier: Apache-2.0
// weftd's command line.
#pragma once

#include <optional>
#include <string>

namespace weft {

struct options {
    std::string file;
    bool check = false;
    std::string replay; // a capture to run through the graph, instead of forwarding
    std::string page; // to print, instead of anything else
};

// What was asked for; empty when help, version or an error was printed and `status` says how to exit.
[[nodiscard]] std::optional<options> parse_options(int count, char** words, int& status);

} // namespace weft
