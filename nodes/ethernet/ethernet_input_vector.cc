// SPDX-License-Identifier: Apache-2.0
// ethernet-input for many packets at once: most are IPv4 for this router's MAC address, which three compares tell.
#include "graph/net/headers.hh"
#include "nodes/ethernet/ethernet_input.hh"

namespace weft::ethernet {

namespace {

void ethernet_input(node_run& run, frame& in) noexcept
{
    constexpr uint64_t mac_mask = 0xffff'ffff'ffff; // the first six bytes of a little-endian load
    constexpr uint32_t ahead = 8; // packets; their headers are asked for while the ones before are looked at
    const auto& ctx = run.context<input::context>();
    packet* const* const packets = in.packets.data();
    const uint32_t last = in.count - 1;
    // what the interface of the packet before wants
    interface_index interface = no_interface;
    uint64_t mac = 0;
    bool up = false;
    packet_set odd;
    odd.find(in.count, [&](uint32_t i) noexcept {
        rte_prefetch0(packets[i + ahead < last ? i + ahead : last]->data());
        packet& p = *packets[i];
        packet_mark& mark = p.mark();
        if (mark.interface != interface) [[unlikely]] {
            interface = mark.interface;
            const interface_hot& hot = ctx.interfaces.hot(interface);
            up = hot.admin_up.load(std::memory_order_relaxed);
            std::memcpy(&mac, &hot.mac, sizeof hot.mac);
        }
        // Read before the length is known: a buffer has room for both wherever a driver lets its data begin.
        uint64_t begin;
        std::memcpy(&begin, p.data(), sizeof begin);
        const bool is_ip4 = p.header<net::ethernet_header>(0).type == net::ether_type::ip4;
        const bool is_whole = p.contiguous() >= sizeof(net::ethernet_header);
        mark.l3_offset = sizeof(net::ethernet_header);
        return !((((begin ^ mac) & mac_mask) == 0) & is_ip4 & is_whole & up);
    });
    run.each_but(in, input::to_ip4_input, odd,
                 [&](packet& p) noexcept { return input::decide(ctx, p); });
}

const node_form_registration registration{"ethernet-input", form::WEFT_FORM, ethernet_input};

} // namespace

} // namespace weft::ethernet
