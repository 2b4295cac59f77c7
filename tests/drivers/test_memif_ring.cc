// SPDX-License-Identifier: Apache-2.0
// Memory and rings of a memif, seen from both ends.
#include "drivers/memif/link.hh"

#include <array>
#include <catch2/catch.hpp>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <thread>

using namespace weft;
namespace memif = weft::drivers::memif;
using namespace weft::drivers::memif;

namespace {

constexpr uint8_t log2 = 4;
constexpr uint32_t size = 1u << log2;

// A client's memory, and the rings over it as both ends see them.
struct two_ends {
    client_memory shape{
        .log2 = log2, .rings_to_server = 1, .rings_to_client = 1, .buffer_bytes = 256};
    weft::unique_fd file;
    region memory = std::move(*shape.make(file));
    std::array<weft::unique_fd, 2> bells{weft::unique_fd{eventfd(0, EFD_NONBLOCK)},
                                         weft::unique_fd{eventfd(0, EFD_NONBLOCK)}};
    std::unique_ptr<ringer> bell_ringer = std::move(*ringer::make());
    ring client_out = make(0, role::client, direction::transmit);
    ring server_in = make(0, role::server, direction::receive);
    ring client_in = make(1, role::client, direction::receive);
    ring server_out = make(1, role::server, direction::transmit);

    ring_header& header(size_t which)
    {
        return *reinterpret_cast<ring_header*>(memory.base() + shape.ring_offset(which));
    }
    ring make(size_t which, role end, direction way)
    {
        return {header(which),
                log2,
                end,
                way,
                weft::unique_fd{dup(bells[which].get())},
                end == role::client ? shape.buffer_bytes : 0};
    }
};

uint64_t rung(const ring& r)
{
    uint64_t count = 0;
    return ::read(r.bell(), &count, sizeof count) == sizeof count ? count : 0;
}

std::string refused(const weft::unique_fd& file, uint64_t bytes)
{
    const auto mapped = region::map(file.get(), bytes);
    REQUIRE_FALSE(mapped);
    return mapped.error().message;
}

} // namespace

TEST_CASE("memif ring: a client may send at once, a server when it is offered buffers")
{
    two_ends t;
    CHECK(t.client_out.available() == size);
    CHECK(t.server_in.available() == 0);
    CHECK(t.client_in.available() == 0);
    CHECK(t.server_out.available() == 0);
    t.client_in.publish(0);
    CHECK(t.server_out.available() == size);
}

TEST_CASE("memif ring: what is published is the other end's, round and round")
{
    two_ends t;
    t.client_in.publish(0);
    for (uint32_t round = 0; round < 20'000; ++round) { // positions have 16 bits
        const uint32_t count = round % size + 1;
        t.client_out.at(count - 1).metadata = round;
        t.client_out.publish(count);
        REQUIRE(t.server_in.available() == count);
        REQUIRE(t.server_in.at(count - 1).metadata == round);
        REQUIRE(t.client_out.available() == size - count);
        t.server_in.publish(count);
        REQUIRE(t.client_out.available() == size);

        t.server_out.publish(count);
        REQUIRE(t.client_in.available() == count);
        REQUIRE(t.server_out.available() == size - count);
        t.client_in.publish(count);
        REQUIRE(t.server_out.available() == size);
    }
}

