// SPDX-License-Identifier: Apache-2.0
// ARP's requests: who is asked for, and what the router announces of itself.
#include "nodes/arp/arp_protocol.hh"

#include "base/net/headers.hh"
#include "graph/init.hh"
#include "nodes/interface/link.hh"
#include "nodes/interface/link_header.hh"

#include <cstring>

namespace weft::arp {

arp_protocol::arp_protocol(engine& engine) : engine_{engine}, ip4_{engine.module<ip4::tables>()}
{
    auto& table = engine.module<fib::neighbour_table>();
    table.serve(net::family::ip4, *this, ip4_);
    ip4_.observe_addresses([this, &table](interface_index i, net::ip4_address a, bool added) {
        if (added)
            announce(i, a);
        table.follow_networks(i);
    });
    interfaces_of(engine).observe([this](const interface& i) {
        if (is_up(interfaces_of(engine_), i.index))
            for (const auto& a : ip4_.addresses_of(i.index))
                announce(i.index, a.address);
    });
}

fib::neighbour_nodes arp_protocol::nodes() const
{
    return {.lookup = "ip4-lookup",
            .glean = "ip4-glean",
            .forgotten = ip4::glean::forgotten,
            .queue_full = ip4::glean::queue_full};
}

bool arp_protocol::solicit(interface_index i, const net::ip_address& target,
                           const net::mac_address* at)
{
    const auto sender = ip4_.own(ip4_.vrf_of(i)).source_for(target.ip4(), i);
    return request(i, at == nullptr ? net::broadcast_mac : *at, sender, target.ip4());
}

void arp_protocol::announce(interface_index i, net::ip4_address own)
{
    if (interfaces_of(engine_).hot(i).admin_up.load())
        request(i, net::broadcast_mac, own, own);
}

bool arp_protocol::request(interface_index i, const net::mac_address& to, net::ip4_address sender,
                           net::ip4_address target)
{
    const auto* output = engine_.registry().find("interface-output");
    packet* p = output == nullptr ? nullptr : engine_.make_packet();
    if (p == nullptr)
        return false;
    const link_header link{interfaces_of(engine_), i, to, net::ether_type::arp};
    const net::mac_address mac = interfaces_of(engine_).hot(i).mac;
    rte_pktmbuf_append(p->mbuf(), static_cast<uint16_t>(link.size() + sizeof(net::arp_header)));
    std::memcpy(p->data(), link.bytes().data(), link.size());
    p->header<net::arp_header>(link.size()) = {net::arp_hardware_ethernet,
                                               net::ether_type::ip4,
                                               sizeof(net::mac_address),
                                               sizeof(net::be32),
                                               net::arp_operation::request,
                                               mac,
                                               sender.wire(),
                                               to == net::broadcast_mac ? net::mac_address{} : to,
                                               target.wire()};
    p->metadata().interface = i;
    p->metadata().flags = packet_metadata::locally_made;
    if (engine_.main().inject_new(output->id, p))
        return true;
    rte_pktmbuf_free(p->mbuf());
    return false;
}

namespace {

result<void> make_protocol(engine& engine)
{
    [[maybe_unused]] auto& made = engine.module<arp_protocol>();
    return {};
}

const init_registration make{"arp", init_phase::early, make_protocol};

} // namespace

} // namespace weft::arp
