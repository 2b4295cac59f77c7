// SPDX-License-Identifier: Apache-2.0
// How a memif's ends agree on a link: against a peer that the test plays, under the test's clock.
#include "drivers/memif/access.hh"
#include "drivers/memif/handshake.hh"
#include "tests/graph/process/process_tester.hh"

#include <cerrno>
#include <cstring>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

namespace weft::memif_handshake_tests {

namespace memif = drivers::memif;
using memif::message;
using memif::message_type;

namespace {

// The library's end in a process, the test's at the other end of a socket.
struct scripted_peer {
    process_tester t;
    memif::memif_options options;
    std::string interface = "m";
    memif::own_end own{options, interface, 1, 1};
    memif::link_ptr made;
    std::string refused;
    unique_fd socket;
    bool files_can_be_refused = false;

    // `who`: what the test plays.
    void greet(memif::role who)
    {
        std::array<int, 2> ends{};
        REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
                           ends.data()) == 0);
        socket = unique_fd{ends[0]};
        files_can_be_refused = accept_files(ends[1], false); // as make_socket() does
        t.start([this, who, end = ends[1]](process& self) {
            memif::channel c{self, foreign_fd{end}};
            auto done = who == memif::role::client ? memif::greet_client(c, own)
                                                   : memif::greet_server(c, own);
            if (!done) {
                refused = done.error().message;
                return;
            }
            made = std::move(*done);
            self.sleep_for(1h); // the connection stands
        });
        run();
    }
    void run()
    {
        for (int i = 0; i < 3; ++i) {
            t.loop.wait(0s);
            t.loop.run_ready();
        }
    }
    int send(const message& m, int file = -1)
    {
        iovec part{const_cast<message*>(&m), sizeof m};
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof file)]{};
        msghdr header{};
        header.msg_iov = &part;
        header.msg_iovlen = 1;
        if (file >= 0) {
            header.msg_control = control;
            header.msg_controllen = sizeof control;
            auto* rights = CMSG_FIRSTHDR(&header);
            *rights = {.cmsg_len = CMSG_LEN(sizeof file),
                       .cmsg_level = SOL_SOCKET,
                       .cmsg_type = SCM_RIGHTS};
            std::memcpy(CMSG_DATA(rights), &file, sizeof file);
        }
        const int code = sendmsg(socket.get(), &header, MSG_NOSIGNAL) < 0 ? errno : 0;
        run();
        return code;
    }
    // The next message; of type 0 if there is none.
    message hear()
    {
        message m{};
        static_cast<void>(recv(socket.get(), &m, sizeof m, 0));
        return m;
    }
    message ask(const message& m, int file = -1)
    {
        CHECK(send(m, file) == 0);
        return hear();
    }
    bool is_acked(const message& m, int file = -1)
    {
        return ask(m, file).type == message_type::ack;
    }
};

message of(message_type type)
{
    message m{};
    m.type = type;
    return m;
}

message init()
{
    message m = of(message_type::init);
    m.init.version = memif::protocol_version;
    std::memcpy(m.init.name, "test", 5);
    return m;
}

// A client's memory with a ring at 0 and one at 4096.
struct client_parts {
    static constexpr uint64_t bytes = 65536;
    unique_fd memory{memfd_create("test", MFD_ALLOW_SEALING | MFD_CLOEXEC)};
    unique_fd bell{eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    char* base = nullptr;

    client_parts()
    {
        REQUIRE(ftruncate(memory.get(), bytes) == 0);
        REQUIRE(fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SHRINK) == 0);
        base = static_cast<char*>(
            mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory.get(), 0));
        ring(0).cookie = ring(1).cookie = memif::ring_cookie;
    }
    ~client_parts() { munmap(base, bytes); }
    memif::ring_header& ring(size_t which)
    {
        return *reinterpret_cast<memif::ring_header*>(base + which * 4096);
    }
};

message region_at(uint16_t index = 0, uint64_t bytes = client_parts::bytes)
{
    message m = of(message_type::add_region);
    m.region.index = index;
    m.region.bytes = bytes;
    return m;
}

message ring_at(uint16_t index, uint16_t flags, uint32_t offset)
{
    message m = of(message_type::add_ring);
    m.ring.index = index;
    m.ring.flags = flags;
    m.ring.offset = offset;
    m.ring.log2 = 4;
    return m;
}

// A client that is as far as having told of its memory.
struct client_with_memory : scripted_peer {
    client_parts parts;
    client_with_memory()
    {
        greet(memif::role::client);
        REQUIRE(hear().type == message_type::hello);
        REQUIRE(is_acked(init()));
        REQUIRE(is_acked(region_at(), parts.memory.get()));
    }
};

message hello()
{
    message m = of(message_type::hello);
    m.hello.oldest_version = m.hello.newest_version = memif::protocol_version;
    m.hello.last_region = 255;
    m.hello.last_ring_to_client = m.hello.last_ring_to_server = 7;
    m.hello.max_log2 = 14;
    return m;
}

} // namespace

