// SPDX-License-Identifier: Apache-2.0
// The neighbour table of all address families: which MAC an address has, asked for by the family's
// protocol, aged, bounded and shared fairly: what one interface's stations, or those who send to
// them, can use up is not the others'.
#pragma once

#include "base/token_bucket.hh"
#include "graph/engine.hh"
#include "nodes/fib/asked_lately.hh"
#include "nodes/fib/neighbour_protocol.hh"
#include "nodes/fib/shares.hh"

#include <array>
#include <list>
#include <map>
#include <memory>
#include <vector>

namespace weft::fib {

enum class neighbour_state : uint8_t {
    incomplete, // to be asked for, or asked for and not answered yet; packets wait
    reachable,  // answered lately
    stale,      // known, but not confirmed lately; used
    probe,      // being confirmed; used
    failed,     // did not answer; packets to it are unreachable for a while
    permanent,  // configured
    inactive,   // configured, but its interface has no network with it
};
[[nodiscard]] std::string_view to_string(neighbour_state) noexcept;

// In the order in which neighbours give way to others. Those that are configured have no place in
// it.
enum class standing : uint8_t { failed, asked, unasked, heard, known, configured };

struct neighbour {
    interface_index interface = no_interface;
    net::ip_address address;
    net::mac_address mac;
    neighbour_state state = neighbour_state::incomplete;
    duration since{};      // of the last confirmation, or of the state
    duration asked{};      // of the last request
    unsigned requests = 0; // in this state
    bool watched =
        false; // whether packets are forwarded to it is noticed; if not, some were lately
    duration used_until{}; // if not watched: until then it counts as in use anyway
    std::vector<packet*> waiting;

    // of the table's
    standing place = standing::unasked;
    std::list<neighbour*>::iterator at;
};

// Main thread only, but for asked(). The process `neighbours` calls tick() every second.
class neighbour_table {
public:
    static constexpr size_t max_neighbours = 16384;
    static constexpr size_t max_unanswered = 1024; // of one interface: incomplete or failed
    static constexpr size_t max_waiting_each = 16;
    static constexpr size_t max_waiting = 1024;
    // A neighbour to which a packet was forwarded counts as in use for so long, and longer while
    // there are not so many that who is idle need be known; of others, so many a second.
    static constexpr duration use_time = 30s;
    static constexpr size_t crowded = max_neighbours * 3 / 8;
    static constexpr unsigned watches_per_second = 1000;
    // Requests a second on one interface: first ones, repeated ones, and those to confirm a
    // neighbour.
    static constexpr unsigned first_requests = 2000, more_requests = 500, probes = 1000;
    static constexpr unsigned request_burst = 500;

    explicit neighbour_table(engine& engine);
    ~neighbour_table();
    neighbour_table(const neighbour_table&) = delete;
    neighbour_table& operator=(const neighbour_table&) = delete;

    // From then on neighbours of a family are asked for; both outlive all that is asked.
    void serve(net::family family, neighbour_protocol& protocol, neighbour_routes& routes);
    [[nodiscard]] bool serves(net::family family) const noexcept
    {
        return family_[static_cast<size_t>(family)].protocol != nullptr;
    }

    // Keeps a packet while its next hop, of a family that is served, is asked for. `held`: the
    // table has it, and later injects or frees it; otherwise the caller still has it.
    enum class outcome { held, queue_full, table_full, unreachable };
    outcome hold(packet* p, const net::ip_address& next_hop, interface_index interface);
    // A station said that it has this address. `answer`: a reply, which confirms; otherwise it is
    // learned only if it is known already or `create`. False if the table is full.
    bool learn(interface_index i, const net::ip_address& a, const net::mac_address& mac,
               bool answer, bool create);
    // States change with time, requests are repeated.
    void tick();

    // By hand; waits if the interface has no network with the address. errc::exhausted,
    // errc::not_found.
    result<void> add_permanent(interface_index i, const net::ip_address& a,
                               const net::mac_address& mac);
    result<void> remove(interface_index i, const net::ip_address& a);
    // Forgets what was learned on an interface.
    void flush(interface_index i);
    void forget_interface(interface_index i);
    // An interface's networks changed: forgets the learned that are on none of them, and lets the
    // configured wait or return.
    void follow_networks(interface_index i);
    [[nodiscard]] std::vector<const neighbour*> all() const; // in order of interface and address
    [[nodiscard]] size_t waiting() const noexcept { return waiting_.total(); }
    struct usage {
        size_t neighbours, unanswered, waiting;
    };
    [[nodiscard]] usage used_by(interface_index i) const;
    // Any thread: who was asked for in the last seconds.
    [[nodiscard]] const asked_lately& asked() const noexcept { return asked_; }

private:
    using key = std::pair<interface_index, net::ip_address>;
    // What one interface's neighbours have for themselves.
    struct segment {
        std::array<std::list<neighbour*>, static_cast<size_t>(standing::configured)>
            by_standing; // longest there first
        token_bucket first{first_requests, 1'000'000'000, request_burst};
        token_bucket more{more_requests, 1'000'000'000, request_burst};
        token_bucket probing{probes, 1'000'000'000, request_burst};

        std::list<neighbour*>& in(standing s) noexcept
        {
            return by_standing[static_cast<size_t>(s)];
        }
        [[nodiscard]] size_t unanswered() const noexcept;
    };

    [[nodiscard]] segment& segment_of(interface_index i);
    neighbour* find_or_make(interface_index i, const net::ip_address& a, standing where);
    void erase(neighbour& n);
    void confirm(neighbour& n, const net::mac_address& mac, bool answer);
    result<void> set_permanent(neighbour& n);
    void set_state(neighbour& n, neighbour_state to);
    void place(neighbour& n, standing where);
    void release_waiting(neighbour& n);
    void give_up(neighbour& n);

    // neighbour_room.cc
    bool make_room(interface_index i, bool unanswered);
    [[nodiscard]] neighbour* min_needed(segment& s, standing last);
    [[nodiscard]] bool in_use(const neighbour& n) const;
    void follow_use(neighbour& n, duration now);
    void watch(neighbour& n, bool on);
    [[nodiscard]] bool make_waiting_room(interface_index i);

    bool ask_first(segment& s, duration now);
    void ask_again(neighbour& n, token_bucket& budget, duration now);
    bool request(neighbour& n, duration now);
    void tick_one(neighbour& n, duration now);

    // What one address family's neighbours are asked for by.
    struct served_family {
        neighbour_protocol* protocol = nullptr;
        neighbour_routes* routes = nullptr;
        neighbour_timers timers;
    };
    [[nodiscard]] const served_family& of(const neighbour& n) const noexcept
    {
        return family_[static_cast<size_t>(n.address.of())];
    }
    [[nodiscard]] neighbour_routes& routes_of(const neighbour& n) const { return *of(n).routes; }
    void drop_waiting(const neighbour& n, uint16_t neighbour_nodes::*reason, packet* p);
    void send_waiting(neighbour& n, std::string_view node, uint8_t flag);

    engine& engine_;
    std::array<served_family, 2> family_;
    std::map<key, neighbour> table_;
    std::array<std::unique_ptr<segment>, max_interfaces> segments_;
    shares room_{max_neighbours};
    shares waiting_{max_waiting};
    asked_lately asked_;
    unsigned watches_left_ = watches_per_second;
};

} // namespace weft::fib
