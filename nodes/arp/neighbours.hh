// SPDX-License-Identifier: Apache-2.0
// The neighbour table: which MAC an address has, asked for by ARP (RFC 826), aged, bounded.
#pragma once

#include "graph/engine.hh"
#include "nodes/ip4/ip4.hh"

#include <deque>
#include <map>
#include <optional>
#include <vector>

namespace weft::arp {

enum class neighbour_state : uint8_t {
    incomplete, // asked for, not answered yet; packets wait
    reachable,  // answered lately
    stale,      // known, but not confirmed lately; used
    probe,      // being confirmed; used
    failed,     // did not answer; packets to it are unreachable for a while
    permanent,  // configured
    inactive,   // configured, but its interface has no network with it
};
[[nodiscard]] std::string_view to_string(neighbour_state) noexcept;

struct neighbour {
    interface_index interface = no_interface;
    net::ip4_address address;
    net::mac_address mac;
    neighbour_state state = neighbour_state::incomplete;
    duration since{};     // of the last confirmation, or of the state
    duration asked{};     // of the last request
    unsigned requests = 0; // in this state
    std::deque<packet*> waiting;
};

// Main thread only. The process `neighbours` calls tick() every second.
class neighbour_table final : public ip4::packet_holder {
public:
    static constexpr size_t max_neighbours = 8192;
    static constexpr size_t max_waiting_each = 16;
    static constexpr size_t max_waiting = 1024;
    static constexpr duration request_interval = 1s; // RFC 1122 section 2.3.2.1
    static constexpr unsigned max_requests = 3;
    static constexpr duration incomplete_time = 5s; // at most, also where no request could leave
    static constexpr duration reachable_time = 60s; // RFC 1122 section 2.3.2.1: of the order of a minute
    static constexpr duration stale_time = 5s;
    static constexpr duration failed_time = 3s;
    static constexpr unsigned requests_per_second = 500; // all neighbours together

    explicit neighbour_table(engine& host);
    ~neighbour_table() override;

    // Keeps a packet and asks for the next hop if it is time to.
    verdict hold(packet* p, net::ip4_address next_hop, interface_index interface) override;
    // A station said that it has this address. `answer`: a reply, which confirms; otherwise it is
    // learned only if it is known already or `create`. False if the table is full.
    bool learn(interface_index i, net::ip4_address a, const net::mac_address& mac, bool answer,
               bool create);
    // States change with time, requests are repeated.
    void tick();
    // Asks for nothing: tells the network of an address of ours (RFC 5227 section 3).
    void announce(interface_index i, net::ip4_address own);

    // By hand; waits if the interface has no network with the address. errc::exhausted, errc::not_found.
    result<void> add_permanent(interface_index i, net::ip4_address a, const net::mac_address& mac);
    result<void> remove(interface_index i, net::ip4_address a);
    // Forgets what was learned on an interface.
    void flush(interface_index i);
    // An interface's networks changed: forgets the learned that are on none of them, and lets the configured wait or return.
    void follow_networks(interface_index i);
    [[nodiscard]] std::vector<const neighbour*> all() const; // in order of interface and address
    [[nodiscard]] size_t waiting() const noexcept { return waiting_; }

private:
    using key = std::pair<interface_index, net::ip4_address>;

    neighbour* find_or_make(interface_index i, net::ip4_address a);
    bool make_room();
    result<void> set_permanent(neighbour& n);
    void confirm(neighbour& n, const net::mac_address& mac, bool answer);
    void release_waiting(neighbour& n);
    void give_up(neighbour& n);
    void request(neighbour& n, duration now);
    bool send(interface_index i, uint16_t operation, const net::mac_address& to,
              net::ip4_address sender, net::ip4_address target);
    bool tick_one(neighbour& n, duration now);
    std::map<key, neighbour>::iterator erase(std::map<key, neighbour>::iterator at);

    engine& host_;
    ip4::tables& ip4_;
    std::map<key, neighbour> table_;
    size_t waiting_ = 0;
    unsigned requests_left_ = requests_per_second;
    duration full_until_{}; // no room is sought before
};

} // namespace weft::arp
