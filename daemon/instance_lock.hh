// SPDX-License-Identifier: Apache-2.0
// One daemon for each control socket: a lock on a file beside it, which is taken before anything is
// touched.
#pragma once

#include "base/result.hh"
#include "base/unique_fd.hh"

#include <filesystem>

namespace weft {

// Any thread; may block on the file system. The lock ends with its process, however that ends; the
// file goes with the object.
class instance_lock {
public:
    // Locks SOCKET.lock (mode 0600) in a directory that is made if it is missing. errc::exists,
    // with the other's process, if another daemon has it.
    [[nodiscard]] static result<instance_lock> take(const std::filesystem::path& socket);

    instance_lock(instance_lock&&) noexcept = default;
    instance_lock& operator=(instance_lock&&) = delete;
    ~instance_lock();

private:
    instance_lock(std::filesystem::path path, unique_fd file)
        : path_{std::move(path)}, file_{std::move(file)}
    {}

    std::filesystem::path path_;
    unique_fd file_;
};

} // namespace weft
