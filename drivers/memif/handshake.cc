// SPDX-License-Identifier: Apache-2.0
#include "drivers/memif/handshake.hh"

#include "drivers/memif/client_story.hh"

#include <cstring>
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

result<link_ptr> hear_client(channel& client, const own_end& own)
{
    if (auto let_in = client.check(own.options.access); !let_in)
        return pass(let_in);
    message hello = make(message_type::hello);
    put_text(hello.hello.name, name_bytes - 1, program);
    hello.hello.oldest_version = hello.hello.newest_version = protocol_version;
    hello.hello.last_region = max_regions - 1;
    hello.hello.last_ring_to_server = static_cast<uint16_t>(own.max_receive - 1);
    hello.hello.last_ring_to_client = static_cast<uint16_t>(own.max_transmit - 1);
    hello.hello.max_log2 = max_log2;
    if (auto sent = client.send(hello); !sent)
        return pass(sent);
    client_story story{own};
    while (true) {
        foreign_fd file;
        const auto got = client.receive(&file);
        if (!got)
            return pass(got);
        if (got->type == message_type::connect)
            break;
        if (auto heard = story.hear(*got, std::move(file)); !heard)
            return pass(heard);
        if (got->type == message_type::init)
            client.take_files(
                true); // regions and bells are to come, from a client that knows the secret
        if (auto sent = client.send(make(message_type::ack)); !sent)
            return pass(sent);
    }
    client.take_files(false);
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
    return {.log2 = std::min(own.options.log2, server.max_log2),
            .rings_to_server = at_most(own.max_transmit, server.last_ring_to_server),
            .rings_to_client = at_most(own.max_receive, server.last_ring_to_client),
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
            return fail(errc::io, "cannot create an eventfd: {}", std::strerror(errno));
        message m = make(message_type::add_ring);
        m.ring.flags = sends ? ring_to_server : 0;
        m.ring.index = static_cast<uint16_t>(sends ? r : r - memory.rings_to_server);
        m.ring.offset = static_cast<uint32_t>(memory.ring_offset(r));
        m.ring.log2 = memory.log2;
        if (const auto answer = server.ask(m, bell.get(), message_type::ack); !answer) {
            if (m.ring.index > 0)
                (sends ? own.max_transmit : own.max_receive) = m.ring.index;
            return pass(answer);
        }
        auto& header =
            *reinterpret_cast<ring_header*>(made.regions[0].base() + memory.ring_offset(r));
        (sends ? made.transmit : made.receive)
            .emplace_back(header, memory.log2, role::client,
                          sends ? direction::transmit : direction::receive, std::move(bell),
                          memory.buffer_bytes);
    }
    return {};
}

result<link_ptr> hear_server(channel& server, own_end& own)
{
    if (auto let_in = server.check(own.options.access);
        !let_in) // anybody may be who listens on an abstract name
        return pass(let_in);
    const auto hello = server.receive(message_type::hello);
    if (!hello)
        return pass(hello);
    if (hello->hello.oldest_version > protocol_version ||
        hello->hello.newest_version < protocol_version)
        return fail(errc::unsupported, "it does not support protocol version {:#x}",
                    protocol_version);
    if (auto done = introduce(server, own); !done)
        return pass(done);

    const client_memory memory = memory_for(own, hello->hello);
    if (memory.log2 == 0)
        return fail(errc::unsupported, "it accepts no ring");
    link_ptr made{new link};
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
    for (ring& r :
         made->receive) // the server has set the rings to their start: it may have all buffers
        r.publish(0);
    return made;
}

// A peer that is left is told why.
result<link_ptr> or_refuse(channel& peer, result<link_ptr> made)
{
    if (!made)
        peer.refuse(made.error().message);
    return made;
}

} // namespace

result<link_ptr> greet_client(channel& client, const own_end& own)
{
    return or_refuse(client, hear_client(client, own));
}

result<link_ptr> greet_server(channel& server, own_end& own)
{
    return or_refuse(server, hear_server(server, own));
}

} // namespace weft::drivers::memif
