// SPDX-License-Identifier: Apache-2.0
// ARP and ICMP of stations that say what they like, on a router whose clock goes on: a neighbour
// set by hand stays who it is, the table stays in its bounds, what leaves is sound, and no packet
// waits for ever.
//
// Input, over and over: one byte, the kind (below); one, 0x01: by b, 0x02: it is broadcast, 0xf0:
// copies; one, whose address; one, whose MAC; two, what the kind makes of them.
#include "fuzz/input.hh"
#include "fuzz/router.hh"

using namespace weft;
using namespace weft::fuzz;
using test::mac_of;
using test::packet_builder;

namespace {

constexpr size_t max_steps = 100;

struct step {
    uint8_t kind, how, address, station;
    uint16_t value;

    [[nodiscard]] interface_index from() const { return how & 1; }
    [[nodiscard]] net::mac_address mac() const { return mac_of(from(), station); }
    [[nodiscard]] net::mac_address to() const
    {
        return (how & 2) != 0 ? net::mac_address{{255, 255, 255, 255, 255, 255}}
                              : mac_of(from(), 1);
    }
    // Mostly on the network; some are nobody's.
    [[nodiscard]] std::string ip() const
    {
        constexpr const char* odd[] = {"0.0.0.0",   "255.255.255.255", "127.0.0.1",
                                       "224.0.0.1", "16.0.0.1",        "99.1.1.1"};
        return address < std::size(odd) ? odd[address]
                                        : fmt::format("10.0.{}.{}", from(), address - 6);
    }
    [[nodiscard]] std::string router() const { return fmt::format("10.0.{}.1", from()); }
};

packet_builder packet_of(const step& s)
{
    packet_builder p;
    p.ethernet(s.to(), s.mac());
    switch (s.kind % 8) {
    case 0:
        return p.arp(s.value & 3, s.mac(), s.ip(), net::mac_address{}, s.router());
    case 1:
        return p.arp(2, s.mac(), s.ip(), mac_of(s.from(), 1),
                     (s.value & 1) != 0 ? s.ip() : s.router());
    case 2:
        p.arp(1, s.mac(), s.ip(), net::mac_address{}, s.router()); // its fields are wrong
        reinterpret_cast<uint8_t*>(&p.arp_fields())[s.value % sizeof(net::arp_header)] ^=
            static_cast<uint8_t>(s.value >> 8);
        return p;
    case 3:
        return p.ip4(s.ip(), s.router()).icmp_echo(s.value).payload(s.value % 1400);
    case 4: // an error, which quotes something
        return p.ip4(s.ip(), (s.value & 0x8000) != 0 ? s.router() : "16.0.0.1")
            .icmp(static_cast<uint8_t>(s.value), static_cast<uint8_t>(s.value >> 8))
            .payload(28)
            .ttl(1);
    case 5:
        return p.ip4(fmt::format("10.0.{}.2", s.from()), s.ip())
            .udp(s.value, 9)
            .payload(s.value % 1400);
    case 6:
        return p.ip4(s.ip(), s.router())
            .icmp_echo()
            .fragment(s.value & 0x1fff, (s.value & 0x2000) != 0);
    default:
        return p.ip4(s.ip(), "16.0.0.1")
            .icmp_echo()
            .options(4 * (s.value % 11))
            .ttl(static_cast<uint8_t>(s.value));
    }
}

void check_neighbours(router& on)
{
    const auto all = on.inside().neighbours().all();
    REQUIRE(all.size() <= fib::neighbour_table::max_neighbours);
    unsigned by_hand = 0;
    for (const auto* n : all)
        if (n->state == fib::neighbour_state::permanent) {
            ++by_hand;
            REQUIRE(n->mac == mac_of(n->interface, 2));
        }
    REQUIRE(by_hand == 2);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    static auto& on = *new router{variant::plain};
    input in{data, size};
    for (size_t n = 0; n < max_steps && !in.empty(); ++n) {
        const step s{in.u8(), in.u8(), in.u8(), in.u8(), in.u16()};
        const auto frame = packet_of(s).bytes();
        for (unsigned copies = 1 + (s.how >> 4); copies > 0; --copies)
            on.receive(s.from(), frame);
        on.run();
        if ((s.how & 4) != 0)
            on.advance(s.value % 4 * 1s);
        static_cast<void>(on.take());
    }
    check_neighbours(on);
    on.settle();
    return 0;
}
