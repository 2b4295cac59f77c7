// SPDX-License-Identifier: Apache-2.0
// ethernet-input for many packets at once: most are IPv4 for this router's MAC address, which three
// compares tell.
#include "graph/lanes.hh"
#include "graph/node_run_vector.hh"
#include "nodes/ethernet/ethernet_input.hh"

namespace weft::ethernet {

namespace {

using lanes::words;

// What the words of a frame must be for it to be sound IPv4, by the interface that it came from.
struct expected {
    void take(const input::context& ctx, interface_index of) noexcept
    {
        const interface_hot& hot = ctx.interfaces.hot(of);
        interface = of;
        place = of | uint32_t{sizeof(net::ethernet_header)} << 16;
        const bool is_taken = hot.usual.load(std::memory_order_relaxed) && to.is_next();
        down = is_taken ? 0 : ~uint32_t{0};
        const net::mac_address mac = hot.mac;
        std::memcpy(&mac_begin, mac.bytes.data(), 4);
        std::memcpy(&mac_end, mac.bytes.data() + 4, 2);
    }

    const verdict to; // of IPv4
    interface_index interface = no_interface;
    uint32_t place = 0; // of the metadata, as the input node writes it
    // All bits: nothing is as expected, for it is down or IPv4 is off, or nobody takes IPv4.
    uint32_t down = 0;
    uint32_t mac_begin = 0;
    uint16_t mac_end = 0;
};

// Loads a whole header before its length is known: a buffer has room for it wherever a driver lets
// its data begin.
WEFT_LANES_INLINE uint32_t odd_ones(packet* const* packets, const expected& want) noexcept
{
    constexpr uint32_t ip4 = net::ether_type::ip4.wire();
    constexpr uint32_t low = 0xffff;
    const auto mbuf = lanes::load_mbufs(packets);
    const auto header = lanes::load_four( // the last word: two bytes of the source, the type
        [&](uint32_t i) noexcept -> const std::byte* { return packets[i]->data(); });
    const words differ = (header.word[0] ^ want.mac_begin) |
                         ((header.word[1] ^ want.mac_end) & low) | ((header.word[3] & low) ^ ip4) |
                         ((mbuf.word[lanes::mbuf_words::place] ^ want.place) & 0xff'ffff) |
                         want.down;
    return lanes::bits_of(lanes::either(lanes::differ(differ, words{}),
                                        lanes::below(mbuf.word[lanes::mbuf_words::data_len] & low,
                                                     lanes::all_of(sizeof(net::ethernet_header)))));
}

void ethernet_input(node_run& run, frame& in) noexcept
{
    auto& ctx = run.context<input::context>();
    packet* const* const packets = in.packets.data();
    expected want{ctx.types.of(net::ether_type::ip4.host())};
    packet_set odd;
    in.pad();
    odd.find_groups<lanes::count>(in.count, [&](uint32_t i) noexcept {
        if (packets[i]->metadata().interface != want.interface) [[unlikely]]
            want.take(ctx, packets[i]->metadata().interface);
        for (uint32_t k = i; k < i + lanes::count; ++k)
            in.prefetch_header(k);
        return odd_ones(packets + i, want);
    });
    run.each_but(in, want.to.next(), odd,
                 [&](packet& p) noexcept { return input::decide(ctx, p); });
}

const node_variant_registration registration{"ethernet-input", variant::WEFT_VARIANT,
                                             ethernet_input};

} // namespace

} // namespace weft::ethernet
