// SPDX-License-Identifier: Apache-2.0
// Commands without a person: one from the command line, or many from a file.
#pragma once

#include "cli/connection.hh"
#include "cli/options.hh"

#include <string>
#include <string_view>

namespace weftctl {

// The request for a command in the view that was asked for.
[[nodiscard]] std::string request_of(const options& wanted, std::string_view command);

// Whether the command ends the session, which needs no daemon.
[[nodiscard]] bool is_quit(std::string_view command) noexcept;

// Writes to standard output and flushes. False, with a message, if it failed; a reader that has
// left (`weftctl ... | head`) is no failure.
[[nodiscard]] bool print(std::string_view text);

// Writes to standard error, as a line of its own. The text of an error ends in a newline already,
// that of a lost connection does not.
void complain(std::string_view where, std::string_view text);

[[nodiscard]] exit_status run_one(const options& wanted, connection& daemon);

// Prints what may follow the command, a word a line with a tab and its help.
[[nodiscard]] exit_status run_complete(const options& wanted, connection& daemon);

// One command a line; blank lines and those that begin with # are skipped. Stops at the first
// that fails and says FILE:LINE.
[[nodiscard]] exit_status run_batch(const options& wanted, connection& daemon);

} // namespace weftctl
