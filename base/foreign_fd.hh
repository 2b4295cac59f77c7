// SPDX-License-Identifier: Apache-2.0
// Files that come from strangers, and Unix sockets over which they may come.
//
// A connection counts as one itself: the files that lie unread in its queue are closed with it. So
// does a listener, with the connections that nobody has accepted.
#pragma once

#include "base/reaper.hh"
#include "base/unique_fd.hh"

#include <cstddef>
#include <optional>
#include <span>
#include <sys/socket.h>
#include <sys/types.h>
#include <vector>

namespace weft {

// Owns a file descriptor, which is closed on the reaper's thread in the end; -1 is none. Any
// thread.
class foreign_fd {
public:
    explicit foreign_fd(int fd = -1) noexcept : file_{fd} {}
    explicit foreign_fd(unique_fd file) noexcept : file_{std::move(file)} {}
    foreign_fd(foreign_fd&&) noexcept = default;
    foreign_fd& operator=(foreign_fd&&) noexcept = default;
    ~foreign_fd() { reaper::take(std::move(file_)); }

    [[nodiscard]] int get() const noexcept { return file_.get(); }
    // Of a file that has turned out to be harmless.
    [[nodiscard]] unique_fd trusted() noexcept { return std::move(file_); }

private:
    unique_fd file_;
};

// Whether a Unix socket, or those that a listener will accept, takes files from its peer: a send
// with one fails if not. False where the kernel does not know the option (before Linux 6.16): files
// come then, whatever is asked.
bool accept_files(int socket, bool wanted) noexcept;

// Who is at the other end of a connected Unix socket: who called connect(), or listen() if it was
// connected to. None where the kernel does not say; errno tells why.
[[nodiscard]] std::optional<ucred> peer_of(int socket) noexcept;
// Whether a user may do anything to this daemon anyway: root, and the user that it runs as.
[[nodiscard]] bool is_trusted(uid_t user) noexcept;

// recv(2), for a thread that must not sleep: what comes with the bytes goes into `files`, where
// recv() would close it at once.
[[nodiscard]] ssize_t receive_with_files(int socket, std::span<std::byte> to,
                                         std::vector<foreign_fd>& files);

} // namespace weft