TEST_CASE("memif ring: an end that jumps gives no more descriptors than there are")
{
    two_ends t;
    t.header(0).head.store(60'000);
    CHECK(t.server_in.available() == size);
    t.header(0).tail.store(60'000);
    CHECK(t.client_out.available() == size);
}

TEST_CASE("memif ring: a client's buffers have their size however much was sent in them")
{
    two_ends t;
    t.client_out.at(0).length = 60;
    CHECK(t.client_out.buffer_at(0).length == 256);
    t.server_out.at(0).length = 60;
    CHECK(t.server_out.buffer_at(0).length == 60);
}

TEST_CASE("memif ring: the bell is rung for who listens only")
{
    two_ends t;
    t.client_out.send(1, *t.bell_ringer); // rings start unheard
    CHECK(rung(t.client_out) == 0);
    t.server_in.listen(true);
    t.client_out.send(1, *t.bell_ringer);
    t.client_out.send(1, *t.bell_ringer);
    CHECK(rung(t.client_out) == 2);
    t.server_in.listen(false);
    t.client_out.send(1, *t.bell_ringer);
    CHECK(rung(t.client_out) == 0);
    t.server_in.listen(true);
    t.client_out.send(1, *t.bell_ringer);
    t.server_in.listen(false); // silences it
    CHECK(rung(t.server_in) == 0);
}

TEST_CASE("memif ring: silencing a bell does not wait, though the peer lets the file block")
{
    two_ends t;
    REQUIRE(fcntl(t.bells[0].get(), F_SETFL, fcntl(t.bells[0].get(), F_GETFL) & ~O_NONBLOCK) == 0);
    t.server_in.listen(true);
    t.server_in.listen(false); // nobody has rung
    t.server_in.listen(true);
    t.client_out.send(1, *t.bell_ringer);
    t.server_in.listen(false);
    pollfd bell{.fd = t.server_in.bell(), .events = POLLIN, .revents = 0};
    CHECK(poll(&bell, 1, 0) == 0);
}

TEST_CASE(
    "memif ring: ringing a bell does not wait, though the peer fills it and lets the file block")
{
    two_ends t;
    const int bell = t.bells[0].get();
    REQUIRE(fcntl(bell, F_SETFL, fcntl(bell, F_GETFL) & ~O_NONBLOCK) == 0);
    constexpr uint64_t brim = UINT64_MAX - 1;
    REQUIRE(::write(bell, &brim, sizeof brim) == sizeof brim);
    t.server_in.listen(true);
    for (int i = 0; i < 1000; ++i) // more than there are places for events
        t.client_out.send(1, *t.bell_ringer);
    CHECK(rung(t.server_in) == UINT64_MAX);
}

TEST_CASE("memif ring: who sleeps is woken by what was sent meanwhile", "[thread]")
{
    two_ends t;
    constexpr uint32_t frames = 20'000;
    std::thread sender{[&] {
        for (uint32_t sent = 0; sent < frames;)
            if (t.client_out.available() > 0) {
                t.client_out.send(1, *t.bell_ringer);
                ++sent;
            }
    }};
    uint32_t got = 0;
    bool woken = true;
    while (got < frames && woken) {
        const uint32_t here = t.server_in.available();
        t.server_in.publish(here);
        got += here;
        if (here > 0)
            continue;
        t.server_in.listen(true);
        if (t.server_in.available() == 0) {
            pollfd bell{.fd = t.server_in.bell(), .events = POLLIN, .revents = 0};
            woken = poll(&bell, 1, 5000) == 1;
        }
        t.server_in.listen(false);
    }
    sender.join();
    CHECK(woken);
    CHECK(got == frames);
}

TEST_CASE("memif region: a peer's file is looked at before it is mapped")
{
    const weft::unique_fd open_ended{memfd_create("test", MFD_ALLOW_SEALING)};
    REQUIRE(ftruncate(open_ended.get(), 8192) == 0);
    CHECK(refused(open_ended, 0).find("found 0 bytes") != std::string::npos);
    CHECK(refused(open_ended, (uint64_t{1} << 32) + 1).find("4 GiB") != std::string::npos);
    CHECK(refused(open_ended, 8193) == "a region of 8193 bytes in a file of 8192");
    CHECK(refused(open_ended, 8192).find("F_SEAL_SHRINK") != std::string::npos);
    CHECK(refused(weft::unique_fd{}, 8192).find("Bad file descriptor") != std::string::npos);
    CHECK(refused(weft::unique_fd{eventfd(0, 0)}, 8192).find("expected a memfd") !=
          std::string::npos);
    CHECK(refused(weft::unique_fd{::open("/proc/self/exe", O_RDONLY)}, 8192)
              .find("expected a memfd") != std::string::npos);
    REQUIRE(fcntl(open_ended.get(), F_ADD_SEALS, F_SEAL_SHRINK) == 0);
    const auto mapped = region::map(open_ended.get(), 8000);
    REQUIRE(mapped);
    CHECK(mapped->holds(0, 8000));
    CHECK(mapped->holds(8000, 0));
    CHECK_FALSE(mapped->holds(1, 8000));
    CHECK_FALSE(mapped->holds(8001, 0));
    CHECK_FALSE(mapped->holds(UINT32_MAX, UINT32_MAX));
}

TEST_CASE("memif link: a descriptor's bytes lie in the memory or nowhere")
{
    two_ends t;
    memif::link l;
    const auto bytes = t.memory.bytes();
    std::byte* const base = t.memory.base();
    l.regions.push_back(std::move(t.memory));
    const auto at = [&](uint16_t which, uint32_t length, uint64_t offset) {
        return l.bytes_of({.flags = 0,
                           .region = which,
                           .length = length,
                           .offset = static_cast<uint32_t>(offset),
                           .metadata = 0});
    };
    CHECK(at(0, 100, 200) == base + 200);
    CHECK(at(0, 100, bytes - 100) == base + bytes - 100);
    CHECK(at(0, 101, bytes - 100) == nullptr);
    CHECK(at(0, UINT32_MAX, 200) == nullptr);
    CHECK(at(0, 1, UINT32_MAX) == nullptr);
    CHECK(at(1, 1, 0) == nullptr);
}

TEST_CASE("memif client memory: every descriptor has a buffer of its own")
{
    two_ends t;
    std::vector<std::pair<uint32_t, uint32_t>> ranges;
    for (size_t r : {0u, 1u}) {
        CHECK(t.header(r).cookie == ring_cookie);
        for (uint32_t i = 0; i < size; ++i) {
            const descriptor d = t.header(r).descriptors()[i];
            CHECK(d.length == 256);
            ranges.emplace_back(d.offset, d.offset + d.length);
        }
    }
    std::sort(ranges.begin(), ranges.end());
    CHECK(ranges.front().first >= t.shape.ring_offset(2));
    CHECK(ranges.back().second <= t.memory.bytes());
    for (size_t i = 1; i < ranges.size(); ++i)
        CHECK(ranges[i - 1].second <= ranges[i].first);
}
