// SPDX-License-Identifier: Apache-2.0
// What the neighbour table needs of an address family: how its neighbours are asked for, and where
// its routes are.
#pragma once

#include "base/clock.hh"
#include "base/net/address.hh"
#include "base/result.hh"
#include "nodes/interface/interface.hh"

#include <cstdint>
#include <string_view>

namespace weft::fib {

// RFC 1122 section 2.3.2.1 and RFC 4861 section 10 ask for much the same.
struct neighbour_timers {
    duration request_interval = std::chrono::seconds{1};
    unsigned max_requests = 3;
    duration incomplete = std::chrono::seconds{5}; // at most, also where no request could leave
    duration reachable = std::chrono::seconds{60}; // from a confirmation on
    duration stale = std::chrono::seconds{5};      // then, before it is asked to confirm
    duration failed = std::chrono::seconds{3};     // for so long packets to it are unreachable
};

// Where packets go that waited, and why those are dropped that wait no more.
struct neighbour_nodes {
    std::string_view lookup; // once the neighbour is known
    std::string_view glean;  // when it does not answer; it counts them and tells their senders
    uint16_t forgotten;      // reasons of the glean node's
    uint16_t queue_full;
};

// ARP, or IPv6's neighbour discovery. Main thread.
class neighbour_protocol {
public:
    virtual ~neighbour_protocol() = default;
    [[nodiscard]] virtual neighbour_timers timers() const { return {}; }
    [[nodiscard]] virtual neighbour_nodes nodes() const = 0;
    // Asks who has an address; only the station `at` where that is given (RFC 1122 section 2.3.2.1:
    // one that is to confirm). False if no packet could leave.
    virtual bool solicit(interface_index i, const net::ip_address& target,
                         const net::mac_address* at) = 0;
};

// What is forwarded by a family's neighbours. Main thread.
class neighbour_routes {
public:
    virtual ~neighbour_routes() = default;
    // A neighbour's MAC became known or changed, or is lost.
    virtual result<void> neighbour_up(interface_index i, const net::ip_address& a,
                                      const net::mac_address& mac) = 0;
    virtual void neighbour_down(interface_index i, const net::ip_address& a) = 0;
    // From then on it is noted whether packets are forwarded to a neighbour whose MAC is known, or
    // no longer.
    virtual void watch_neighbour(interface_index i, const net::ip_address& a, bool on) = 0;
    // Whether they were since it is watched; true if it is not, false if its MAC is not known.
    [[nodiscard]] virtual bool neighbour_used(interface_index i,
                                              const net::ip_address& a) const = 0;
    // Whether a route other than its own leads to a neighbour.
    [[nodiscard]] virtual bool is_next_hop(interface_index i, const net::ip_address& a) const = 0;
    // Whether a neighbour of this address may be on an interface: on a network of its, or where a
    // route says so.
    [[nodiscard]] virtual bool is_near(interface_index i, const net::ip_address& a) const = 0;
};

} // namespace weft::fib
