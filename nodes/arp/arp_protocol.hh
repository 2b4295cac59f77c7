// SPDX-License-Identifier: Apache-2.0
// ARP (RFC 826) as the protocol by which the neighbour table asks for IPv4's neighbours.
#pragma once

#include "nodes/fib/neighbours.hh"
#include "nodes/ip4/ip4.hh"

namespace weft::arp {

// A module of the engine, which makes the neighbour table serve IPv4. Main thread.
class arp_protocol final : public fib::neighbour_protocol {
public:
    explicit arp_protocol(engine& engine);

    [[nodiscard]] fib::neighbour_nodes nodes() const override;
    bool solicit(interface_index i, const net::ip_address& target,
                 const net::mac_address* at) override;
    // Asks for nothing: tells the network of an address of ours (RFC 5227 section 3).
    void announce(interface_index i, net::ip4_address own);

private:
    bool request(interface_index i, const net::mac_address& to, net::ip4_address sender,
                 net::ip4_address target);

    engine& engine_;
    ip4::tables& ip4_;
};

} // namespace weft::arp
