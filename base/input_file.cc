// SPDX-License-Identifier: Apache-2.0
// Opens and reads regular files.
#include "base/input_file.hh"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <utility>

namespace weft {

namespace {

std::string_view kind_of(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFDIR:
        return "a directory";
    case S_IFIFO:
        return "a pipe";
    case S_IFSOCK:
        return "a socket";
    default:
        return "a device";
    }
}

tl::unexpected<error> system_says(const std::string& path, int code)
{
    if (code == EWOULDBLOCK)
        return fail(errc::io, "{}: another process has a lease on it", path);
    return fail(code == ENOENT ? errc::not_found : errc::io, "{}: {}", path, std::strerror(code));
}

} // namespace

input_file::input_file(unique_fd file, std::string path, const struct stat& about)
    : fd_{std::move(file)},
      path_{std::move(path)},
      size_{static_cast<uint64_t>(about.st_size)},
      left_{size_},
      changed_{about.st_mtim}
{}

result<input_file> input_file::open(const std::string& path, uint64_t limit)
{
    const unique_fd place{::open(path.c_str(), O_PATH | O_CLOEXEC)};
    struct stat about {};
    if (place.get() < 0 || ::fstat(place.get(), &about) != 0)
        return system_says(path, errno);
    if (!S_ISREG(about.st_mode))
        return fail(errc::invalid_argument, "{}: expected a regular file, found {}", path,
                    kind_of(about.st_mode));
    if (static_cast<uint64_t>(about.st_size) > limit)
        return fail(errc::exhausted, "{}: {} bytes, more than the limit of {}", path, about.st_size,
                    limit);
    unique_fd file{::open(fmt::format("/proc/self/fd/{}", place.get()).c_str(),
                          O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
    if (file.get() < 0)
        return system_says(path, errno);
    return input_file{std::move(file), path, about};
}

result<size_t> input_file::read(std::span<char> into)
{
    const auto wanted = static_cast<size_t>(std::min<uint64_t>(into.size(), left_));
    ssize_t got = 0;
    do
        got = ::read(fd_.get(), into.data(), wanted);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return system_says(path_, errno);
    left_ -= static_cast<uint64_t>(got);
    const bool ends = left_ == 0 || got == 0;
    struct stat now {};
    if (ends && ::fstat(fd_.get(), &now) != 0)
        return system_says(path_, errno);
    if (ends && (left_ > 0 || static_cast<uint64_t>(now.st_size) != size_ ||
                 now.st_mtim.tv_sec != changed_.tv_sec || now.st_mtim.tv_nsec != changed_.tv_nsec))
        if (wanted > 0)
            return fail(errc::io, "{}: it changed while it was being read", path_);
    return static_cast<size_t>(got);
}

tl::unexpected<error> input_file::ended() const
{
    return fail(errc::timeout, "{}: reading it was interrupted", path_);
}

result<void> input_file::fill(std::span<char> all, const pause& go_on)
{
    for (size_t at = 0; at < all.size();) {
        const auto got = read(all.subspan(at, std::min(all.size() - at, 8 * piece_bytes)));
        if (!got)
            return pass(got);
        at += *got;
        if (!go_on())
            return ended();
    }
    return {};
}

} // namespace weft
