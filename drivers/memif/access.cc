// SPDX-License-Identifier: Apache-2.0
#include "drivers/memif/access.hh"

#include "drivers/memif/channel.hh"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace weft::drivers::memif {

namespace {

constexpr int backlog = 4; // one client at a time is served

tl::unexpected<error> fault(const memif_options& options, const char* what)
{
    return fail(errc::io, "memif socket {}: {}: {}", options.socket, what, std::strerror(errno));
}

// Makes the directory, and removes a socket that is left over.
result<void> make_way(const memif_options& options)
{
    std::error_code code;
    const auto folder = std::filesystem::path{options.socket}.parent_path();
    if (!folder.empty() && (std::filesystem::create_directories(folder, code), code))
        return fail(errc::io, "memif socket {}: its directory cannot be created: {}",
                    options.socket, code.message());
    struct stat found {};
    if (lstat(options.socket.c_str(), &found) != 0)
        return {};
    if (!S_ISSOCK(found.st_mode))
        return fail(errc::exists, "memif socket {}: it exists and is not a socket", options.socket);
    const auto [address, length] = address_of(options);
    const unique_fd probe = make_socket();
    if (connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0 ||
        errno != ECONNREFUSED)
        return fail(errc::exists, "memif socket {}: another program is listening there",
                    options.socket);
    unlink(options.socket.c_str());
    return {};
}

// By a handle of the file, so that nothing else is given away if another takes its place meanwhile.
result<void> set_access(const memif_options& options)
{
    struct stat found {};
    const unique_fd file{open(options.socket.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)};
    if (file.get() < 0 || fstat(file.get(), &found) != 0 || !S_ISSOCK(found.st_mode))
        return fault(options, "it cannot be opened");
    const auto& access = options.access;
    if (fchownat(file.get(), "", access.owner, access.group, AT_EMPTY_PATH) != 0)
        return fault(options, "its owner cannot be set");
    if (chmod(fmt::format("/proc/self/fd/{}", file.get()).c_str(), access.mode) != 0)
        return fault(options, "its mode cannot be set");
    return {};
}

std::vector<gid_t> groups_of(int connection, gid_t first)
{
    std::vector<gid_t> groups(64);
    auto bytes = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    int done = getsockopt(connection, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &bytes);
    if (done != 0 && errno == ERANGE) { // `bytes` says how many there are
        groups.resize(bytes / sizeof(gid_t));
        done = getsockopt(connection, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &bytes);
    }
    groups.resize(done == 0 ? bytes / sizeof(gid_t) : 0);
    groups.push_back(first);
    return groups;
}

} // namespace

bool may_connect(const socket_access& access, uid_t user, std::span<const gid_t> groups) noexcept
{
    if (is_trusted(user))
        return true;
    if (user == access.owner)
        return (access.mode & S_IWUSR) != 0;
    if (std::find(groups.begin(), groups.end(), access.group) != groups.end())
        return (access.mode & S_IWGRP) != 0;
    return (access.mode & S_IWOTH) != 0;
}

result<void> check_peer(const socket_access& access, int connection)
{
    const auto peer = peer_of(connection);
    if (!peer)
        return fail(errc::io, "its credentials cannot be read: {}", std::strerror(errno));
    if (may_connect(access, peer->uid, groups_of(connection, peer->gid)))
        return {};
    return fail(errc::invalid_argument,
                "user {} (group {}) is not allowed by owner {}, group {}, mode {:04o}", peer->uid,
                peer->gid, access.owner, access.group, access.mode);
}

result<listener> listener::open(const memif_options& options)
{
    const bool has_file = !options.abstract;
    if (has_file)
        if (auto done = make_way(options); !done)
            return pass(done);
    listener made;
    made.socket_ = foreign_fd{make_socket()};
    // the file never is more open than this: bind() takes the mode from the socket
    if (made.get() < 0 || fchmod(made.get(), options.access.mode & S_IRWXU) != 0)
        return fault(options, "it cannot be created");
    const auto [address, length] = address_of(options);
    if (bind(made.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0)
        return fault(options, "it cannot be bound");
    struct stat found {};
    if (has_file && lstat(options.socket.c_str(), &found) == 0) {
        made.path_ = options.socket;
        made.device_ = found.st_dev;
        made.number_ = found.st_ino;
    }
    if (has_file)
        if (auto done = set_access(options); !done)
            return pass(done);
    if (::listen(made.get(), backlog) != 0)
        return fault(options, "it cannot listen");
    return made;
}

listener::~listener()
{
    ::shutdown(socket_.get(),
               SHUT_RDWR); // it is closed later, and must not seem to answer until then
    struct stat found {};
    if (!path_.empty() && lstat(path_.c_str(), &found) == 0 && found.st_dev == device_ &&
        found.st_ino == number_)
        unlink(path_.c_str());
}

} // namespace weft::drivers::memif
