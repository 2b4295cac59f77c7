// SPDX-License-Identifier: Apache-2.0
// Sessions append to one file under its lock.
#include "cli/history.hh"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <string_view>
#include <sys/file.h>
#include <unistd.h>

// After <cstdio>, whose FILE it uses.
#include <readline/readline.h>

#include <readline/history.h>

namespace weftctl {
namespace {

constexpr int max_history = 1000; // commands that a session recalls
constexpr off_t max_bytes = 256 << 10;

// The file, open and locked against other sessions; -1 where there is none.
class locked_file {
public:
    explicit locked_file(const std::string& path)
        : fd_{::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600)}
    {
        if (fd_ >= 0)
            ::flock(fd_, LOCK_EX);
    }
    ~locked_file()
    {
        if (fd_ >= 0)
            ::close(fd_);
    }
    locked_file(const locked_file&) = delete;
    locked_file& operator=(const locked_file&) = delete;

    [[nodiscard]] int fd() const noexcept { return fd_; }

private:
    const int fd_;
};

// Leaves the newer half of a file that has become long.
void shorten(int fd)
{
    const off_t bytes = ::lseek(fd, 0, SEEK_END);
    if (bytes <= max_bytes)
        return;
    std::string kept(static_cast<size_t>(max_bytes / 2), '\0');
    const ssize_t got = ::pread(fd, kept.data(), kept.size(), bytes - max_bytes / 2);
    if (got <= 0)
        return;
    kept.resize(static_cast<size_t>(got));
    kept.erase(0, kept.find('\n') + 1);
    if (::ftruncate(fd, 0) == 0)
        static_cast<void>(::write(fd, kept.data(), kept.size()) == 0);
}

} // namespace

history::history()
{
    using_history();
    stifle_history(max_history);
    if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0')
        file_ = fmt::format("{}/.weft_history", home);
    if (file_.empty())
        return;
    const locked_file file{file_};
    if (file.fd() >= 0)
        shorten(file.fd());
    read_history(file_.c_str());
}

void history::add(const char* line) const
{
    const HIST_ENTRY* last = history_get(history_base + history_length - 1);
    if (last != nullptr && std::string_view{last->line} == line)
        return;
    add_history(line);
    if (file_.empty())
        return;
    const locked_file file{file_};
    const auto text = fmt::format("{}\n", line);
    if (file.fd() >= 0 && ::write(file.fd(), text.data(), text.size()) < 0)
        fmt::print(stderr, "weftctl: cannot write {}\n", file_);
}

} // namespace weftctl
