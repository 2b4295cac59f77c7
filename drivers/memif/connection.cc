// SPDX-License-Identifier: Apache-2.0
// A memif's process: a server takes one client after the other, a client looks for its server again
// and again.
#include "drivers/memif/handshake.hh"
#include "drivers/memif/memif.hh"

#include <cerrno>
#include <cstring>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

namespace weft::drivers::memif {

namespace {

constexpr duration retry = 200ms; // between two connections, or attempts to connect

// The link is the device's while this lives, however the process ends.
class attachment {
public:
    attachment(memif_device& device, link_ptr made) : device_{device}
    {
        device_.attach(std::move(made));
    }
    ~attachment() { device_.detach(); }
    attachment(const attachment&) = delete;
    attachment& operator=(const attachment&) = delete;

private:
    memif_device& device_;
};

// A peer with files that nothing may wait for is not let in until those of others are closed.
void wait_for_room(process& self, const memif_device& device)
{
    if (reaper::has_room())
        return;
    spdlog::error("interface {}: files of earlier peers cannot be closed; accepting no new peer",
                  device.name());
    while (!reaper::has_room())
        self.sleep_for(retry);
}

foreign_fd next_client(process& self, const memif_device& device)
{
    while (true) {
        wait_for_room(self, device);
        if (!self.wait_readable(device.listener(), 1h))
            continue;
        foreign_fd client{
            accept4(device.listener(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
        if (client.get() >= 0)
            return client;
        self.sleep_for(retry); // no descriptors are left, perhaps
    }
}

foreign_fd find_server(process& self, const memif_device& device)
{
    const auto [address, length] = address_of(device.options());
    while (true) {
        wait_for_room(self, device);
        foreign_fd server{make_socket()};
        if (server.get() >= 0 &&
            connect(server.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0)
            return server;
        self.sleep_for(retry);
    }
}

} // namespace

void keep_connected(process& self, memif_device& device)
{
    const bool serves = device.options().end == role::server;
    const own_end whole{device.options(), device.name(), device.max_receive(),
                        device.max_transmit()};
    own_end own = whole;
    std::string last_refusal;
    while (true) {
        channel peer{self, serves ? next_client(self, device) : find_server(self, device)};
        auto made = serves ? greet_client(peer, own) : greet_server(peer, own);
        if (made) {
            last_refusal.clear();
            const attachment held{device, std::move(*made)};
            const std::string why = peer.wait_for_end();
            spdlog::info("interface {}: {}", device.name(), why);
            own.max_receive = whole.max_receive;
            own.max_transmit = whole.max_transmit;
        } else if (made.error().message !=
                   last_refusal) { // a peer that tries again and again is told of once
            last_refusal = made.error().message;
            spdlog::warn("interface {}: no link: {}", device.name(), last_refusal);
        }
        self.sleep_for(retry);
    }
}

} // namespace weft::drivers::memif
