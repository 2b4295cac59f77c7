// SPDX-License-Identifier: Apache-2.0
// The Unix socket on which operators and scripts send commands: one request line, one framed
// answer.
//
// A request is one line of UTF-8, at most 4096 bytes, ended by a newline:
//     COMMAND              the answer is text
//     @json COMMAND        the answer is JSON, also where the command fails
//     @complete PARTIAL    what may stand next: a line for each, `WORD<tab>HELP`
// An answer is one line and then exactly LENGTH bytes:
//     ok LENGTH            followed by the answer
//     error LENGTH         followed by one sentence, or {"error": {"code": ..., "message": ...}}
// Text and JSON end in a newline where they are not empty; it is counted in LENGTH. `quit` is
// answered with `ok 0`, then the session is closed. What a client sends after its last newline is
// never run. Requests may be sent ahead; they are answered one by one, in order. A session is never
// greeted. A session that is ended for another one's sake (daemon/session_shares.hh) is told so by
// an error without a request, if it waits for a line.
#pragma once

#include "base/clock.hh"
#include "base/result.hh"
#include "control/command/command.hh"
#include "daemon/session_shares.hh"
#include "graph/process/main_loop.hh"

#include <cstddef>
#include <filesystem>
#include <memory>

namespace weft {

// Owner: the main thread. Destroyed before the loop, the table and the engine.
class control_socket {
public:
    static constexpr size_t max_sessions = session_shares{}.places;
    static constexpr size_t max_answer = 64ul << 20; // bytes; a longer answer is an error
    // What all sessions of users other than root and the daemon's hold of answers that are not read
    // yet; more is an error.
    static constexpr size_t max_held_answers = 4 * max_answer;
    static constexpr size_t session_stack = 256ul << 10; // bytes, for the commands it runs
    // A client that takes nothing of its pending answer for that long is cut off.
    static constexpr duration default_stall_limit = 10s;

    // Listens at `path` with mode 0660, in a directory that is made if it is missing. A socket on
    // which nobody answers is replaced; errc::exists if another daemon answers there or if the path
    // is something else than a socket.
    [[nodiscard]] static result<control_socket> open(const std::filesystem::path& path,
                                                     engine& engine, main_loop& loop,
                                                     const command_table& commands,
                                                     duration stall_limit = default_stall_limit);

    control_socket(control_socket&&) noexcept;
    control_socket& operator=(control_socket&&) noexcept;
    // Ends all sessions and removes the socket from the file system. Not from one of its sessions.
    ~control_socket();

    [[nodiscard]] size_t sessions() const noexcept;

private:
    struct state;
    explicit control_socket(std::unique_ptr<state> opened) noexcept;

    std::unique_ptr<state> state_;
};

} // namespace weft
