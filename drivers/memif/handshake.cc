// SPDX-License-Identifier: Apache-2.0
#include "drivers/memif/handshake.hh"

#include <array>
#include <cstring>
#include <fcntl.h>
#include <string_view>
#include <sys/eventfd.h>
#include <unistd.h>

namespace weft::drivers::memif {

namespace {

constexpr std::string_view program = "weft " WEFT_VERSION;

message make(message_type type)
{
    message made;
    std::memset(&made, 0, sizeof made);
    made.type = type;
    return made;
}

// A ring's bell from its peer: nothing else may come in its place, since workers write to it and wait for it.
result<void> check_bell(const unique_fd& bell)
{
    std::array<char, 64> what{};
    const auto path = fmt::format("/proc/self/fd/{}", bell.get());
    if (bell.get() < 0 || readlink(path.c_str(), what.data(), what.size() - 1) < 0 ||
        std::string_view{what.data()} != "anon_inode:[eventfd]")
        return fail(errc::invalid_argument, "a ring came without an eventfd");
    fcntl(bell.get(), F_SETFL, fcntl(bell.get(), F_GETFL) | O_NONBLOCK);
    return {};
}

// What a server hears of its client, step by step.
class client_story {
public:
    explicit client_story(const own_end& own) : own_{own} {}

    // Takes a message that wants an ack.
    result<void> hear(const message& m, unique_fd file)
    {
        switch (m.type) {
        case message_type::init: return begin(m.init);
        case message_type::add_region: return add_region(m.region, file);
        case message_type::add_ring: return add_ring(m.ring, std::move(file));
        default: return fail(errc::invalid_argument, "unexpected message {}", static_cast<int>(m.type));
        }
    }
    // All is there: both ends begin at the start of each ring.
    result<std::unique_ptr<link>> finish()
    {
        if (!begun_)
            return fail(errc::invalid_argument, "it wants to connect before it has said what to");
        for (auto* rings : {&to_server_, &to_client_})
            for (told& t : *rings) {
                if (t.header->cookie != ring_cookie)
                    return fail(errc::invalid_argument, "a ring has not the cookie of one");
                t.header->head.store(0);
                t.header->tail.store(0);
                t.header->flags.store(rings == &to_server_ ? ring_unheard : t.header->flags.load());
                const bool receives = rings == &to_server_;
                (receives ? link_->receive : link_->transmit)
                    .emplace_back(*t.header, t.log2, role::server,
                                  receives ? direction::receive : direction::transmit, std::move(t.bell), 0);
            }
        return std::move(link_);
    }

private:
    struct told {
        ring_header* header;
        uint8_t log2;
        unique_fd bell;
    };

    result<void> begin(const init_message& m)
    {
        std::array<char, secret_bytes> secret;
        put_text(secret.data(), secret.size(), own_.options.secret);
        if (begun_)
            return fail(errc::exists, "it introduces itself twice");
        if (m.version != protocol_version)
            return fail(errc::unsupported, "version {:#x} of the protocol; expected {:#x}", uint16_t{m.version},
                        protocol_version);
        if (m.id != own_.options.id)
            return fail(errc::not_found, "no interface {} here; there is {}", uint32_t{m.id}, own_.options.id);
        if (m.mode != 0)
            return fail(errc::unsupported, "mode {}; expected Ethernet", m.mode);
        if (std::memcmp(m.secret, secret.data(), secret.size()) != 0)
            return fail(errc::invalid_argument, "a wrong secret");
        begun_ = true;
        link_->peer = text_of(m.name, sizeof m.name);
        return {};
    }

    result<void> add_region(const region_message& m, const unique_fd& file)
    {
        if (!begun_)
            return fail(errc::invalid_argument, "a region before it has said what for");
        if (m.index != link_->regions.size() || m.index >= most_regions)
            return fail(errc::invalid_argument, "expected region {} of {} at most, found {}", link_->regions.size(),
                        most_regions, uint16_t{m.index});
        auto made = region::map(file, m.bytes);
        if (!made)
            return pass(made);
        link_->regions.push_back(std::move(*made));
        return {};
    }

    result<void> add_ring(const ring_message& m, unique_fd bell)
    {
        const bool receives = (m.flags & ring_to_server) != 0;
        auto& rings = receives ? to_server_ : to_client_;
        const size_t most = receives ? own_.most_receive : own_.most_transmit;
        if (m.index != rings.size() || m.index >= most)
            return fail(errc::invalid_argument, "expected ring {} of {} at most, found {}", rings.size(), most,
                        uint16_t{m.index});
        if (m.log2 == 0 || m.log2 > largest_log2)
            return fail(errc::invalid_argument, "a ring of 2^{} descriptors; expected 2^1 to 2^{}", m.log2, largest_log2);
        if (m.region >= link_->regions.size() || !link_->regions[m.region].holds(m.offset, ring_bytes(m.log2)) ||
            m.offset % alignof(uint64_t) != 0)
            return fail(errc::invalid_argument, "ring {} does not lie in region {} at {}", uint16_t{m.index},
                        uint16_t{m.region}, uint32_t{m.offset});
        if (auto good = check_bell(bell); !good)
            return good;
        rings.push_back({reinterpret_cast<ring_header*>(link_->regions[m.region].base() + m.offset), m.log2,
                         std::move(bell)});
        return {};
    }

