// SPDX-License-Identifier: Apache-2.0
// Sends one datagram to the socket that NOTIFY_SOCKET names. sd_notify() itself waits where the
// queue there is full.
#include "daemon/notify.hh"

#include "base/unique_fd.hh"

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <sys/socket.h>
#include <sys/un.h>

namespace weft {

bool notify(std::string_view state) noexcept
{
    const char* const found = std::getenv("NOTIFY_SOCKET");
    const std::string_view name{found == nullptr ? "" : found};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (name.empty() || name.size() >= sizeof address.sun_path ||
        (name[0] != '/' && name[0] != '@'))
        return true;
    name.copy(address.sun_path, name.size());
    if (name[0] == '@') // an abstract name
        address.sun_path[0] = '\0';
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    const unique_fd to{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    const ssize_t sent = ::sendto(to.get(), state.data(), state.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                                  reinterpret_cast<const sockaddr*>(&address), length);
    return sent >= 0 || (errno != EAGAIN && errno != ENOBUFS);
}

} // namespace weft
