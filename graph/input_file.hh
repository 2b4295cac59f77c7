// SPDX-License-Identifier: Apache-2.0
// A file that is open for reading.
#pragma once

#include <fcntl.h>
#include <optional>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace weft {

// Opened without waiting, so that a pipe without a writer holds nobody up; what a bad file is called is for its reader
// to say. Closed in the end. Any thread.
class input_file {
public:
    explicit input_file(const std::string& path) noexcept
        : fd_{open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)}
    {
    }
    ~input_file()
    {
        if (fd_ >= 0)
            close(fd_);
    }
    input_file(const input_file&) = delete;
    input_file& operator=(const input_file&) = delete;

    [[nodiscard]] int get() const noexcept { return fd_; }
    // What kind of file it is, and its size; none, with errno, if it could not be opened or looked at.
    [[nodiscard]] std::optional<struct stat> status() const noexcept
    {
        struct stat about {};
        if (fd_ < 0 || fstat(fd_, &about) != 0)
            return {};
        return about;
    }

private:
    const int fd_;
};

} // namespace weft