    const own_end& own_;
    bool begun_ = false;
    std::unique_ptr<link> link_ = std::make_unique<link>();
    std::vector<told> to_server_, to_client_;
};

result<std::unique_ptr<link>> hear_client(channel& client, const own_end& own)
{
    message hello = make(message_type::hello);
    put_text(hello.hello.name, name_bytes - 1, program);
    hello.hello.oldest_version = hello.hello.newest_version = protocol_version;
    hello.hello.last_region = most_regions - 1;
    hello.hello.last_ring_to_server = static_cast<uint16_t>(own.most_receive - 1);
    hello.hello.last_ring_to_client = static_cast<uint16_t>(own.most_transmit - 1);
    hello.hello.largest_log2 = largest_log2;
    if (auto sent = client.send(hello); !sent)
        return pass(sent);
    client_story story{own};
    while (true) {
        unique_fd file;
        const auto got = client.receive(&file);
        if (!got)
            return pass(got);
        if (got->type == message_type::connect)
            break;
        if (auto heard = story.hear(*got, std::move(file)); !heard)
            return pass(heard);
        if (auto sent = client.send(make(message_type::ack)); !sent)
            return pass(sent);
    }
    auto made = story.finish();
    if (!made)
        return made;
    message connected = make(message_type::connected);
    put_text(connected.connect.name, name_bytes - 1, own.interface);
    if (auto sent = client.send(connected); !sent)
        return pass(sent);
    return made;
}

// The limits that both ends keep.
client_memory memory_for(const own_end& own, const hello_message& server)
{
    const auto at_most = [](uint16_t wanted, uint16_t last) {
        return static_cast<uint16_t>(std::min<uint32_t>(wanted, last + 1u));
    };
    return {.log2 = std::min(own.options.log2, server.largest_log2),
            .rings_to_server = at_most(own.most_transmit, server.last_ring_to_server),
            .rings_to_client = at_most(own.most_receive, server.last_ring_to_client),
            .buffer_bytes = own.options.buffer_bytes};
}

result<void> introduce(channel& server, const own_end& own)
{
    message init = make(message_type::init);
    init.init.version = protocol_version;
    init.init.id = own.options.id;
    put_text(init.init.secret, secret_bytes, own.options.secret);
    put_text(init.init.name, name_bytes - 1, program);
    const auto answer = server.ask(init, -1, message_type::ack);
    return answer ? result<void>{} : pass(answer);
}

// Makes the rings and tells the server of each.
result<void> add_rings(channel& server, link& made, const client_memory& memory, own_end& own)
{
    for (size_t r = 0; r < memory.ring_count(); ++r) {
        const bool sends = r < memory.rings_to_server;
        unique_fd bell{eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
        if (bell.get() < 0)
            return fail(errc::io, "no eventfd: {}", std::strerror(errno));
        message m = make(message_type::add_ring);
        m.ring.flags = sends ? ring_to_server : 0;
        m.ring.index = static_cast<uint16_t>(sends ? r : r - memory.rings_to_server);
        m.ring.offset = static_cast<uint32_t>(memory.ring_offset(r));
        m.ring.log2 = memory.log2;
        if (const auto answer = server.ask(m, bell.get(), message_type::ack); !answer) {
            if (m.ring.index > 0)
                (sends ? own.most_transmit : own.most_receive) = m.ring.index;
            return pass(answer);
        }
        auto& header = *reinterpret_cast<ring_header*>(made.regions[0].base() + memory.ring_offset(r));
        (sends ? made.transmit : made.receive)
            .emplace_back(header, memory.log2, role::client, sends ? direction::transmit : direction::receive,
                          std::move(bell), memory.buffer_bytes);
    }
    return {};
}

result<std::unique_ptr<link>> hear_server(channel& server, own_end& own)
{
    const auto hello = server.receive(message_type::hello);
    if (!hello)
        return pass(hello);
    if (hello->hello.oldest_version > protocol_version || hello->hello.newest_version < protocol_version)
        return fail(errc::unsupported, "it speaks other versions of the protocol than {:#x}", protocol_version);
    if (auto done = introduce(server, own); !done)
        return pass(done);

    const client_memory memory = memory_for(own, hello->hello);
    if (memory.log2 == 0)
        return fail(errc::unsupported, "it takes no ring");
    auto made = std::make_unique<link>();
    made->peer = text_of(hello->hello.name, sizeof hello->hello.name);
    unique_fd file;
    auto shared = memory.make(file);
    if (!shared)
        return pass(shared);
    message add = make(message_type::add_region);
    add.region.bytes = shared->bytes();
    made->regions.push_back(std::move(*shared));
    if (const auto answer = server.ask(add, file.get(), message_type::ack); !answer)
        return pass(answer);
    if (auto done = add_rings(server, *made, memory, own); !done)
        return pass(done);

    message connect = make(message_type::connect);
    put_text(connect.connect.name, name_bytes - 1, own.interface);
    if (const auto answer = server.ask(connect, -1, message_type::connected); !answer)
        return pass(answer);
    for (ring& r : made->receive) // the server has set the rings to their start: it may have all buffers
        r.publish(0);
    return made;
}

// A peer that is left is told why.
result<std::unique_ptr<link>> or_refuse(channel& peer, result<std::unique_ptr<link>> made)
{
    if (!made)
        peer.refuse(made.error().message);
    return made;
}

} // namespace

result<std::unique_ptr<link>> greet_client(channel& client, const own_end& own)
{
    return or_refuse(client, hear_client(client, own));
}

result<std::unique_ptr<link>> greet_server(channel& server, own_end& own)
{
    return or_refuse(server, hear_server(server, own));
}

} // namespace weft::drivers::memif
