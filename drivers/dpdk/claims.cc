// SPDX-License-Identifier: Apache-2.0
#include "drivers/dpdk/claims.hh"

#include "base/foreign_fd.hh"
#include "drivers/dpdk/device_arguments.hh"

#include <cerrno>
#include <cstring>
#include <optional>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace weft::drivers {

namespace {

unique_fd make_socket()
{
    return unique_fd{socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
}

// Who listens there; empty if that cannot be found out.
std::optional<ucred> holder_of(const sockaddr_un& address, socklen_t length)
{
    const unique_fd asking = make_socket();
    if (connect(asking.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0)
        return {};
    return peer_of(asking.get());
}

} // namespace

result<unique_fd> claim_name(std::string_view name, std::string_view words)
{
    const std::string text = fmt::format("weft/{}", name);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (text.size() + 1 > sizeof address.sun_path)
        return fail(errc::invalid_argument, "{}: its name is too long", words);
    std::memcpy(address.sun_path + 1, text.data(), text.size());
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
    unique_fd made = make_socket();
    constexpr int backlog = 128; // who asks who holds it waits there
    if (bind(made.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0 &&
        listen(made.get(), backlog) == 0)
        return made;
    if (errno != EADDRINUSE)
        return fail(errc::io, "{} cannot be claimed: {}", words, std::strerror(errno));
    const auto holder = holder_of(address, length);
    if (!holder)
        return fail(errc::exists, "{} is in use by another daemon", words);
    if (is_trusted(holder->uid))
        return fail(errc::exists, "{} is in use by another daemon (process {})", words,
                    holder->pid);
    spdlog::warn("{}: user {} holds its lock name (process {}); ignored, since only root and "
                 "weft's own user can claim it",
                 words, holder->uid, holder->pid);
    return unique_fd{};
}

result<void> device_claims::claim(const std::string& device)
{
    std::map<std::string, unique_fd, std::less<>> fresh;
    for (const auto& what : resources_of(device)) {
        if (!what.shared || held_.contains(what.name) || fresh.contains(what.name))
            continue;
        auto claimed = claim_name(what.name, what.words);
        if (!claimed)
            return pass(claimed);
        fresh.emplace(what.name, std::move(*claimed));
    }
    held_.merge(fresh);
    return {};
}

void device_claims::release(const std::string& device)
{
    for (const auto& what : resources_of(device))
        held_.erase(what.name);
}

result<void> device_claims::claim_all(const config::value& root, std::vector<std::string>& left_out)
{
    const auto* interfaces = root.find("interfaces");
    if (interfaces == nullptr)
        return {};
    for (const auto& [name, key_at, settings] : interfaces->entries()) {
        if (settings.find("device") == nullptr)
            continue;
        const std::string& device = settings.find("device")->text();
        if (auto done = claim(device); !done) {
            if (!settings.get("optional", false))
                return fail(done.error().code, "interfaces.{}: {}", name, done.error().message);
            left_out.push_back(device);
        }
    }
    return {};
}

} // namespace weft::drivers
