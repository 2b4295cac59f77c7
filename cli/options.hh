// SPDX-License-Identifier: Apache-2.0
// What weftctl was asked to do.
#pragma once

#include <string>

namespace weftctl {

// Exit statuses, documented in docs/cli.md.
enum exit_status : int {
    exit_good = 0,
    exit_failed = 1,      // a command failed, or the file of commands cannot be read
    exit_usage = 2,       // weftctl was called wrongly
    exit_unreachable = 3, // the daemon cannot be reached, or went away before it answered
};

struct options {
    std::string socket;
    std::string file; // of commands; `-` is standard input; empty: none
    std::string command;
    bool json = false;
    bool complete = false; // print what may follow `command`
    bool watch = false;    // repeat `command` every `interval` seconds
    double interval = 2;
};

// Reads the command line. Where weftctl is not to go on (usage errors, -h, -V) it prints what is to
// be said and exits.
[[nodiscard]] options read_options(int count, char** words);

} // namespace weftctl
