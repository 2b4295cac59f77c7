// SPDX-License-Identifier: Apache-2.0
// Files that sleep in close(), and who is not to wait for them.
#include "base/foreign_fd.hh"

#include <array>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstring>
#include <future>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace weft::reaper_tests {

namespace {

// A TCP connection over which bytes can no longer go, with the wish to linger for an hour.
struct lingering {
    unique_fd listener{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    unique_fd sender{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    unique_fd receiver;

    lingering()
    {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t bytes = sizeof address;
        REQUIRE(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), bytes) == 0);
        REQUIRE(listen(listener.get(), 1) == 0);
        REQUIRE(getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &bytes) == 0);
        REQUIRE(connect(sender.get(), reinterpret_cast<sockaddr*>(&address), bytes) == 0);
        receiver = unique_fd{accept(listener.get(), nullptr, nullptr)};
        const linger hour{.l_onoff = 1, .l_linger = 3600};
        REQUIRE(setsockopt(sender.get(), SOL_SOCKET, SO_LINGER, &hour, sizeof hour) == 0);
        const std::array<char, 65536> some{};
        while (send(sender.get(), some.data(), some.size(), MSG_DONTWAIT) > 0)
            continue;
    }
};

// Sends a byte with a file.
ssize_t send_file(int socket, int fd)
{
    char byte = 'x';
    iovec part{&byte, 1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))]{};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    auto* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(rights), &fd, sizeof fd);
    return sendmsg(socket, &header, 0);
}

// The file is nobody's but the socket's then.
void hand_over(int socket, unique_fd file)
{
    REQUIRE(send_file(socket, file.get()) == 1);
}

// Whether everything that the reaper has been given until now was ended within 10 s.
bool is_reaper_done()
{
    std::array<int, 2> ends{};
    REQUIRE(pipe(ends.data()) == 0);
    foreign_fd{ends[1]} = foreign_fd{};
    const unique_fd other{ends[0]};
    pollfd closed{.fd = other.get(), .events = 0, .revents = 0};
    return poll(&closed, 1, 10'000) == 1;
}

struct unix_pair {
    std::array<int, 2> ends{};
    unix_pair() { REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0); }
};

// Nothing here may wait; an hour is what it would take.
template <class F>
bool is_quick(F&& f)
{
    const auto begin = std::chrono::steady_clock::now();
    f();
    return std::chrono::steady_clock::now() - begin < std::chrono::seconds{5};
}

} // namespace

TEST_CASE("reaper: who gives it a file that lingers does not wait, nor does the next file",
          "[thread]")
{
    lingering one;
    CHECK(is_quick([&] { foreign_fd{std::move(one.sender)} = foreign_fd{}; }));
    CHECK(is_reaper_done());
    CHECK(reaper::has_room());
}

TEST_CASE(
    "reaper: files that come with bytes nobody wanted them with are not closed by who receives",
    "[thread]")
{
    lingering one, two;
    unix_pair u;
    hand_over(u.ends[0], std::move(one.sender));
    hand_over(u.ends[0], std::move(two.sender));
    CHECK(is_quick([&] {
        foreign_fd connection{u.ends[1]};
        std::vector<foreign_fd> files;
        std::byte byte{};
        CHECK(receive_with_files(u.ends[1], {&byte, 1}, files) == 1);
        CHECK(files.size() == 1);
    })); // the second one was in the connection
    close(u.ends[0]);
    CHECK(is_reaper_done());
}

TEST_CASE("reaper: an object is deleted on its thread", "[thread]")
{
    struct tells {
        std::promise<std::thread::id>& where;
        ~tells() { where.set_value(std::this_thread::get_id()); }
    };
    std::promise<std::thread::id> where;
    auto told = where.get_future();
    std::unique_ptr<tells, reaped<tells>>{new tells{where}}.reset();
    REQUIRE(told.wait_for(std::chrono::seconds{10}) == std::future_status::ready);
    CHECK(told.get() != std::this_thread::get_id());
}

TEST_CASE("a Unix socket takes no files when it is told so")
{
    unix_pair u;
    std::array<int, 2> ends{};
    REQUIRE(pipe(ends.data()) == 0);
    const unique_fd one{ends[0]}, other{ends[1]};
    if (accept_files(u.ends[1], false)) // since Linux 6.16
        CHECK(send_file(u.ends[0], one.get()) < 0);
    CHECK(send(u.ends[0], "x", 1, 0) == 1);
    for (int end : u.ends)
        close(end);
}

} // namespace weft::reaper_tests
