// SPDX-License-Identifier: Apache-2.0
// ip4-input for many packets at once: the headers of several packets stand side by side in vectors of 32-bit words, and a
// packet that is in order in every respect costs no branch of its own.
#include "graph/lanes.hh"
#include "graph/net/headers.hh"
#include "nodes/ip4/ip4_input.hh"

#include <cstring>

namespace weft::ip4 {

namespace {

using lanes::words;

// The words of an IPv4 header as loaded, in wire order (RFC 791 section 3.1).
struct header_words {
    words lengths;     // version and header length, type of service, total length
    words fragment;    // identification, flags and offset
    words ttl;         // time to live, protocol, checksum
    words source;
    words destination;
};

WEFT_LANES_INLINE header_words load_headers(const std::byte* const* at) noexcept
{
    const auto first = lanes::load_four(at);
    const std::byte* last[lanes::count];
    for (uint32_t i = 0; i < lanes::count; ++i)
        last[i] = at[i] + 16;
    return {first.word[0], first.word[1], first.word[2], first.word[3], lanes::load_one(last)};
}

// Whether the one's complement sum over the header is 0xffff. Its order of bytes does not matter (RFC 1071 section 2B).
WEFT_LANES_INLINE words checksum_wrong(const header_words& h) noexcept
{
    constexpr uint32_t low = 0xffff;
    words sum = (h.lengths & low) + (h.lengths >> 16) + (h.fragment & low) + (h.fragment >> 16) +
                (h.ttl & low) + (h.ttl >> 16) + (h.source & low) + (h.source >> 16) +
                (h.destination & low) + (h.destination >> 16);
    sum = (sum & low) + (sum >> 16);
    sum = (sum & low) + (sum >> 16);
    return lanes::mask_of(sum != low);
}

// A version or header length other than the usual, a length beyond the frame, or a header that is not in the first segment.
WEFT_LANES_INLINE words lengths_odd(const header_words& h, const lanes::four_words& mbuf) noexcept
{
    constexpr uint32_t usual = 0x45; // version 4, five words
    const words offset = mbuf.word[lanes::mbuf_words::place] >> 16 & 0xff;
    const words total = (h.lengths >> 24) | (h.lengths >> 8 & 0xff00);
    const words contiguous = mbuf.word[lanes::mbuf_words::data_len] & 0xffff;
    return lanes::mask_of((h.lengths & 0xff) != usual) |
           lanes::mask_of(total < sizeof(net::ip4_header)) |
           lanes::mask_of(offset + total > mbuf.word[lanes::mbuf_words::pkt_len]) |
           lanes::mask_of(offset + sizeof(net::ip4_header) > contiguous);
}

// The router's own addresses as a source is compared with them.
struct own_sources {
    std::span<const uint32_t> few;
    const uint32_t* filter; // unless they are few
};

WEFT_LANES_INLINE words perhaps_own(words source, const own_sources& own) noexcept
{
    words found{};
    for (const uint32_t address : own.few)
        found |= lanes::mask_of(source == address);
    if (!own.few.empty()) [[likely]]
        return found;
    const words slot = own_addresses::slot_of(lanes::swap_bytes(source));
    words word{};
    for (uint32_t i = 0; i < lanes::count; ++i)
        word[i] = own.filter[slot[i] / 32];
    return lanes::mask_of((word >> (slot & 31) & 1) != 0);
}

// A source that no packet may have, or perhaps the router's own.
WEFT_LANES_INLINE words source_odd(words source, const own_sources& own) noexcept
{
    const words top = source & 0xff;
    return lanes::mask_of(top == 0) | lanes::mask_of(top == 127) | lanes::mask_of(top >= 224) |
           perhaps_own(source, own);
}

// `destinations`: room for those of the packets, in host order.
WEFT_LANES_INLINE uint32_t odd_ones(packet* const* packets, const own_sources& own,
                                    uint32_t* destinations) noexcept
{
    const std::byte* mbufs[lanes::count];
    const std::byte* headers[lanes::count];
    for (uint32_t i = 0; i < lanes::count; ++i) {
        mbufs[i] = reinterpret_cast<const std::byte*>(packets[i]) + lanes::mbuf_words::offset;
        headers[i] = packets[i]->data() + packets[i]->mark().l3_offset;
    }
    const auto mbuf = lanes::load_four(mbufs);
    const header_words h = load_headers(headers);
    const words to = lanes::swap_bytes(h.destination);
    std::memcpy(destinations, &to, sizeof to);
    constexpr uint32_t flags_at = 24;
    const words flags = mbuf.word[lanes::mbuf_words::place] >> flags_at;
    return lanes::bits_of(checksum_wrong(h) | lengths_odd(h, mbuf) | source_odd(h.source, own) |
                          lanes::mask_of((flags & packet_mark::layer3_broadcast) != 0) |
                          lanes::mask_of((h.ttl & 0xff) <= 1));
}

void ip4_input(node_run& run, frame& in) noexcept
{
    const auto& own = run.context<input::context>().ip4.own();
    const own_sources sources{own.few_on_wire(), own.filter()};
    packet* const* const packets = in.packets.data();
    packet_set odd;
    in.pad();
    odd.find_groups<lanes::count>(in.count, [&](uint32_t i) noexcept {
        return odd_ones(packets + i, sources, in.words.data() + i);
    });
    run.each_but(in, input::to_lookup, odd,
                 [&](packet& p) noexcept { return input::decide(run, own, p); }, in.count);
}

const node_form_registration registration{"ip4-input", form::WEFT_FORM, ip4_input};

} // namespace

} // namespace weft::ip4
