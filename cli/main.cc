// SPDX-License-Identifier: Apache-2.0
// weftctl: the operator's hand on a running weftd.
#include "cli/batch.hh"
#include "cli/connection.hh"
#include "cli/interactive.hh"
#include "cli/options.hh"

#include <csignal>
#include <unistd.h>

int main(int count, char** words)
{
    const auto wanted = weftctl::read_options(count, words);
    // A reader that leaves is seen as an error of the write.
    std::signal(SIGPIPE, SIG_IGN);
    if (wanted.watch)
        return weftctl::run_watch(wanted);
    if (!wanted.complete && wanted.command.empty() && wanted.file.empty() &&
        ::isatty(STDIN_FILENO) != 0)
        return weftctl::run_interactive(wanted);
    weftctl::connection daemon{wanted.socket};
    if (wanted.complete)
        return weftctl::run_complete(wanted, daemon);
    return wanted.command.empty() ? weftctl::run_batch(wanted, daemon)
                                  : weftctl::run_one(wanted, daemon);
}
