// SPDX-License-Identifier: Apache-2.0
#include "base/foreign_fd.hh"

#include <cstring>
#include <unistd.h>

#ifndef SO_PASSRIGHTS // Linux 6.16
#define SO_PASSRIGHTS 83
#endif

namespace weft {

namespace {

constexpr size_t max_files = 253; // in one message (SCM_MAX_FD)

} // namespace

bool accept_files(int socket, bool wanted) noexcept
{
    const int value = wanted ? 1 : 0;
    return setsockopt(socket, SOL_SOCKET, SO_PASSRIGHTS, &value, sizeof value) == 0;
}

std::optional<ucred> peer_of(int socket) noexcept
{
    ucred peer{};
    socklen_t bytes = sizeof peer;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0)
        return {};
    return peer;
}

bool is_trusted(uid_t user) noexcept
{
    return user == 0 || user == geteuid();
}

ssize_t receive_with_files(int socket, std::span<std::byte> to, std::vector<foreign_fd>& files)
{
    iovec part{to.data(), to.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(max_files * sizeof(int))];
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    const ssize_t bytes = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
    if (bytes < 0)
        return bytes;
    for (auto* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t at = CMSG_LEN(0); at + sizeof(int) <= c->cmsg_len; at += sizeof(int)) {
            int fd = -1;
            std::memcpy(&fd, reinterpret_cast<const char*>(c) + at, sizeof fd);
            files.emplace_back(fd);
        }
    }
    return bytes;
}

} // namespace weft
