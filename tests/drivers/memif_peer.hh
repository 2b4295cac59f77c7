// SPDX-License-Identifier: Apache-2.0
// The other end of a memif, in the test's hands: memory and rings without a socket.
#pragma once

#include "drivers/memif/memif.hh"
#include "nodes/interface/interface.hh"
#include "tests/nodes/node_tester.hh"

#include <cstring>
#include <sys/eventfd.h>
#include <utility>
#include <vector>

namespace weft::test {

namespace memif = drivers::memif;

// A router with port `a`, and `m` (10.9.0.1/24, its neighbour 10.9.0.2 known): a memif whose peer,
// a client with one ring each way, is the test. The clock is the test's; the main thread polls.
struct memif_peer {
    static constexpr uint8_t log2 = 4;
    static constexpr uint32_t size = 1u << log2; // descriptors of a ring
    static constexpr net::mac_address mac{{2, 0, 0, 0, 9, 1}};
    static constexpr net::mac_address peer_mac{{2, 0, 0, 0, 9, 2}};

    node_tester router{{.interfaces = 1}};
    memif::client_memory shape{
        .log2 = log2, .rings_to_server = 1, .rings_to_client = 1, .buffer_bytes = 2048};
    interface_index index = no_interface;
    memif::memif_device* device = nullptr;
    memif::link* made = nullptr; // as the router sees it
    std::byte* base = nullptr;   // of the shared memory
    int bell = -1;               // of the ring to the router

    explicit memif_peer(uint16_t queues = 1)
    {
        auto opened = memif::memif_device::open("net_memif0,socket=/nonexistent/m", queues, mac,
                                                router.engine);
        REQUIRE(opened);
        auto added = interfaces_of(router.engine).add("m", std::move(*opened));
        REQUIRE(added);
        index = (*added)->index;
        device = static_cast<memif::memif_device*>((*added)->driver.get());
        interfaces_of(router.engine).set_mac(**added, mac);
        REQUIRE(device->join(router.engine, "m", index));
        router.engine.registry().at(device->rx_queues().front().input).state = node_state::polling;
        REQUIRE(router.engine.publish_plans());
        router.run();
        connect();
        router.set_up("m", true);
        REQUIRE(router.ip4().add_address(index, own_address("10.9.0.1/24")));
        REQUIRE(router.neighbours().add_permanent(index, ip("10.9.0.2"), peer_mac));
        router.run();
        device->detach();
        connect(); // what the router has announced is not in this one's rings
        static_cast<void>(router.counted());
        static_cast<void>(counted());
    }
    ~memif_peer() { device->detach(); }

    void connect()
    {
        unique_fd file;
        auto memory = shape.make(file);
        REQUIRE(memory);
        base = memory->base();
        memif::link_ptr l{new memif::link};
        l->peer = "test";
        l->regions.push_back(std::move(*memory));
        const auto ring = [&](size_t which, memif::direction way) {
            return memif::ring{header(which),
                               log2,
                               memif::role::server,
                               way,
                               unique_fd{eventfd(0, EFD_NONBLOCK)},
                               0};
        };
        l->receive.push_back(ring(0, memif::direction::receive));
        l->transmit.push_back(ring(1, memif::direction::transmit));
        bell = l->receive.front().bell();
        made = l.get();
        header(1).head.store(size); // every buffer is offered
        device->attach(std::move(l));
    }
    [[nodiscard]] memif::ring_header& header(size_t which)
    {
        return *reinterpret_cast<memif::ring_header*>(base + shape.ring_offset(which));
    }
    [[nodiscard]] memif::descriptor& at(size_t ring, uint32_t place)
    {
        return header(ring).descriptors()[place % size];
    }
    // Lays bytes into the next buffer of the ring to the router; send() publishes all.
    memif::descriptor& put(const byte_string& bytes, uint16_t flags = 0)
    {
        auto& d = at(0, laid_);
        std::memcpy(base + shape.buffer_offset(0, laid_++ % size), bytes.data(), bytes.size());
        d.flags = flags;
        d.length = static_cast<uint32_t>(bytes.size());
        return d;
    }
    void send()
    {
        header(0).head.store(static_cast<uint16_t>(laid_));
        router.run();
    }
    // What the router has sent and the test has not looked at, a frame for each; its buffers are
    // not offered again.
    [[nodiscard]] std::vector<byte_string> take()
    {
        std::vector<byte_string> frames;
        bool goes_on = false;
        while (taken_ != header(1).tail.load()) {
            const auto& d = at(1, taken_++);
            if (!goes_on)
                frames.emplace_back();
            const std::byte* const from = base + d.offset;
            for (uint32_t i = 0; i < d.length; ++i)
                frames.back().push_back(static_cast<uint8_t>(from[i]));
            goes_on = (d.flags & memif::descriptor_goes_on) != 0;
        }
        return frames;
    }
    // The interface's counters since the last call.
    struct counts {
        uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes, tx_full;
        friend bool operator==(const counts&, const counts&) = default;
    };
    [[nodiscard]] counts counted()
    {
        const auto& c = interfaces_of(router.engine).counters(0, index);
        const counts now{c.rx_packets.get(), c.rx_bytes.get(), c.tx_packets.get(), c.tx_bytes.get(),
                         c.tx_full.get()};
        const counts old = std::exchange(before_, now);
        return {now.rx_packets - old.rx_packets, now.rx_bytes - old.rx_bytes,
                now.tx_packets - old.tx_packets, now.tx_bytes - old.tx_bytes,
                now.tx_full - old.tx_full};
    }
    // To the router's neighbour behind the memif, from a host behind `a`.
    [[nodiscard]] static packet_builder to_peer(size_t payload = 18)
    {
        return packet_builder{}.ethernet().ip4("10.0.0.2", "10.9.0.2").udp(5, 7).payload(payload);
    }

private:
    counts before_{};
    uint16_t laid_ = 0, taken_ = 0;
};

} // namespace weft::test
