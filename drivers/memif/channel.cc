// SPDX-License-Identifier: Apache-2.0
#include "drivers/memif/channel.hh"

#include "drivers/memif/access.hh"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <span>
#include <sys/socket.h>
#include <vector>

namespace weft::drivers::memif {

namespace {

constexpr duration patience = 2s;       // for a message
constexpr duration max_handshake = 10s; // for all of them

} // namespace

std::pair<sockaddr_un, socklen_t> address_of(const memif_options& options) noexcept
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const size_t first = options.abstract ? 1 : 0;
    const size_t count = std::min(options.socket.size(), sizeof address.sun_path - first);
    std::memcpy(address.sun_path + first, options.socket.data(), count);
    const size_t length =
        options.abstract ? offsetof(sockaddr_un, sun_path) + first + count : sizeof address;
    return {address, static_cast<socklen_t>(length)};
}

unique_fd make_socket() noexcept
{
    unique_fd made{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    static_cast<void>(accept_files(made.get(), false));
    return made;
}

std::string text_of(const char* characters, size_t most)
{
    std::string text{characters, strnlen(characters, most)};
    for (char& c : text)
        if (c < 0x20 || c == 0x7f)
            c = '?';
    return text;
}

void put_text(char* to, size_t most, std::string_view text) noexcept
{
    std::memset(to, 0, most);
    std::memcpy(to, text.data(), std::min(text.size(), most));
}

channel::channel(process& self, foreign_fd socket)
    : self_{self}, deadline_{self.now() + max_handshake}, socket_{std::move(socket)}
{}

duration channel::time_left() const noexcept
{
    return std::clamp(deadline_ - self_.now(), duration::zero(), patience);
}

result<void> channel::check(const socket_access& access) const
{
    return check_peer(access, socket_.get());
}

void channel::take_files(bool wanted) noexcept
{
    static_cast<void>(accept_files(socket_.get(), wanted));
}

result<void> channel::send(const message& what, int file)
{
    if (!self_.wait_writable(socket_.get(), time_left()))
        return fail(errc::timeout, "it accepted no message for {} s", patience / 1s);
    message copy = what;
    iovec part{&copy, sizeof copy};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof file)]{};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    if (file >= 0) {
        header.msg_control = control;
        header.msg_controllen = sizeof control;
        auto* rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof file);
        std::memcpy(CMSG_DATA(rights), &file, sizeof file);
    }
    if (sendmsg(socket_.get(), &header, MSG_NOSIGNAL) != sizeof copy)
        return fail(errc::io, "it cannot be sent a message: {}", std::strerror(errno));
    return {};
}

result<message> channel::receive(foreign_fd* file)
{
    if (!self_.wait_readable(socket_.get(), time_left()))
        return self_.now() < deadline_
                   ? fail(errc::timeout, "it sent nothing for {} s", patience / 1s)
                   : fail(errc::timeout, "it took more than {} s to connect", max_handshake / 1s);
    return read(file);
}

result<message> channel::read(foreign_fd* file)
{
    message got{};
    std::vector<foreign_fd> files;
    const ssize_t bytes =
        receive_with_files(socket_.get(), std::as_writable_bytes(std::span{&got, 1}), files);
    if (bytes < 0)
        return fail(errc::io, "{}", std::strerror(errno));
    if (bytes == 0)
        return fail(errc::io, "it closed the connection");
    if (bytes != sizeof got)
        return fail(errc::invalid_argument, "expected a message of {} bytes, found {}", sizeof got,
                    bytes);
    if (got.type == message_type::disconnect)
        return fail(errc::io, "it says: {}",
                    text_of(got.disconnect.reason, sizeof got.disconnect.reason));
    if (file != nullptr && files.size() == 1)
        *file = std::move(files.front());
    return got;
}

result<message> channel::receive(message_type wanted)
{
    auto got = receive();
    if (got && got->type != wanted)
        return fail(errc::invalid_argument, "expected message {} from it, found {}",
                    static_cast<int>(wanted), static_cast<int>(got->type));
    return got;
}

result<message> channel::ask(const message& what, int file, message_type answer)
{
    if (auto sent = send(what, file); !sent)
        return pass(sent);
    return receive(answer);
}

void channel::refuse(const std::string& why) noexcept
{
    message last{};
    last.type = message_type::disconnect;
    put_text(last.disconnect.reason, sizeof last.disconnect.reason - 1, why);
    // a peer that does not read it misses nothing else
    static_cast<void>(::send(socket_.get(), &last, sizeof last, MSG_NOSIGNAL | MSG_DONTWAIT));
}

std::string channel::wait_for_end()
{
    while (!self_.wait_readable(socket_.get(), 1h))
        continue;
    const auto last = read(nullptr);
    return last ? fmt::format("unexpected message {} from it", static_cast<int>(last->type))
                : last.error().message;
}

} // namespace weft::drivers::memif
