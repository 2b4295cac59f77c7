// SPDX-License-Identifier: Apache-2.0
#include "daemon/instance_lock.hh"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weft {

namespace {

template <class... Args>
tl::unexpected<error> fail_errno(fmt::format_string<Args...> format, Args&&... args)
{
    const int code = errno;
    return fail(errc::io, "{}: {}", fmt::format(format, std::forward<Args>(args)...),
                std::strerror(code));
}

// Whether the file still stands at the path: its last holder may have removed it before it could be
// locked.
bool stands_at(const std::filesystem::path& path, const unique_fd& file)
{
    struct stat there {
    }, here{};
    return lstat(path.c_str(), &there) == 0 && fstat(file.get(), &here) == 0 &&
           there.st_dev == here.st_dev && there.st_ino == here.st_ino;
}

std::string process_in(const unique_fd& file)
{
    char text[24];
    const ssize_t bytes = pread(file.get(), text, sizeof text, 0);
    std::string digits{text, static_cast<size_t>(std::max<ssize_t>(bytes, 0))};
    digits.resize(std::min(digits.size(), digits.find_first_not_of("0123456789")));
    return digits.empty() ? "" : fmt::format(" (process {})", digits);
}

} // namespace

result<instance_lock> instance_lock::take(const std::filesystem::path& socket)
{
    std::filesystem::path path{socket.native() + ".lock"};
    std::error_code code;
    std::filesystem::create_directories(path.parent_path(), code);
    if (code)
        return fail(errc::io, "{}: cannot create the directory: {}", path.parent_path().native(),
                    code.message());
    while (true) {
        unique_fd file{
            open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600)};
        if (file.get() < 0)
            return fail_errno("{}: cannot open the lock file", path.native());
        if (flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
            if (errno == EWOULDBLOCK)
                return fail(errc::exists, "another daemon{} holds {}", process_in(file),
                            socket.native());
            return fail_errno("{}: cannot lock it", path.native());
        }
        if (!stands_at(path, file))
            continue;
        const std::string own = fmt::format("{}\n", getpid());
        if (ftruncate(file.get(), 0) != 0 || pwrite(file.get(), own.data(), own.size(), 0) < 0)
            return fail_errno("{}: cannot write", path.native());
        return instance_lock{std::move(path), std::move(file)};
    }
}

instance_lock::~instance_lock()
{
    if (file_.get() >= 0)
        unlink(path_.c_str());
}

} // namespace weft
