// SPDX-License-Identifier: Apache-2.0
// Recursive next hops: one that is on no network of the router's is reached as the packets to its
// address are, by the longest prefix that has a path.
#pragma once

#include "nodes/fib/forwarding.hh"
#include "nodes/ip4/routes.hh"

#include <chrono>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

namespace weft::ip4 {

class tables;

// Main thread. What is found depends on nothing but the routes that are said, whoever forwards, and
// on which next hops can be used; so it does not matter in which order things came about.
//
// A route is no way to a next hop that it rests on itself: of its next hops those count that do
// not, and where none is left, the next shorter prefix is asked. So loops are cut, or end in
// nothing.
class resolver {
public:
    // Next hops that rest on each other at most, and routes that are looked at for one.
    static constexpr size_t max_depth = 8;
    static constexpr size_t max_looks = 1024;

    explicit resolver(tables& ip4) : ip4_{ip4} {}

    // What a next hop without an interface was found to rest on.
    struct outcome {
        std::optional<net::ip4_prefix> through; // in its VRF; none: it waits
        std::string_view why;                   // then: for what
    };
    [[nodiscard]] outcome of(next_hop_index hop) const;
    [[nodiscard]] bool knows(next_hop_index hop) const { return found_.contains(hop); }
    // Finds it anew, now.
    void resolve(next_hop_index hop);
    // All of them are to be found anew: a route to a prefix of a VRF changed, or a next hop's use.
    // True if that is news.
    bool note_route(vrf_index vrf, const net::ip4_prefix& prefix);
    void note_use();
    // Goes on with that for a while; true when it is done.
    bool resolve_some(std::chrono::steady_clock::duration budget);
    [[nodiscard]] bool is_pending() const noexcept { return again_ || !to_do_.empty(); }
    // Whether a default route is a way to next hops, too.
    void use_default_routes(bool use);

private:
    struct search {
        std::vector<next_hop_index> under; // that rest on what is looked for
        std::vector<next_hop_index> held;  // made on the way
        size_t looks = 0;
        std::string_view why;
    };
    struct way {
        std::vector<path_share> on; // empty: there is none
        std::optional<net::ip4_prefix> through;
    };
    [[nodiscard]] way find(search& s, next_hop_index hop);
    [[nodiscard]] std::vector<path_share> follow(search& s, load_balance_index balance,
                                                 net::ip4_address to);
    [[nodiscard]] std::vector<path_share> follow_hop(search& s, next_hop_index hop,
                                                     net::ip4_address to);
    void begin();

    tables& ip4_;
    bool again_ = false;
    bool with_default_ = false;
    std::map<next_hop_index, outcome> found_;
    std::vector<next_hop_index> to_do_; // of the pass under way, the last first
};

} // namespace weft::ip4
