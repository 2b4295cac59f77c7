// SPDX-License-Identifier: Apache-2.0
// An open file that is closed in the end.
#pragma once

#include <unistd.h>
#include <utility>

namespace weft {

// Owns a file descriptor; -1 is none. Any thread.
class file_handle {
public:
    explicit file_handle(int fd = -1) noexcept : fd_{fd} {}
    file_handle(file_handle&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
    file_handle& operator=(file_handle&& other) noexcept
    {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~file_handle()
    {
        if (fd_ >= 0)
            close(fd_);
    }

    [[nodiscard]] int get() const noexcept { return fd_; }

private:
    int fd_;
};

} // namespace weft
