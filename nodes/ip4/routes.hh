// SPDX-License-Identifier: Apache-2.0
// The route table of a VRF: every prefix with what each source says of it, by administrative
// distance and metric. The best of it whose load balance has a path that can be used forwards (RFC
// 1812 section 5.3.12.3: a route through what is down is no route); where none has, the prefix
// leaves the prefix table and gives way to the next shorter one.
#pragma once

#include "nodes/fib/forwarding.hh"
#include "nodes/ip4/lookup_table.hh"
#include "nodes/ip4/prefix_set.hh"

#include <array>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <vector>

namespace weft::ip4 {

using namespace fib; // what routes end in

// Who says it; at the same distance the one that stands first here is better.
enum class route_source : uint8_t { special, local, connected, fixed, kernel, neighbour };
[[nodiscard]] std::string_view to_string(route_source) noexcept;

inline constexpr uint8_t max_distance = 254; // of static and learned routes; from 1
// Between sources the distance decides, the less the better; within one then the metric, which
// means nothing to others.
[[nodiscard]] constexpr uint8_t default_distance(route_source source) noexcept
{
    switch (source) {
    case route_source::special:
    case route_source::local:
    case route_source::connected:
        return 0;
    case route_source::fixed:
        return 1;
    case route_source::kernel:
        return 110;
    case route_source::neighbour:
        break;
    }
    return 255; // it completes a network, and overrides no route
}

// The place of a route among all that are said of its prefix, best first. A source may hold a
// prefix once at each.
struct route_rank {
    constexpr route_rank(route_source from) noexcept // not explicit: most have the usual distance
        : route_rank{from, default_distance(from)}
    {}
    constexpr route_rank(route_source from, uint8_t its_distance, uint32_t its_metric = 0) noexcept
        : distance{its_distance}, source{from}, metric{its_metric}
    {}
    uint8_t distance;
    route_source source;
    uint32_t metric;
    auto operator<=>(const route_rank&) const = default; // in the order of its members
};

struct route {
    net::ip4_prefix prefix;
    route_rank rank;
    load_balance_index balance;
    bool active; // it forwards: it has a path that can be used, and nothing better has one
};

// Main thread.
class route_table {
public:
    route_table(forwarding& hops, lookup_table table);

    // Distances and metrics that may be in use at once, of all sources together.
    static constexpr size_t max_ranks = 64;

    // Adds or changes what a source says of a prefix at a rank. Takes over the caller's hold of the
    // balance, also on failure. A route without a path that can be used is kept and waits for one.
    // errc::exhausted: no memory, or max_ranks others are in use.
    result<void> set(const net::ip4_prefix& prefix, const route_rank& rank,
                     load_balance_index balance);
    // errc::not_found if the source has no such prefix there.
    result<void> remove(const net::ip4_prefix& prefix, const route_rank& rank);
    // The same at all ranks of a source.
    result<void> remove_all(const net::ip4_prefix& prefix, route_source source);
    [[nodiscard]] std::optional<load_balance_index> find(const net::ip4_prefix& prefix,
                                                         const route_rank& rank) const;
    // All that is said of a prefix, best first.
    [[nodiscard]] std::vector<route> of(const net::ip4_prefix& prefix) const;

    // What is said at one rank, to be gone through in pieces.
    struct said_at {
        route_rank rank;
        prefix_set said; // the load balance of each prefix
    };
    // In order of their ranks; another one when a rank is used for the first time.
    [[nodiscard]] const std::vector<said_at>& ranks() const noexcept { return ranks_; }
    // Whether something better than that place in ranks() is said of a prefix, active or not.
    [[nodiscard]] bool is_said_before(const net::ip4_prefix& prefix, size_t place) const noexcept;
    [[nodiscard]] size_t count_of(route_source source) const noexcept;

    // Refreshes a source, as one does that lost touch with it: from begin_refresh() on, what it
    // says is noted, and once it has said all, end_refresh() and sweep_some() remove what it did
    // not say again. Meanwhile everything forwards. A new begin_refresh() starts over.
    void begin_refresh(route_source source);
    void end_refresh(route_source source);
    // True when nothing is left to be swept.
    bool sweep_some(route_source source, std::chrono::steady_clock::duration budget);
    [[nodiscard]] size_t swept(route_source source) const noexcept; // by the last refresh