TEST_CASE("memif handshake: a client's rings become a link")
{
    client_with_memory c;
    c.parts.ring(0).head.store(7);
    CHECK(c.is_acked(ring_at(0, memif::ring_to_server, 0), c.parts.bell.get()));
    CHECK(c.is_acked(ring_at(0, 0, 4096), c.parts.bell.get()));
    CHECK(c.ask(of(message_type::connect)).type == message_type::connected);
    REQUIRE(c.made);
    CHECK((c.made->receive.size() == 1 && c.made->transmit.size() == 1 && c.made->peer == "test"));
    CHECK((c.made->receive[0].size() == 16 && c.made->receive[0].available() == 0));
    c.parts.ring(0).head.store(3);
    CHECK(c.made->receive[0].available() == 3);
}

TEST_CASE("memif handshake: a client adds no more rings than it was offered")
{
    for (const uint16_t flags : {memif::ring_to_server, uint16_t{0}}) {
        client_with_memory c;
        CHECK(c.is_acked(ring_at(0, flags, 0), c.parts.bell.get()));
        CHECK(c.ask(ring_at(1, flags, 4096), c.parts.bell.get()).type == message_type::disconnect);
        CHECK(c.refused == "expected ring 1 of 1 at most, found 1");
    }
}

TEST_CASE("memif handshake: files come when they are wanted, and at no other time")
{
    client_with_memory c;
    if (!c.files_can_be_refused)
        return; // before Linux 6.16
    CHECK(c.is_acked(ring_at(0, memif::ring_to_server, 0), c.parts.bell.get()));
    CHECK(c.ask(of(message_type::connect)).type == message_type::connected);
    CHECK(c.send(init(), c.parts.bell.get()) == EPERM);

    scripted_peer stranger;
    stranger.greet(memif::role::client);
    CHECK(stranger.hear().type == message_type::hello);
    CHECK(stranger.send(init(), c.parts.bell.get()) == EPERM);
    scripted_peer server;
    server.greet(memif::role::server);
    CHECK(server.send(hello(), c.parts.bell.get()) == EPERM);
}

TEST_CASE("memif handshake: a bell is an eventfd that one look silences")
{
    const auto refused = [](int bell) {
        client_with_memory c;
        CHECK(c.ask(ring_at(0, 0, 0), bell).type == message_type::disconnect);
        return c.refused;
    };
    const pipe_ends pipe;
    const unique_fd semaphore{eventfd(0, EFD_SEMAPHORE)};
    CHECK(refused(-1) == "a ring was sent without an eventfd");
    CHECK(refused(pipe.in()) == "a ring was sent without an eventfd");
    if (const std::string text = refused(semaphore.get());
        !text.empty()) // Linux before 6.6 does not tell
        CHECK(text == "a ring's eventfd is a semaphore, which one read does not clear");
}

TEST_CASE("memif handshake: a region is shared memory, and all of them have a limit")
{
    client_with_memory c;
    CHECK(c.ask(region_at(1), c.parts.bell.get()).type == message_type::disconnect);
    CHECK(c.refused == "a region's file is not shared memory; expected a memfd");
    client_with_memory many;
    many.options.max_region = 3 * client_parts::bytes;
    CHECK(many.is_acked(region_at(1), many.parts.memory.get()));
    CHECK(many.is_acked(region_at(2), many.parts.memory.get()));
    CHECK(many.ask(region_at(3, 1), many.parts.memory.get()).type == message_type::disconnect);
    CHECK(many.refused.find("196609 bytes; expected at most 0 MiB in all (region-limit)") !=
          std::string::npos);
    client_with_memory huge;
    CHECK(huge.ask(region_at(1, UINT64_MAX), huge.parts.memory.get()).type ==
          message_type::disconnect);
}

TEST_CASE("memif handshake: rings lie in the memory, and are rings")
{
    const auto refused = [](auto&& edit) {
        client_with_memory c;
        message m = ring_at(0, 0, 0);
        edit(m.ring);
        CHECK(c.ask(m, c.parts.bell.get()).type == message_type::disconnect);
        return c.refused;
    };
    CHECK(refused([](auto& r) { r.offset = client_parts::bytes - 100; }) ==
          "ring 0 does not fit into region 0 at 65436");
    CHECK(refused([](auto& r) { r.offset = 4; }) == "ring 0 does not fit into region 0 at 4");
    CHECK(refused([](auto& r) { r.region = 1; }) == "ring 0 does not fit into region 1 at 0");
    CHECK(refused([](auto& r) { r.log2 = 0; }).starts_with("a ring of 2^0 descriptors"));
    CHECK(refused([](auto& r) { r.index = 1; }) == "expected ring 0 of 1 at most, found 1");
    client_with_memory c;
    c.parts.ring(0).cookie = 1;
    CHECK(c.is_acked(ring_at(0, 0, 0), c.parts.bell.get()));
    CHECK(c.ask(of(message_type::connect)).type == message_type::disconnect);
    CHECK(c.refused == "a ring does not have the magic cookie");
}

