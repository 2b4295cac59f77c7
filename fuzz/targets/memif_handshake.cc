// SPDX-License-Identifier: Apache-2.0
// The messages of a memif's peer, in both roles: a link that is agreed on lies in its memory, any
// other end has its words, and no file stays open.
//
// Input: one byte (0x01: the peer is a client), then over and over: one byte, the type of a
// message; one byte, the file that comes with it; one byte, the length of what follows the type
// (the rest is zero).
#include "drivers/memif/handshake.hh"
#include "fuzz/input.hh"
#include "tests/graph/process/process_tester.hh"

#include <array>
#include <cstring>
#include <optional>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

using namespace weft;
using namespace weft::fuzz;
namespace memif = weft::drivers::memif;
using namespace weft::drivers::memif;

namespace {

constexpr size_t max_messages = 64;
constexpr size_t memory_bytes = 64 << 10;

// Memory whose every word is a ring's cookie, so that any place may be a ring.
unique_fd memory(size_t bytes, bool sealed)
{
    unique_fd file{memfd_create("peer", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
    REQUIRE(file.get() >= 0);
    const std::vector<uint32_t> words(bytes / sizeof ring_cookie, ring_cookie);
    REQUIRE(write(file.get(), words.data(), bytes) == static_cast<ssize_t>(bytes));
    if (sealed)
        REQUIRE(fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK) == 0);
    return file;
}

unique_fd file_of(uint8_t kind)
{
    switch (kind % 6) {
    case 1:
        return unique_fd{eventfd(0, EFD_CLOEXEC)};
    case 2:
        return memory(memory_bytes, true);
    case 3:
        return memory(memory_bytes, false);
    case 4:
        return memory(256, true);
    case 5:
        return unique_fd{open("/dev/null", O_RDWR | O_CLOEXEC)};
    default:
        return unique_fd{};
    }
}

void send_message(int to, input& in)
{
    message m;
    std::memset(&m, 0, sizeof m);
    m.type = static_cast<message_type>(in.u8());
    const unique_fd file = file_of(in.u8());
    const auto fields = in.bytes(in.u8() % (sizeof m.bytes + 1));
    std::copy(fields.begin(), fields.end(), m.bytes);
    iovec part{&m, sizeof m};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))]{};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    if (file.get() >= 0) {
        header.msg_control = control;
        header.msg_controllen = sizeof control;
        auto* const rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int));
        const int number = file.get();
        std::memcpy(CMSG_DATA(rights), &number, sizeof number);
    }
    static_cast<void>(sendmsg(to, &header, MSG_NOSIGNAL | MSG_DONTWAIT));
}

// Made before files are counted: it keeps one open.
ringer& bells()
{
    static ringer& made = *ringer::make()->release();
    return made;
}

// Every descriptor of every ring lies in the memory, and what it names does too or is refused.
void check_link(memif::link& made)
{
    for (auto* rings : {&made.receive, &made.transmit})
        for (ring& r : *rings) {
            REQUIRE(r.available() <= r.size());
            for (uint32_t i = 0; i < r.size(); ++i) {
                const descriptor d = r.buffer_at(i);
                if (const std::byte* bytes = made.bytes_of(d); bytes != nullptr && d.length > 0)
                    REQUIRE((bytes[0] == bytes[0] && bytes[d.length - 1] == bytes[d.length - 1]));
            }
            r.listen(true);
            r.send(0, bells());
            r.listen(false);
        }
}

int next_file()
{
    return unique_fd{open("/dev/null", O_RDONLY | O_CLOEXEC)}.get();
}

void meet(input in)
{
    const bool peer_is_client = (in.u8() & 1) != 0;
    int ends[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    const unique_fd peer{ends[1]};
    unique_fd own_socket{ends[0]};
    memif_options options;
    options.end = peer_is_client ? role::server : role::client;
    options.log2 = 4;
    const std::string name = "m0";
    process_tester t;
    std::optional<result<link_ptr>> met;
    t.start(
        [&](process& self) {
            channel to{self, foreign_fd{std::move(own_socket)}};
            own_end own{options, name, 2, 2};
            met = peer_is_client ? greet_client(to, own) : greet_server(to, own);
        },
        256 << 10);
    for (size_t n = 0; n < max_messages && !in.empty() && !met; ++n) {
        send_message(peer.get(), in);
        t.loop.wait(duration::zero());
        t.advance(1ms);
    }
    for (unsigned second = 0; second < 10 && !met; ++second) {
        t.loop.wait(duration::zero());
        t.advance(1s);
    }
    REQUIRE(met); // a peer that is silent is left
    if (*met)
        check_link(***met);
    else
        REQUIRE(!met->error().message.empty());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    static_cast<void>(bells());
    const int before = next_file();
    meet({data, size});
    reaper::finish();
    REQUIRE(next_file() == before);
    return 0;
}
