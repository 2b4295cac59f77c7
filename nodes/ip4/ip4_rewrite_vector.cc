// SPDX-License-Identifier: Apache-2.0
// ip4-rewrite for many packets at once: what fits its interface's MTU is rewritten without a look at anything else.
#include "nodes/ip4/ip4_rewrite.hh"

#include <cstring>

namespace weft::ip4 {

namespace {

// Ethernet's 14 bytes with one store of 16, of which the last two are the packet's own again.
[[gnu::always_inline]] inline void write_header(std::byte* at, const std::byte* header) noexcept
{
    using eight = uint16_t __attribute__((vector_size(16)));
    static_assert(sizeof(net::ethernet_header) == 7 * sizeof(uint16_t));
    eight fresh, old;
    std::memcpy(&fresh, header, sizeof fresh);
    std::memcpy(&old, at, sizeof old);
    fresh = __builtin_shufflevector(fresh, old, 0, 1, 2, 3, 4, 5, 6, 15);
    std::memcpy(at, &fresh, sizeof fresh);
}

void ip4_rewrite(node_run& run, frame& in) noexcept
{
    const forwarding& hops = run.context<rewrite::context>().ip4.hops();
    const adjacency* const adjacencies = hops.adjacencies();
    packet* const* const packets = in.packets.data();
    packet_set odd;
    odd.find(in.count, [&](uint32_t i) noexcept {
        packet& p = *packets[i];
        packet_mark& mark = p.mark();
        const adjacency& to = adjacencies[mark.adjacency];
        const uint32_t offset = mark.l3_offset;
        // The frame holds the packet, as ip4-input has seen; what is behind it only makes this stricter.
        if (p.length() - offset > to.mtu) [[unlikely]]
            return true;
        if ((mark.flags & packet_mark::locally_made) != 0) [[unlikely]]
            return true;
        std::byte* const at = p.data() + offset;
        auto& header = *reinterpret_cast<net::ip4_header*>(at);
        rewrite::decrement_ttl(header);
        write_header(at - sizeof(net::ethernet_header), to.rewrite.data());
        mark.interface = to.interface;
        return false;
    });
    run.each_but(in, rewrite::to_output, odd,
                 [&](packet& p) noexcept { return rewrite::decide(run, hops, p); });
}

const node_form_registration registration{"ip4-rewrite", form::WEFT_FORM, ip4_rewrite};

} // namespace

} // namespace weft::ip4
