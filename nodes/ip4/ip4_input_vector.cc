// SPDX-License-Identifier: Apache-2.0
// ip4-input for many packets at once: the headers of several packets stand side by side in vectors of 32-bit words, and a
// packet that is in order in every respect costs no branch of its own.
#include "graph/lanes.hh"
#include "graph/net/headers.hh"
#include "nodes/ip4/ip4_input.hh"

#include <cstring>

namespace weft::ip4 {

namespace {

using lanes::mask;
using lanes::words;

// The words of an IPv4 header as loaded, in wire order (RFC 791 section 3.1).
struct header_words {
    words lengths;     // version and header length, type of service, total length
    words fragment;    // identification, flags and offset
    words ttl;         // time to live, protocol, checksum
    words source;
    words destination;
};

WEFT_LANES_INLINE header_words load_headers(packet* const* packets) noexcept
{
    const auto five = lanes::load_five([&](uint32_t i) noexcept -> const std::byte* {
        return packets[i]->data() + packets[i]->mark().l3_offset;
    });
    return {five.word[0], five.word[1], five.word[2], five.word[3], five.word[4]};
}

// Whether the one's complement sum over a header without options is 0xffff. Its order of bytes does not matter (RFC 1071
// section 2B).
WEFT_LANES_INLINE mask checksum_wrong(const header_words& h) noexcept
{
    constexpr uint32_t low = 0xffff;
    words sum = (h.lengths & low) + (h.lengths >> 16) + (h.fragment & low) + (h.fragment >> 16) +
                (h.ttl & low) + (h.ttl >> 16) + (h.source & low) + (h.source >> 16) +
                (h.destination & low) + (h.destination >> 16);
    sum = (sum & low) + (sum >> 16);
    sum = (sum & low) + (sum >> 16);
    return lanes::differ(sum, lanes::all_of(low));
}

// The router's own addresses as a source is compared with them.
struct own_sources {
    std::span<const uint32_t> few;
    const uint32_t* filter; // unless they are few
};

WEFT_LANES_INLINE mask perhaps_own(words source, const own_sources& own) noexcept
{
    if (own.few.empty()) [[unlikely]] {
        const words slot = own_addresses::slot_of(lanes::swap_bytes(source));
        const words word = lanes::gather(own.filter, slot >> 5);
        return lanes::differ(word >> (slot & 31) & 1, words{});
    }
    mask found = lanes::equal(source, lanes::all_of(own.few[0]));
    for (const uint32_t address : own.few.subspan(1))
        found = lanes::either(found, lanes::equal(source, lanes::all_of(address)));
    return found;
}

// A version or header length other than the usual, a length beyond the frame, or a header that is not in the first segment.
WEFT_LANES_INLINE mask lengths_odd(const header_words& h, const lanes::neighbours<4>& mbuf) noexcept
{
    constexpr uint32_t usual = 0x45; // version 4, five words
    constexpr uint32_t header_bytes = sizeof(net::ip4_header);
    using at = lanes::mbuf_words;
    const words offset = mbuf.word[at::place] >> 16 & 0xff;
    const words total = (h.lengths >> 24) | (h.lengths >> 8 & 0xff00);
    return lanes::either(lanes::differ(h.lengths & 0xff, lanes::all_of(usual)),
                         lanes::below(total, lanes::all_of(header_bytes)),
                         lanes::below(mbuf.word[at::pkt_len], offset + total),
                         lanes::below(mbuf.word[at::data_len] & 0xffff, offset + header_bytes));
}

// A source that no packet may have, or perhaps the router's own.
WEFT_LANES_INLINE mask source_odd(words source, const own_sources& own) noexcept
{
    const words top = source & 0xff;
    return lanes::either(lanes::equal(top, words{}), lanes::equal(top, lanes::all_of(127)),
                         lanes::below(lanes::all_of(223), top), perhaps_own(source, own));
}

// `destinations`: room for those of the packets, in host order.
WEFT_LANES_INLINE uint32_t odd_ones(packet* const* packets, const own_sources& own, uint32_t* destinations) noexcept
{
    constexpr uint32_t flags_at = 24;
    const auto mbuf = lanes::load_mbufs(packets);
    const header_words h = load_headers(packets);
    const words to = lanes::swap_bytes(h.destination);
    std::memcpy(destinations, &to, sizeof to);
    const words broadcast = mbuf.word[lanes::mbuf_words::place] >> flags_at & packet_mark::layer3_broadcast;
    return lanes::bits_of(lanes::either(checksum_wrong(h), lengths_odd(h, mbuf), source_odd(h.source, own),
                                        lanes::differ(broadcast, words{}),
                                        lanes::below(h.ttl & 0xff, lanes::all_of(2))));
}

void ip4_input(node_run& run, frame& in) noexcept
{
    const auto& own = run.context<input::context>().ip4.own();
    const own_sources sources{own.few_on_wire(), own.filter()};
    packet* const* const packets = in.packets.data();
    packet_set odd;
    in.pad();
    odd.find_groups<lanes::count>(
        in.count, [&](uint32_t i) noexcept { return odd_ones(packets + i, sources, in.words.data() + i); });
    run.each_but(in, input::to_lookup, odd,
                 [&](packet& p) noexcept { return input::decide(run, own, p); }, in.count);
}

const node_form_registration registration{"ip4-input", form::WEFT_FORM, ip4_input};

} // namespace

} // namespace weft::ip4