    // The active routes in order of their prefix, `limit` at most.
    [[nodiscard]] std::vector<route> sorted(size_t limit) const;
    [[nodiscard]] const std::array<uint32_t, 33>& count_by_length() const noexcept;
    [[nodiscard]] const lookup_table& table() const noexcept { return table_; }
    // Resident bytes of all that is kept of prefixes. Asks the kernel; not for a loop.
    [[nodiscard]] size_t memory_bytes() const noexcept;
    // Makes room for so many prefixes at one rank in all, before many are added. False if there is
    // no memory.
    [[nodiscard]] bool reserve(size_t count, const route_rank& rank);
    // Asks for the memory that a set() of this prefix touches, so that the misses of several
    // overlap.
    void prefetch(const net::ip4_prefix& prefix, const route_rank& rank) const noexcept;

    // These load balances lost their last path or got the first: the static and learned routes over
    // them are to be judged anew.
    void judge_routes_over(std::span<const load_balance_index> balances);
    // Goes on with that for a while; true when it is done. Takes 0.3 s in all for 900,000 routes.
    bool judge_some(std::chrono::steady_clock::duration budget);
    // Routes that have a path again but found no memory to come back; judge_left_out() tries them
    // anew.
    [[nodiscard]] size_t left_out() const noexcept { return left_out_; }
    void judge_left_out() noexcept;

    // `observer` is told when the routes of a prefix that lies within a watched network may have
    // changed, host routes excepted. The others cost one bit's test.
    void observe(std::function<void(const net::ip4_prefix&)> observer)
    {
        observer_ = std::move(observer);
    }
    // Told of each prefix of which something else is said than before, whatever forwards;
    // neighbours excepted.
    void observe_routes(std::function<void(const net::ip4_prefix&)> observer)
    {
        route_observer_ = std::move(observer);
    }
    // The prefix lengths of which something is said, neighbours excepted: a bit for each.
    [[nodiscard]] uint64_t lengths() const noexcept;
    void watch(const net::ip4_prefix& network);
    void watch_nothing() noexcept { watched_.fill(0); }

private:
    // What is noted of a source that is being refreshed.
    struct refresh {
        std::map<route_rank, prefix_set> seen;
        bool sweeping = false; // what is set from then on is noted as well
        size_t place = 0;      // in ranks()
        size_t at = 0;         // in what is said there
        size_t capacity = 0;   // of that
        size_t swept = 0;
    };
    [[nodiscard]] prefix_set* said_by(const route_rank& rank) noexcept;
    [[nodiscard]] const prefix_set* said_by(const route_rank& rank) const noexcept;
    [[nodiscard]] result<prefix_set*> make_rank(const route_rank& rank);
    result<void> note_seen(const net::ip4_prefix& prefix, const route_rank& rank);
    // Whether there is a better rank than this one with a path that can be used.
    [[nodiscard]] bool has_better(const net::ip4_prefix& prefix,
                                  const route_rank& rank) const noexcept;
    // Lets the best that is said of the prefix forward, or nothing.
    result<void> place(const net::ip4_prefix& prefix);
    void tell(const net::ip4_prefix& prefix) const
    {
        const uint32_t slot = prefix.network.value >> 16;
        if ((watched_[slot / 32] >> slot % 32 & 1) != 0 && prefix.length < 32 && observer_)
            observer_(prefix);
    }
    void tell_of_route(const net::ip4_prefix& prefix, const route_rank& rank) const
    {
        if (rank.source != route_source::neighbour && route_observer_)
            route_observer_(prefix);
    }
    [[nodiscard]] bool find_judged() noexcept;
    void begin_pass() noexcept;
    void end_pass();

    forwarding& hops_;
    lookup_table table_;
    std::vector<said_at> ranks_;
    std::map<route_source, refresh> refreshes_; // those under way
    std::map<route_source, size_t> swept_;
    std::array<uint32_t, (1u << 16) / 32> watched_{}; // by the upper 16 bits of an address
    std::function<void(const net::ip4_prefix&)> observer_, route_observer_;

    // The pass over all static and learned routes.
    bool judging_ = false;
    size_t place_ = 0;           // in ranks_
    bool again_ = false;         // load balances were noted after it had begun
    size_t at_ = 0;              // the place that it has come to
    size_t capacity_ = 0;        // of what it goes through; with another one it begins that anew
    size_t left_out_ = 0;        // by this pass or the last
    std::vector<uint8_t> noted_; // by load balance
    std::vector<load_balance_index> noted_list_;
    std::vector<net::ip4_prefix> group_;
};

} // namespace weft::ip4
