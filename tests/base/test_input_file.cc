// SPDX-License-Identifier: Apache-2.0
// Files that are read, and all that is refused without waiting.
#include "base/input_file.hh"
#include "tests/base/temporary_directory.hh"

#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

using namespace weft;
using Catch::Matchers::Contains;

namespace {

bool keep_reading()
{
    return true;
}

std::string why_not(const std::string& path, uint64_t limit = 1000)
{
    const auto file = input_file::open(path, limit);
    return file ? "" : file.error().message;
}

std::string file_of(const temporary_directory& files, std::string_view text)
{
    const auto path = files.file("f");
    std::ofstream{path} << text;
    return path;
}

// What read_pieces() gives, a word for each line.
std::string lines_in(const std::string& path, size_t longest)
{
    auto file = input_file::open(path, UINT32_MAX);
    REQUIRE(file.has_value());
    std::string words;
    const auto take = [&](std::string_view text, bool last) {
        size_t done = 0;
        for (size_t end = 0; (end = text.find('\n', done)) != std::string_view::npos;
             done = end + 1)
            words += fmt::format("{} ", text.substr(done, std::min<size_t>(end - done, 20)));
        if (last)
            words += fmt::format("and {} bytes", text.size() - done);
        return last ? text.size() : done;
    };
    CHECK(file->read_pieces(longest, keep_reading, take));
    return words;
}

} // namespace

TEST_CASE("a file is read whole, and in pieces of lines", "[graph]")
{
    const temporary_directory files;
    const auto path = file_of(files, "one\n" + std::string(70'000, 'x') + "\nthree");
    CHECK(input_file::open(path, 100'000)->read_all(keep_reading)->size() == 70'010);
    CHECK(lines_in(path, 100'000) == "one xxxxxxxxxxxxxxxxxxxx and 5 bytes");
    CHECK(lines_in(path, 4096) == "one and 36864 bytes"); // more than can be one line
    CHECK(lines_in(file_of(files, ""), 4096) == "and 0 bytes");
}

TEST_CASE("what is no regular file is refused at once", "[graph]")
{
    const temporary_directory files;
    CHECK(why_not("/nowhere/f") == "/nowhere/f: No such file or directory");
    CHECK(why_not("/tmp") == "/tmp: expected a regular file, found a directory");
    CHECK(why_not("/dev/zero") == "/dev/zero: expected a regular file, found a device");
    const auto pipe = files.file("pipe");
    REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
    CHECK(why_not(pipe) == pipe + ": expected a regular file, found a pipe");
    CHECK(open(pipe.c_str(), O_WRONLY | O_NONBLOCK) ==
          -1); // it was not opened: a writer finds nobody
    const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{AF_UNIX, {}};
    files.file("socket").copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    CHECK_THAT(why_not(files.file("socket")), Contains("found a socket"));
    close(listener);
}

TEST_CASE("a file that never ends is read as far as it says", "[graph]")
{
    for (const char* path : {"/proc/kmsg", "/proc/self/status"}) {
        auto file = input_file::open(path, 1000); // files of the kernel say 0
        if (file)
            CHECK(file->read_all(keep_reading).value().empty());
    }
    const temporary_directory files;
    const auto path = file_of(files, "x");
    REQUIRE(truncate(path.c_str(), off_t{3} << 30) == 0);
    CHECK(why_not(path) == path + ": 3221225472 bytes, more than the limit of 1000");
}

TEST_CASE("a file that changes while it is read is refused", "[graph]")
{
    const temporary_directory files;
    const auto path = file_of(files, "0123456789");
    const auto changed = [&](off_t size) {
        auto file = input_file::open(path, 1000);
        REQUIRE(file.has_value());
        REQUIRE(truncate(path.c_str(), size) == 0);
        return file->read_all(keep_reading).error().message;
    };
    CHECK(changed(5) == path + ": it changed while it was being read");
    CHECK(changed(50) == path + ": it changed while it was being read");
}

TEST_CASE("a lease that another process has on a file is not waited for", "[graph]")
{
    const temporary_directory files;
    const auto path = file_of(files, "x");
    const unique_fd holder{open(path.c_str(), O_RDWR | O_CLOEXEC)};
    if (fcntl(holder.get(), F_SETSIG, SIGWINCH) != 0 ||
        fcntl(holder.get(), F_SETLEASE, F_WRLCK) != 0)
        return; // a file system without leases
    CHECK(why_not(path) == path + ": another process has a lease on it");
}
