// SPDX-License-Identifier: Apache-2.0
// ip4-input for many packets at once: the headers of several packets stand side by side in vectors
// of 32-bit words, and a packet that is in order in every respect costs no branch of its own.
#include "base/net/headers.hh"
#include "graph/lanes.hh"
#include "graph/node_run_vector.hh"
#include "nodes/ip4/ip4_input.hh"

#include <cstring>

namespace weft::ip4 {

namespace {

using lanes::mask;
using lanes::words;

// The words of an IPv4 header as loaded, in wire order (RFC 791 section 3.1).
struct header_words {
    words lengths;  // version and header length, type of service, total length
    words fragment; // identification, flags and offset
    words ttl;      // time to live, protocol, checksum
    words source;
    words destination;
};

WEFT_LANES_INLINE header_words load_headers(packet* const* packets) noexcept
{
    const auto five = lanes::load_five([&](uint32_t i) noexcept -> const std::byte* {
        return packets[i]->data() + packets[i]->metadata().l3_offset;
    });
    return {five.word[0], five.word[1], five.word[2], five.word[3], five.word[4]};
}

// Zero where the one's complement sum over a header without options is 0xffff. Its order of bytes
// does not matter (RFC 1071 section 2B).
WEFT_LANES_INLINE words checksum_fault(const header_words& h) noexcept
{
    constexpr uint32_t low = 0xffff;
    words sum = (h.lengths & low) + (h.lengths >> 16) + (h.fragment & low) + (h.fragment >> 16) +
                (h.ttl & low) + (h.ttl >> 16) + (h.source & low) + (h.source >> 16) +
                (h.destination & low) + (h.destination >> 16);
    sum = (sum & low) + (sum >> 16);
    sum = (sum & low) + (sum >> 16);
    return sum ^ low;
}

// Zero but for a version or header length other than the usual, a fragment, and a packet from a
// link-layer broadcast.
WEFT_LANES_INLINE words kind_fault(const header_words& h, words place) noexcept
{
    constexpr uint32_t usual = 0x45;           // version 4, five words
    constexpr uint32_t fragment = 0xff3f'0000; // more to follow, and the offset
    constexpr uint32_t broadcast = uint32_t{packet_metadata::layer3_broadcast} << 24;
    return ((h.lengths & 0xff) ^ usual) | (h.fragment & fragment) | (place & broadcast);
}

// The router's own addresses, and the ends of its networks, as a source is compared with them.
class known_sources {
public:
    explicit known_sources(const own_addresses& own) noexcept : filter_{own.filter()}
    {
        const auto few = own.few_on_wire();
        while (count_ < few.size() ||
               count_ % at_once != 0) { // the first one again where there are no more
            few_[count_] = lanes::all_of(few[count_ < few.size() ? count_ : 0]);
            ++count_;
        }
    }
    // Whether a source is one of them, or perhaps one.
    WEFT_LANES_INLINE mask have(words source) const noexcept
    {
        if (count_ == 0) [[unlikely]] { // they are many
            const words slot = own_addresses::slot_of(lanes::swap_bytes(source));
            const words word = lanes::gather(filter_, slot >> 5);
            return lanes::differ(word >> (slot & 31) & 1, words{});
        }
        mask found = compare(source, 0);
        for (uint32_t i = at_once; i < count_; i += at_once)
            found = lanes::either(found, compare(source, i));
        return found;
    }

private:
    static constexpr uint32_t at_once = 6; // of two interfaces
    static_assert(own_addresses::few % at_once == 0);

    WEFT_LANES_INLINE mask compare(words source, uint32_t i) const noexcept
    {
        const words* const with = few_ + i;
        return lanes::either(lanes::equal(source, with[0]), lanes::equal(source, with[1]),
                             lanes::equal(source, with[2]), lanes::equal(source, with[3]),
                             lanes::equal(source, with[4]), lanes::equal(source, with[5]));
    }

    const uint32_t* filter_;
    uint32_t count_ = 0;
    words few_[own_addresses::few];
};

// A source that no packet may have, or perhaps one that the router knows as its own or as nobody's.
WEFT_LANES_INLINE mask source_odd(words source, const known_sources& known) noexcept
{
    const words top = source & 0xff;
    return lanes::either(lanes::equal(top, lanes::all_of(127)), // 0 is below, and 224 and above
                         lanes::below(lanes::all_of(222), top - 1), known.have(source));
}

// Takes off what is behind packets that lie in one segment. The bits of others remain, also of
// those that are not whole. Not inlined, for most groups have no such packet.
[[gnu::noinline]] uint32_t cut_ends(packet* const* packets, uint32_t uneven) noexcept
{
    uint32_t odd = 0;
    for (uint32_t left = uneven; left != 0; left &= left - 1) {
        const auto i = static_cast<uint32_t>(__builtin_ctz(left));
        rte_mbuf* const mbuf = packets[i]->mbuf();
        const uint32_t total = packets[i]->network<net::ip4_header>().total_length.host();
        const uint32_t end = packets[i]->metadata().l3_offset + total;
        if (total < sizeof(net::ip4_header) || mbuf->data_len != mbuf->pkt_len ||
            mbuf->pkt_len < end)
            odd |= 1u << i;
        else
            mbuf->pkt_len = mbuf->data_len = static_cast<uint16_t>(end);
    }
    return odd;
}

// `destinations`: room for those of the packets, in host order.
WEFT_LANES_INLINE uint32_t odd_ones(packet* const* packets, const known_sources& known,
                                    uint32_t* destinations) noexcept
{
    using at = lanes::mbuf_words;
    const auto mbuf = lanes::load_mbufs(packets);
    const header_words h = load_headers(packets);
    const words to = lanes::swap_bytes(h.destination);
    std::memcpy(destinations, &to, sizeof to);
    const words begin = mbuf.word[at::place] >> 16 & 0xff;
    const words total = (h.lengths >> 24) | (h.lengths >> 8 & 0xff00);
    const uint32_t odd = lanes::bits_of(lanes::either(
        lanes::differ(checksum_fault(h) | kind_fault(h, mbuf.word[at::place]), words{}),
        source_odd(h.source, known),
        lanes::below(mbuf.word[at::data_len] & 0xffff, begin + uint32_t{sizeof(net::ip4_header)}),
        lanes::below(h.ttl & 0xff, lanes::all_of(2))));
    // a total length below the header's is so too, or the packet is shorter
    const uint32_t uneven =
        lanes::bits_of(lanes::differ(mbuf.word[at::pkt_len], begin + total)) & ~odd;
    if (uneven != 0) [[unlikely]]
        return odd | cut_ends(packets, uneven);
    return odd;
}

void ip4_input(node_run& run, frame& in) noexcept
{
    const tables& ip4 = run.context<input::context>().ip4;
    const known_sources known{ip4.own_anywhere()}; // whether its VRF has it, decide() looks
    packet* const* const packets = in.packets.data();
    packet_set odd;
    in.pad();
    odd.find_groups<lanes::count>(in.count, [&](uint32_t i) noexcept {
        return odd_ones(packets + i, known, in.aux.data() + i);
    });
    run.each_but(
        in, input::to_lookup, odd, [&](packet& p) noexcept { return input::decide(run, ip4, p); },
        in.count);
}

const node_variant_registration registration{"ip4-input", variant::WEFT_VARIANT, ip4_input};

} // namespace

} // namespace weft::ip4
