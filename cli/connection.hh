// SPDX-License-Identifier: Apache-2.0
// A session with the daemon: one request line, one framed answer (docs/cli.md).
#pragma once

#include <csignal>
#include <string>
#include <string_view>

namespace weftctl {

struct answer {
    enum class kind {
        good,   // text: what the command says
        failed, // text: why the command failed
        lost,   // text: why there is no answer; the session is closed
    };
    kind what = kind::lost;
    std::string text;
};

class connection {
public:
    // `interrupted`, where given, ends the wait for an answer once a signal handler sets it.
    explicit connection(std::string socket, const volatile std::sig_atomic_t* interrupted = nullptr)
        : socket_{std::move(socket)}, interrupted_{interrupted}
    {}
    ~connection() { close(); }
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

    // Connects if need be; empty if it worked, else one sentence that names the socket.
    [[nodiscard]] std::string open();
    // Sends one line and waits for its answer. Connects first if there is no session, or if the
    // daemon has closed it meanwhile. A line with a newline or a zero byte is refused here.
    [[nodiscard]] answer ask(std::string_view line);

private:
    void close() noexcept;
    [[nodiscard]] bool closed_by_peer() const noexcept;
    [[nodiscard]] bool send_all(std::string_view bytes) const noexcept;
    [[nodiscard]] bool receive(char* to, size_t bytes) const noexcept;
    [[nodiscard]] bool read_answer(answer& into) const;

    std::string socket_;
    const volatile std::sig_atomic_t* interrupted_;
    int fd_ = -1;
};

} // namespace weftctl
