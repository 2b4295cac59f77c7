// SPDX-License-Identifier: Apache-2.0
// Speaks the protocol of the daemon's control socket.
#include "cli/connection.hh"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace weftctl {
namespace {

constexpr size_t max_header = 32;          // `error 67108864` and some room
constexpr size_t max_answer = 128ul << 20; // twice what a daemon sends

std::string explain(int code)
{
    switch (code) {
    case ENOENT:
        return "no such socket; is weftd running?";
    case ECONNREFUSED:
        return "nothing is listening; weftd is not running";
    case EACCES:
        return "permission denied; only root and the socket's group may connect";
    default:
        return std::strerror(code);
    }
}

} // namespace

std::string connection::open()
{
    if (fd_ >= 0 && closed_by_peer())
        close();
    if (fd_ >= 0)
        return {};
    const auto problem = [&](std::string_view why) {
        close();
        return fmt::format("cannot reach the daemon at {}: {}", socket_, why);
    };
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (socket_.size() >= sizeof address.sun_path)
        return problem("the path is too long for a socket");
    std::memcpy(address.sun_path, socket_.data(), socket_.size());
    fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd_ < 0)
        return problem(std::strerror(errno));
    int done = 0;
    do
        done = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    while (done != 0 && errno == EINTR);
    return done == 0 ? std::string{} : problem(explain(errno));
}

answer connection::ask(std::string_view line)
{
    if (line.find('\n') != std::string_view::npos || line.find('\0') != std::string_view::npos)
        return {answer::kind::failed, "a command must be a single line of text\n"};
    if (auto problem = open(); !problem.empty())
        return {answer::kind::lost, problem};
    // A daemon that refuses the session closes it before it reads, and what it said is still there;
    // so the answer is read even if the line could not be sent.
    static_cast<void>(send_all(fmt::format("{}\n", line)));
    answer got;
    if (read_answer(got))
        return got;
    close();
    if (interrupted_ != nullptr && *interrupted_ != 0)
        return {answer::kind::lost, "interrupted; the command may still run"};
    return {answer::kind::lost, fmt::format("the daemon at {} went away before it answered; the "
                                            "command may or may not have been executed",
                                            socket_)};
}

void connection::close() noexcept
{
    if (fd_ >= 0)
        ::close(fd_);
    fd_ = -1;
}

// Between two requests nothing is to be read; if there is, it is the end.
bool connection::closed_by_peer() const noexcept
{
    pollfd look{fd_, POLLIN, 0};
    return ::poll(&look, 1, 0) != 0;
}

bool connection::send_all(std::string_view bytes) const noexcept
{
    while (!bytes.empty()) {
        const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR && (interrupted_ == nullptr || *interrupted_ == 0))
            continue;
        if (sent <= 0)
            return false;
        bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
}

bool connection::receive(char* to, size_t bytes) const noexcept
{
    while (bytes > 0) {
        const ssize_t got = ::recv(fd_, to, bytes, 0);
        if (got < 0 && errno == EINTR && (interrupted_ == nullptr || *interrupted_ == 0))
            continue;
        if (got <= 0)
            return false;
        to += got;
        bytes -= static_cast<size_t>(got);
    }
    return true;
}

bool connection::read_answer(answer& into) const
{
    std::string header;
    for (char c = 0;;) {
        if (header.size() == max_header || !receive(&c, 1))
            return false;
        if (c == '\n')
            break;
        header += c;
    }
    const size_t blank = std::min(header.find(' '), header.size());
    const auto word = std::string_view{header}.substr(0, blank);
    size_t length = 0;
    const auto* begin = header.data() + std::min(blank + 1, header.size());
    const auto* end = header.data() + header.size();
    const auto [stop, code] = std::from_chars(begin, end, length);
    if ((word != "ok" && word != "error") || code != std::errc{} || stop != end ||
        length > max_answer)
        return false;
    into.what = word == "ok" ? answer::kind::good : answer::kind::failed;
    into.text.resize(length);
    return receive(into.text.data(), length);
}

} // namespace weftctl
