// SPDX-License-Identifier: Apache-2.0
// One client of the control socket: reads its requests, runs them, writes the answers.
#pragma once

#include "base/clock.hh"
#include "base/foreign_fd.hh"
#include "control/command/command.hh"
#include "graph/process/process.hh"

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace weft {

// `ok LENGTH` or `error LENGTH`, and the text, which gets a newline at its end if it has none.
[[nodiscard]] std::string frame_answer(bool good, std::string text);

// Cuts what a client sends into lines, in memory that does not grow.
class request_lines {
public:
    struct line {
        std::string text;
        bool too_long = false; // then the text is empty
    };

    // Where the next bytes go, and how many fit; never none once next() gave nothing.
    [[nodiscard]] std::span<char> space() noexcept;
    void added(size_t bytes) noexcept { used_ += bytes; }
    // The next whole line without its newline, or the news that one is too long: its remainder
    // is skipped.
    [[nodiscard]] std::optional<line> next();

private:
    void drop(size_t bytes) noexcept;

    std::array<char, max_command_line + 1> buffer_;
    size_t used_ = 0;
    bool skipping_ = false;
};

// Bytes of the answers that sessions hold for their clients; shared by the sessions whose sum is
// bounded.
struct answer_memory {
    size_t limit = 0;
    size_t used = 0;
};

class control_session {
public:
    // `client` does not block. The stall limit is the one that control_socket::open() takes.
    // `memory` outlives this.
    control_session(foreign_fd client, const command_table& commands, duration stall_limit,
                    answer_memory& memory);

    // Serves the client until it ends, quits or is cut off. On the session's own process.
    void serve(process& self, engine& engine);

    // Since when it has waited for a whole line; none while it does something.
    [[nodiscard]] std::optional<duration> idle_since() const noexcept { return idle_since_; }
    // Tells the client why the session ends, where it waits for a line and takes that without
    // waiting.
    void say_last(std::string_view why);

private:
    [[nodiscard]] bool read_more(process& self);
    [[nodiscard]] bool write(process& self, std::string_view bytes);
    [[nodiscard]] bool write_answer(process& self, std::string bytes);
    [[nodiscard]] bool wait_for_progress(process& self);
    [[nodiscard]] std::string answer(process& self, engine& engine, std::string_view request);
    [[nodiscard]] bool is_quit(engine& engine, std::string_view request) const;

    foreign_fd client_;
    const command_table& commands_;
    duration stall_limit_;
    answer_memory& memory_;
    request_lines lines_;
    std::optional<duration> idle_since_;
};

} // namespace weft
