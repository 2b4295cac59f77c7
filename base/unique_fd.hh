// SPDX-License-Identifier: Apache-2.0
// An open file that is closed in the end.
#pragma once

#include <unistd.h>
#include <utility>

namespace weft {

// Owns a file descriptor; -1 is none. Any thread.
class unique_fd {
public:
    explicit unique_fd(int fd = -1) noexcept : fd_{fd} {}
    unique_fd(unique_fd&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
    unique_fd& operator=(unique_fd&& other) noexcept
    {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~unique_fd()
    {
        if (fd_ >= 0)
            close(fd_);
    }

    [[nodiscard]] int get() const noexcept { return fd_; }
    // The caller closes it from now on.
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

private:
    int fd_;
};

} // namespace weft
