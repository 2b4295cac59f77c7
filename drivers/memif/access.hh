// SPDX-License-Identifier: Apache-2.0
// Who may be at the other end of a memif: an owner, a group and a mode, as a file has them.
#pragma once

#include "base/foreign_fd.hh"
#include "base/result.hh"
#include "drivers/memif/options.hh"

#include <span>
#include <string>
#include <sys/types.h>

namespace weft::drivers::memif {

// Whether a process may write to a file of that owner, group and mode. root and the daemon's own
// user may.
[[nodiscard]] bool may_connect(const socket_access& access, uid_t user,
                               std::span<const gid_t> groups) noexcept;
// Asks the kernel who is at the other end of a connection: who called connect(), or listen() if it
// was connected to. Holds for abstract names too, which have no file. Errors say who it is and who
// may.
[[nodiscard]] result<void> check_peer(const socket_access& access, int connection);

// A server's socket. Owner: the main thread.
class listener {
public:
    listener() noexcept = default;
    // On a file of the options' access, or on a name of the kernel's. A file on which nobody
    // answers is replaced, one that is no socket, or on which somebody does, is an error; errors
    // name the socket.
    [[nodiscard]] static result<listener> open(const memif_options& options);
    listener(listener&&) noexcept = default;
    listener& operator=(listener&&) noexcept = default;
    // Removes the file, unless another one is in its place by now.
    ~listener();

    [[nodiscard]] int get() const noexcept { return socket_.get(); }

private:
    foreign_fd socket_; // with the connections that wait in it
    std::string path_;  // of its file; empty: it has none
    dev_t device_ = 0;
    ino_t number_ = 0;
};

} // namespace weft::drivers::memif
