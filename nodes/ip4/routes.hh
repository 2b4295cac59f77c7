// SPDX-License-Identifier: Apache-2.0
// The route table: every prefix with what each source says of it. The best source whose load
// balance has a path that can be used forwards (RFC 1812 section 5.3.12.3: a route through what is
// down is no route); where none has, the prefix leaves the prefix table and gives way to the next
// shorter one.
#pragma once

#include "nodes/ip4/forwarding.hh"
#include "nodes/ip4/prefix_set.hh"
#include "nodes/ip4/prefix_table.hh"

#include <array>
#include <chrono>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace weft::ip4 {

// Best first.
enum class route_source : uint8_t { special, local, connected, fixed, neighbour };
inline constexpr size_t route_source_count = 5;
[[nodiscard]] std::string_view to_string(route_source) noexcept;

struct route {
    net::ip4_prefix prefix;
    route_source source;
    load_balance_index balance;
    bool active; // it forwards: it has a path that can be used, and no better source has one
};

// Main thread.
class route_table {
public:
    route_table(forwarding& hops, prefix_table table);

    // Adds or changes what a source says of a prefix. Takes over the caller's hold of the balance,
    // also on failure. A route without a path that can be used is kept and waits for one.
    result<void> set(const net::ip4_prefix& prefix, route_source source,
                     load_balance_index balance);
    // errc::not_found if the source has no such prefix.
    result<void> remove(const net::ip4_prefix& prefix, route_source source);
    [[nodiscard]] std::optional<load_balance_index> find(const net::ip4_prefix& prefix,
                                                         route_source source) const;
    // All that is said of a prefix, best first.
    [[nodiscard]] std::vector<route> of(const net::ip4_prefix& prefix) const;
    // Whether a better source says something of it, active or not.
    [[nodiscard]] bool is_said_by_better(const net::ip4_prefix& prefix,
                                         route_source source) const noexcept;
    // All that one source says, to be gone through in pieces.
    [[nodiscard]] const prefix_set& said(route_source source) const noexcept
    {
        return said_[static_cast<size_t>(source)];
    }
    // The active routes in order of their prefix, `limit` at most.
    [[nodiscard]] std::vector<route> sorted(size_t limit) const;
    [[nodiscard]] const std::array<uint32_t, 33>& count_by_length() const noexcept;
    [[nodiscard]] const prefix_table& table() const noexcept { return table_; }
    // Resident bytes of all that is kept of prefixes. Asks the kernel; not for a loop.
    [[nodiscard]] size_t memory_bytes() const noexcept;
    // Makes room for so many prefixes of one source in all, before many are added. False if there
    // is no memory.
    [[nodiscard]] bool reserve(size_t count, route_source source) noexcept;
    // Asks for the memory that a set() of this prefix touches, so that the misses of several
    // overlap.
    void prefetch(const net::ip4_prefix& prefix, route_source source) const noexcept;

    // These load balances lost their last path or got the first: the static routes over them are to
    // be judged anew.
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
    void watch(const net::ip4_prefix& network);
    void watch_nothing() noexcept { watched_.fill(0); }

private:
    [[nodiscard]] prefix_set& said_by(route_source source) noexcept
    {
        return said_[static_cast<size_t>(source)];
    }
    // Whether a source before this one has the prefix, with a path that can be used.
    [[nodiscard]] bool has_better(const net::ip4_prefix& prefix,
                                  route_source source) const noexcept;
    // Lets the best that is said of the prefix forward, or nothing.
    result<void> place(const net::ip4_prefix& prefix);
    void tell(const net::ip4_prefix& prefix) const
    {
        const uint32_t slot = prefix.network.value >> 16;
        if ((watched_[slot / 32] >> slot % 32 & 1) != 0 && prefix.length < 32 && observer_)
            observer_(prefix);
    }
    void begin_pass() noexcept;
    void end_pass();

    forwarding& hops_;
    prefix_table table_;
    std::array<prefix_set, route_source_count> said_; // the load balance of each prefix, by source
    std::array<uint32_t, (1u << 16) / 32> watched_{}; // by the upper 16 bits of an address
    std::function<void(const net::ip4_prefix&)> observer_;

    // The pass over all static routes.
    bool judging_ = false;
    bool again_ = false;         // load balances were noted after it had begun
    size_t at_ = 0;              // the place that it has come to
    size_t capacity_ = 0;        // of what it goes through; with another one it begins anew
    size_t left_out_ = 0;        // by this pass or the last
    std::vector<uint8_t> noted_; // by load balance
    std::vector<load_balance_index> noted_list_;
    std::vector<net::ip4_prefix> group_;
};

} // namespace weft::ip4
