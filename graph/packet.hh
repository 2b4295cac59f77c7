// SPDX-License-Identifier: Apache-2.0
// A packet: a DPDK mbuf with weft's own metadata, stored in the two cache lines of the mbuf.
#pragma once

#include <rte_mbuf.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>

namespace weft {

// The metadata that every node needs, in the mbuf's first cache line (in the field `hash`, which
// belongs to weft from input to transmit). An input node writes all of it for every packet.
struct packet_metadata {
    static constexpr uint8_t traced = 1;           // note().trace_id is valid
    static constexpr uint8_t locally_made = 2;     // sent by this router: TTL is not decremented
    static constexpr uint8_t layer3_broadcast = 4; // arrived in a group-addressed frame
    static constexpr uint8_t aimed = 16;           // note().next_hop and out_interface are valid
    static constexpr uint8_t resolved = 8; // has waited for a neighbour that is now resolved

    uint32_t adjacency = 0; // chosen by lookup
    uint16_t interface = 0; // the incoming one; from ip4-rewrite on, the outgoing one
    // Bytes from data() to the network header. An input node writes 14, the size of Ethernet's.
    uint8_t l3_offset = 0;
    uint8_t flags = 0;

    // l3_offset in the low byte, the flags in the high one.
    [[nodiscard]] uint16_t place() const noexcept
    {
        static_assert(std::endian::native == std::endian::little);
        uint16_t both;
        std::memcpy(&both, &l3_offset, sizeof both);
        return both;
    }
};
static_assert(sizeof(packet_metadata) == 8 &&
              offsetof(packet_metadata, flags) == offsetof(packet_metadata, l3_offset) + 1);
static_assert(offsetof(rte_mbuf, hash) + sizeof(packet_metadata) <= 64, "first cache line");

// Rarely needed metadata, in the second cache line. Each field is only valid where its comment
// says.
struct packet_note {
    uint32_t trace_id = 0;    // if packet_metadata::traced
    uint32_t next_hop = 0;    // host order; if packet_metadata::aimed
    uint32_t drop_reason = 0; // for packets in the drop node: reason_id
    // For packets sent to a node that tells the sender what is wrong, in its protocol's numbers.
    uint8_t error_type = 0;
    uint8_t error_code = 0;
    uint16_t error_value = 0; // an MTU, a place in the packet
    uint64_t reserved = 0;
    uint32_t custody = 0;       // debug builds: which dispatch owns the packet
    uint16_t out_interface = 0; // if packet_metadata::aimed
    uint16_t reserved2 = 0;
};
static_assert(sizeof(packet_note) == 32);

// Offset of the packet_note in the mbuf. Fixed at compile time; claim_packet_note() reserves it in
// DPDK at startup, so that no other dynamic field can be there.
inline constexpr size_t packet_note_offset = 96;
static_assert(packet_note_offset >= offsetof(rte_mbuf, dynfield1));
static_assert(packet_note_offset + sizeof(packet_note) <= sizeof(rte_mbuf));

// A view of an mbuf with weft's names. Has no state of its own and is never constructed: use
// packet::from(mbuf). Only the thread that holds the packet may touch it.
class packet {
public:
    packet() = delete;

    [[nodiscard]] static packet* from(rte_mbuf* mbuf) noexcept
    {
        return reinterpret_cast<packet*>(mbuf);
    }
    [[nodiscard]] rte_mbuf* mbuf() noexcept { return &mbuf_; }
    [[nodiscard]] const rte_mbuf* mbuf() const noexcept { return &mbuf_; }

    // Start of the frame (its link-layer header).
    [[nodiscard]] std::byte* data() noexcept { return rte_pktmbuf_mtod(&mbuf_, std::byte*); }
    [[nodiscard]] const std::byte* data() const noexcept
    {
        return rte_pktmbuf_mtod(&mbuf_, const std::byte*);
    }
    [[nodiscard]] uint32_t length() const noexcept { return mbuf_.pkt_len; }      // all segments
    [[nodiscard]] uint16_t contiguous() const noexcept { return mbuf_.data_len; } // first segment

    // A header at an offset from data(). The caller has checked that contiguous() covers it.
    template <class Header>
    [[nodiscard]] Header& header(size_t offset) noexcept
    {
        static_assert(alignof(Header) == 1, "headers lie at any address");
        return *reinterpret_cast<Header*>(data() + offset);
    }
    template <class Header>
    [[nodiscard]] const Header& header(size_t offset) const noexcept
    {
        static_assert(alignof(Header) == 1, "headers lie at any address");
        return *reinterpret_cast<const Header*>(data() + offset);
    }
    // The network header.
    template <class Header>
    [[nodiscard]] Header& network() noexcept
    {
        return header<Header>(metadata().l3_offset);
    }
    template <class Header>
    [[nodiscard]] const Header& network() const noexcept
    {
        return header<Header>(metadata().l3_offset);
    }

    [[nodiscard]] packet_metadata& metadata() noexcept
    {
        return *reinterpret_cast<packet_metadata*>(reinterpret_cast<std::byte*>(&mbuf_) +
                                                   offsetof(rte_mbuf, hash));
    }
    [[nodiscard]] const packet_metadata& metadata() const noexcept
    {
        return const_cast<packet*>(this)->metadata();
    }
    [[nodiscard]] packet_note& note() noexcept
    {
        return *reinterpret_cast<packet_note*>(reinterpret_cast<std::byte*>(&mbuf_) +
                                               packet_note_offset);
    }
    [[nodiscard]] const packet_note& note() const noexcept
    {
        return const_cast<packet*>(this)->note();
    }
    [[nodiscard]] bool traced() const noexcept
    {
        return (metadata().flags & packet_metadata::traced) != 0;
    }

private:
    rte_mbuf mbuf_;
};
static_assert(sizeof(packet) == sizeof(rte_mbuf));

// Reserves the packet_note's bytes among DPDK's dynamic fields. Main thread, once, after EAL
// initialisation. False if another user of dynamic fields has taken them.
[[nodiscard]] bool claim_packet_note() noexcept;

} // namespace weft
