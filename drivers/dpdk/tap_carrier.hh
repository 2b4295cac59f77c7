// SPDX-License-Identifier: Apache-2.0
// Whether the kernel's end of a TAP is up, in whatever network namespace that end is.
#pragma once

#include "base/unique_fd.hh"

#include <string>

namespace weft::drivers {

// DPDK's driver asks by the interface's name in the daemon's own namespace, where an end that was
// moved, or renamed, is not found. Main thread.
class tap_carrier {
public:
    // `tap`: the open file of one of its queues, which stays the caller's.
    explicit tap_carrier(int tap);

    // Whether the end is up and runs. True where it cannot be told: an end in another namespace
    // that this process may not enter. Never waits for a peer; enters the end's namespace for the
    // question only, for to keep a socket there would keep a namespace alive that its owner has
    // deleted.
    [[nodiscard]] bool up() const;
    // Whether the file is a TAP's at all.
    [[nodiscard]] static bool is_tap(int file) noexcept;

    // The same of an interface of the daemon's own namespace. False if there is none of that name.
    [[nodiscard]] static bool is_up(const std::string& interface);

private:
    const int tap_;
    unique_fd home_;   // the daemon's namespace
    unique_fd socket_; // in it
    std::string name_; // of the end when it was opened
    int index_ = 0;
};

} // namespace weft::drivers
