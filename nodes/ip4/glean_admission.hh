// SPDX-License-Identifier: Apache-2.0
// Which packets to unknown neighbours go to the main thread: whoever sends many must not crowd out
// who sends few.
#pragma once

#include "base/reserved_array.hh"
#include "base/token_bucket.hh"
#include "graph/engine.hh"
#include "nodes/interface/interface.hh"
#include "nodes/interface/interface_buckets.hh"

#include <array>
#include <vector>

namespace weft::ip4 {

// One thread's. Each outgoing interface has a budget that all senders use, and small reserves
// besides: for senders by their address, for flows by protocol and destination port, and for
// incoming interfaces. A sweep uses up the budget and the reserves that are its own; a packet that
// shares none of these with it is let through. One that shares all of them is told by being sent
// again: who waits for an answer does so within a second, and a sweep of many addresses is slower
// to come back to each. For those there is a second budget.
class glean_admission {
public:
    static constexpr uint32_t per_second = 1000; // to one interface, from all threads together
    static constexpr uint32_t burst = 128;
    static constexpr uint32_t reserved_per_second = 4, reserved_burst = 16; // of each reserve
    static constexpr uint32_t repeated_per_second =
        500; // to one interface, from all threads together
    static constexpr uint32_t soonest_ms = 100, latest_ms = 1200; // what counts as sent again

    explicit glean_admission(engine& engine);
    // Whether the packet, which has an IPv4 header and is for a neighbour on `out`, may go on.
    // `now`: of the thread, in TSC cycles.
    [[nodiscard]] bool admit(const packet& p, net::ip4_address neighbour, interface_index out,
                             uint64_t now) noexcept;

private:
    // What token_bucket does with one number instead of five, since there are many: up to when the
    // past is spent. Zero is full.
    struct reserve {
        uint64_t spent_until = 0;
        bool take(uint64_t now, uint64_t interval) noexcept;
    };
    struct reserves {
        std::array<reserve, 128> senders, flows;
        std::array<reserve, 256> inputs; // which share them where they are more
    };
    // Neighbours for whom a packet was refused, by a hash of theirs.
    struct refusal {
        net::ip4_address neighbour;
        uint32_t when; // in milliseconds
    };
    using refusals = std::array<refusal, 4>;
    static constexpr size_t refusal_places = 1u << 16;

    [[nodiscard]] bool is_repeated(net::ip4_address neighbour, interface_index out,
                                   uint64_t now) noexcept;

    interface_buckets budgets_, repeated_; // by outgoing interface
    reserved_array<reserves> reserves_;    // likewise, resident as used
    reserved_array<refusals> refused_;     // likewise
    const uint64_t interval_;              // of a reserve's tokens
};

} // namespace weft::ip4
