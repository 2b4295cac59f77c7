// SPDX-License-Identifier: Apache-2.0
// Asks the kernel for the flags of a TAP's end, where that is.
#include "drivers/dpdk/tap_carrier.hh"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <optional>
#include <sched.h>
#include <spdlog/spdlog.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

namespace weft::drivers {

namespace {

unique_fd open_socket()
{
    return unique_fd{socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
}

ifreq request_for(const std::string& name)
{
    ifreq request{};
    name.copy(request.ifr_name, sizeof request.ifr_name - 1);
    return request;
}

std::optional<bool> flags_up(int socket, const std::string& name)
{
    ifreq request = request_for(name);
    if (ioctl(socket, SIOCGIFFLAGS, &request) != 0)
        return std::nullopt;
    constexpr int wanted = IFF_UP | IFF_RUNNING;
    return (request.ifr_flags & wanted) == wanted;
}

int index_of(int socket, const std::string& name)
{
    ifreq request = request_for(name);
    return ioctl(socket, SIOCGIFINDEX, &request) == 0 ? request.ifr_ifindex : 0;
}

// The name that it has now; empty where it is gone.
std::string name_of(int tap)
{
    ifreq request{};
    return ioctl(tap, TUNGETIFF, &request) == 0 ? request.ifr_name : std::string{};
}

bool are_one_file(int a, int b)
{
    struct stat first, second;
    return fstat(a, &first) == 0 && fstat(b, &second) == 0 && first.st_ino == second.st_ino &&
           first.st_dev == second.st_dev;
}

// A socket of another namespace. The calling thread alone goes there, and comes back.
unique_fd open_socket_in(int there, int home)
{
    if (setns(there, CLONE_NEWNET) != 0)
        return unique_fd{};
    unique_fd made = open_socket();
    if (setns(home, CLONE_NEWNET) != 0)
        spdlog::critical("the main thread cannot return to its network namespace: {}",
                         std::strerror(errno));
    return made;
}

} // namespace

tap_carrier::tap_carrier(int tap)
    : tap_{tap},
      home_{open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)},
      socket_{open_socket()},
      name_{name_of(tap)},
      index_{index_of(socket_.get(), name_)}
{}

bool tap_carrier::is_tap(int file) noexcept
{
    ifreq request{};
    return ioctl(file, TUNGETIFF, &request) == 0 && (request.ifr_flags & IFF_TAP) != 0;
}

bool tap_carrier::is_up(const std::string& interface)
{
    return flags_up(open_socket().get(), interface).value_or(false);
}

bool tap_carrier::up() const
{
    // The usual case, and the one that takes no lock of the kernel's. A number tells it from
    // another of the same name.
    if (index_ != 0 && index_of(socket_.get(), name_) == index_)
        return flags_up(socket_.get(), name_).value_or(false);
    const std::string name = name_of(tap_);
    if (name.empty())
        return false; // gone
    const unique_fd there{ioctl(tap_, TUNGETDEVNETNS)};
    if (there.get() < 0 || home_.get() < 0)
        return flags_up(socket_.get(), name).value_or(true);
    if (are_one_file(there.get(), home_.get()))
        return flags_up(socket_.get(), name).value_or(false);
    const unique_fd socket = open_socket_in(there.get(), home_.get());
    return socket.get() < 0 || flags_up(socket.get(), name).value_or(true);
}

} // namespace weft::drivers