TEST_CASE("memif handshake: who says nothing is left after 2 s, who says little after 10 s")
{
    scripted_peer silent;
    silent.greet(memif::role::client);
    silent.t.advance(1900ms);
    CHECK(silent.refused.empty());
    silent.t.advance(200ms);
    CHECK(silent.refused == "it sent nothing for 2 s");

    client_with_memory slow;
    uint16_t next = 1;
    for (; slow.refused.empty() && next < 20; ++next) {
        slow.t.advance(1500ms);
        static_cast<void>(slow.send(region_at(next), slow.parts.memory.get()));
    }
    CHECK(slow.refused == "it took more than 10 s to connect");
    CHECK(next == 8);
}

TEST_CASE("memif handshake: a server is told of memory and rings, and offered buffers")
{
    scripted_peer server;
    server.own.max_receive = 2;
    server.greet(memif::role::server);
    CHECK(server.ask(hello()).type == message_type::init);
    CHECK(server.ask(of(message_type::ack)).type == message_type::add_region);
    for (int rings = 0; rings < 3; ++rings)
        CHECK(server.ask(of(message_type::ack)).type == message_type::add_ring);
    CHECK(server.ask(of(message_type::ack)).type == message_type::connect);
    CHECK(server.send(of(message_type::connected)) == 0);
    REQUIRE(server.made);
    CHECK((server.made->transmit.size() == 1 && server.made->receive.size() == 2));
    CHECK(server.made->transmit[0].available() == 1024);
}

TEST_CASE("memif handshake: a server that takes fewer rings gets fewer the next time")
{
    scripted_peer server;
    server.own.max_receive = 3;
    server.greet(memif::role::server);
    CHECK(server.ask(hello()).type == message_type::init);
    for (int steps = 0; steps < 4; ++steps) // region, ring to the server, two rings from it
        CHECK(server.send(of(message_type::ack)) == 0);
    message no = of(message_type::disconnect);
    std::memcpy(no.disconnect.reason, "too many", 9);
    CHECK(server.send(no) == 0);
    CHECK(server.refused == "it says: too many");
    CHECK(server.own.max_receive == 1);

    scripted_peer old;
    old.greet(memif::role::server);
    message m = hello();
    m.hello.newest_version = m.hello.oldest_version = 0x100;
    CHECK(old.ask(m).type == message_type::disconnect);
    CHECK(old.refused == "it does not support protocol version 0x200");
}

TEST_CASE("memif access: a peer is let in as a file's mode would")
{
    constexpr uid_t owner = 4000, other = 4001;
    constexpr gid_t group = 5000;
    const std::array<gid_t, 2> in{1, group};
    const std::array<gid_t, 1> out{1};
    const auto may = [&](mode_t mode, uid_t user, std::span<const gid_t> groups) {
        return memif::may_connect({owner, group, mode}, user, groups);
    };
    CHECK((may(0600, owner, out) && !may(0600, other, in) && !may(0600, other, out)));
    CHECK((may(0660, owner, out) && may(0660, other, in) && !may(0660, other, out)));
    CHECK((may(0662, other, out) && !may(0602, other, in) && !may(0060, owner, in)));
    CHECK((may(0, 0, out) && may(0, geteuid(), out)));
    CHECK_FALSE(may(0444, other, out)); // to connect is to write
}

TEST_CASE("memif access: who may not connect is told so")
{
    std::array<int, 2> ends{};
    REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends.data()) == 0);
    CHECK(memif::check_peer({4000, 5000, 0600}, ends[0])); // it is this process
    for (int end : ends)
        close(end);
    CHECK_FALSE(memif::check_peer({4000, 5000, 0600}, -1));
}

TEST_CASE("memif listener: a file left over is replaced, one that somebody answers on is not")
{
    std::string folder = "/tmp/weft-memif-XXXXXX";
    REQUIRE(mkdtemp(folder.data()) != nullptr);
    memif::memif_options options;
    options.socket = folder + "/new/m.sock";
    options.access.mode = 0640;
    {
        auto first = memif::listener::open(options);
        REQUIRE(first);
        struct stat made {};
        REQUIRE(lstat(options.socket.c_str(), &made) == 0);
        CHECK((made.st_mode & 07777) == 0640);
        const auto second = memif::listener::open(options);
        REQUIRE_FALSE(second);
        CHECK(second.error().message.find("another program is listening there") !=
              std::string::npos);
        REQUIRE(rename(options.socket.c_str(), (folder + "/new/other").c_str()) == 0);
        REQUIRE(memif::listener::open(options)); // a successor's, gone with it
        REQUIRE(symlink("other", options.socket.c_str()) == 0);
    }
    CHECK(unlink(options.socket.c_str()) == 0); // not the first one's any more
    CHECK(memif::listener::open(options));
    CHECK(unlink((folder + "/new/other").c_str()) == 0);
    rmdir((folder + "/new").c_str());
    rmdir(folder.c_str());
}

} // namespace weft::memif_handshake_tests
