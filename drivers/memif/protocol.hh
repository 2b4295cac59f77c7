// SPDX-License-Identifier: Apache-2.0
// What the two ends of a memif share: messages on a socket, rings and descriptors in memory.
// Version 2.0, as DPDK's drivers/net/memif/memif.h lays it out; little-endian, as the machine is.
//
// The client makes the memory and hands it over with its rings; the server maps it. A ring goes
// from client to server or back; its `head` is moved by the client, its `tail` by the server. A
// client sends by filling the buffer at the head, and offers an empty one to a server that sends in
// the same way.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace weft::drivers::memif {

enum class message_type : uint16_t {
    ack = 1,
    hello,      // server, first of all: its limits
    init,       // client: which interface
    add_region, // client, with the memory's file
    add_ring,   // client, with an eventfd that its receiver is woken by
    connect,    // client: that was all
    connected,  // server: traffic may come
    disconnect, // either
};

inline constexpr uint16_t protocol_version = 0x200;
inline constexpr size_t name_bytes = 32;
inline constexpr size_t secret_bytes = 24;

struct [[gnu::packed]] hello_message {
    char name[name_bytes]; // of the program, for people
    uint16_t oldest_version;
    uint16_t newest_version;
    uint16_t last_region;
    uint16_t last_ring_to_client; // so many rings, less one
    uint16_t last_ring_to_server;
    uint8_t max_log2;
};

struct [[gnu::packed]] init_message {
    uint16_t version;
    uint32_t id;
    uint8_t mode; // 0: Ethernet
    char secret[secret_bytes];
    char name[name_bytes];
};

struct [[gnu::packed]] region_message {
    uint16_t index; // counted from 0
    uint64_t bytes;
};

inline constexpr uint16_t ring_to_server = 1; // a flag of the message
struct [[gnu::packed]] ring_message {
    uint16_t flags;
    uint16_t index; // counted from 0 in each direction
    uint16_t region;
    uint32_t offset;
    uint8_t log2; // of the number of descriptors
    uint16_t private_header_bytes;
};

struct [[gnu::packed]] connect_message { // and connected
    char name[name_bytes];
};

struct [[gnu::packed]] disconnect_message {
    uint32_t code;
    char reason[96];
};

struct [[gnu::packed]] message {
    message_type type;
    union {
        hello_message hello;
        init_message init;
        region_message region;
        ring_message ring;
        connect_message connect;
        disconnect_message disconnect;
        uint8_t bytes[126];
    };
};
static_assert(sizeof(message) == 128);

inline constexpr uint16_t descriptor_goes_on =
    1; // a flag: the frame's next part is in the next descriptor
struct descriptor {
    uint16_t flags;
    uint16_t region;
    uint32_t length; // bytes that lie there, or that fit
    uint32_t offset; // in the region
    uint32_t metadata;
};
static_assert(sizeof(descriptor) == 16);

inline constexpr uint32_t ring_cookie = 0x3e31f20;
inline constexpr uint16_t ring_unheard =
    1; // a flag, set by the receiver: it polls, and is not to be woken
struct ring_header {
    uint32_t cookie;
    std::atomic<uint16_t> flags;
    std::atomic<uint16_t> head; // moved by the client
    uint8_t unused_head[56];
    std::atomic<uint16_t> tail; // moved by the server
    uint8_t unused_tail[62];

    [[nodiscard]] descriptor* descriptors() noexcept
    {
        return reinterpret_cast<descriptor*>(this + 1);
    }
};
static_assert(sizeof(ring_header) == 128 && offsetof(ring_header, tail) == 64);
static_assert(std::atomic<uint16_t>::is_always_lock_free && sizeof(std::atomic<uint16_t>) == 2);

[[nodiscard]] constexpr size_t ring_bytes(uint8_t log2) noexcept
{
    return sizeof(ring_header) + (sizeof(descriptor) << log2);
}

} // namespace weft::drivers::memif
