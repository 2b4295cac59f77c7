// SPDX-License-Identifier: Apache-2.0
#include "drivers/memif/client_story.hh"

#include "drivers/memif/channel.hh"

#include <algorithm>
#include <array>
#include <cstring>
#include <fcntl.h>
#include <string_view>
#include <unistd.h>

namespace weft::drivers::memif {

namespace {

// What procfs says of an open file, which asks nobody but the kernel.
std::string about(int fd)
{
    std::array<char, 256> text{};
    const unique_fd info{
        open(fmt::format("/proc/self/fdinfo/{}", fd).c_str(), O_RDONLY | O_CLOEXEC)};
    const ssize_t bytes = read(info.get(), text.data(), text.size());
    return {text.data(), static_cast<size_t>(std::max<ssize_t>(bytes, 0))};
}

// A ring's bell from its peer: nothing else may come in its place, since workers ring it and wait
// for it.
result<void> check_bell(int fd)
{
    std::array<char, 64> what{};
    const auto path = fmt::format("/proc/self/fd/{}", fd);
    if (fd < 0 || readlink(path.c_str(), what.data(), what.size() - 1) < 0 ||
        std::string_view{what.data()} != "anon_inode:[eventfd]")
        return fail(errc::invalid_argument, "a ring was sent without an eventfd");
    if (about(fd).find("eventfd-semaphore: 1") != std::string::npos) // since Linux 6.6
        return fail(errc::invalid_argument,
                    "a ring's eventfd is a semaphore, which one read does not clear");
    return {};
}

} // namespace

result<void> client_story::hear(const message& m, foreign_fd file)
{
    switch (m.type) {
    case message_type::init:
        return begin(m.init);
    case message_type::add_region:
        return add_region(m.region, file);
    case message_type::add_ring:
        return add_ring(m.ring, std::move(file));
    default:
        return fail(errc::invalid_argument, "unexpected message {}", static_cast<int>(m.type));
    }
}

result<link_ptr> client_story::finish()
{
    if (!begun_)
        return fail(errc::invalid_argument, "it asked to connect before it introduced itself");
    for (auto* rings : {&to_server_, &to_client_})
        for (told& t : *rings) {
            if (t.header->cookie != ring_cookie)
                return fail(errc::invalid_argument, "a ring does not have the magic cookie");
            t.header->head.store(0);
            t.header->tail.store(0);
            t.header->flags.store(rings == &to_server_ ? ring_unheard : t.header->flags.load());
            const bool receives = rings == &to_server_;
            (receives ? link_->receive : link_->transmit)
                .emplace_back(*t.header, t.log2, role::server,
                              receives ? direction::receive : direction::transmit,
                              std::move(t.bell), 0);
        }
    return std::move(link_);
}

result<void> client_story::begin(const init_message& m)
{
    std::array<char, secret_bytes> secret;
    put_text(secret.data(), secret.size(), own_.options.secret);
    if (begun_)
        return fail(errc::exists, "it introduced itself twice");
    if (m.version != protocol_version)
        return fail(errc::unsupported, "protocol version {:#x}; expected {:#x}",
                    uint16_t{m.version}, protocol_version);
    if (m.id != own_.options.id)
        return fail(errc::not_found, "no interface {} here; expected {}", uint32_t{m.id},
                    own_.options.id);
    if (m.mode != 0)
        return fail(errc::unsupported, "mode {}; expected Ethernet", m.mode);
    if (std::memcmp(m.secret, secret.data(), secret.size()) != 0)
        return fail(errc::invalid_argument, "wrong secret");
    begun_ = true;
    link_->peer = text_of(m.name, sizeof m.name);
    return {};
}

result<void> client_story::add_region(const region_message& m, const foreign_fd& file)
{
    if (!begun_)
        return fail(errc::invalid_argument, "it sent a region before it introduced itself");
    if (m.index != link_->regions.size() || m.index >= max_regions)
        return fail(errc::invalid_argument, "expected region {} of {} at most, found {}",
                    link_->regions.size(), max_regions, uint16_t{m.index});
    const uint64_t most = own_.options.max_region;
    if (m.bytes > most || bytes_ > most - m.bytes)
        return fail(errc::exhausted,
                    "its regions have {} bytes; expected at most {} MiB in all (region-limit)",
                    bytes_ + std::min(m.bytes, UINT64_MAX - bytes_), most >> 20);
    auto made = region::map(file.get(), m.bytes);
    if (!made)
        return pass(made);
    bytes_ += m.bytes;
    link_->regions.push_back(std::move(*made));
    return {};
}

result<void> client_story::add_ring(const ring_message& m, foreign_fd bell)
{
    const bool receives = (m.flags & ring_to_server) != 0;
    auto& rings = receives ? to_server_ : to_client_;
    const size_t most = receives ? own_.max_receive : own_.max_transmit;
    if (m.index != rings.size() || m.index >= most)
        return fail(errc::invalid_argument, "expected ring {} of {} at most, found {}",
                    rings.size(), most, uint16_t{m.index});
    if (m.log2 == 0 || m.log2 > max_log2)
        return fail(errc::invalid_argument, "a ring of 2^{} descriptors; expected 2^1 to 2^{}",
                    m.log2, max_log2);
    if (m.region >= link_->regions.size() ||
        !link_->regions[m.region].holds(m.offset, ring_bytes(m.log2)) ||
        m.offset % alignof(uint64_t) != 0)
        return fail(errc::invalid_argument, "ring {} does not fit into region {} at {}",
                    uint16_t{m.index}, uint16_t{m.region}, uint32_t{m.offset});
    if (auto good = check_bell(bell.get()); !good)
        return good;
    rings.push_back({reinterpret_cast<ring_header*>(link_->regions[m.region].base() + m.offset),
                     m.log2, bell.trusted()});
    return {};
}

} // namespace weft::drivers::memif
