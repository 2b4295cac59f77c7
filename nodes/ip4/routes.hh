// SPDX-License-Identifier: Apache-2.0
// The route table: every prefix with what each source says of it; the best source is what forwards.
#pragma once

#include "nodes/ip4/forwarding.hh"
#include "nodes/ip4/prefix_set.hh"
#include "nodes/ip4/prefix_table.hh"

#include <array>
#include <optional>
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
    bool active; // no better source has the prefix
};

// Main thread.
class route_table {
public:
    route_table(forwarding& hops, prefix_table table);

    // Adds or changes what a source says of a prefix. Takes over the caller's hold of the balance, also on failure.
    result<void> set(const net::ip4_prefix& prefix, route_source source, load_balance_index balance);
    // errc::not_found if the source has no such prefix.
    result<void> remove(const net::ip4_prefix& prefix, route_source source);
    [[nodiscard]] std::optional<load_balance_index> find(const net::ip4_prefix& prefix,
                                                         route_source source) const;
    // All that is said of a prefix, best first.
    [[nodiscard]] std::vector<route> of(const net::ip4_prefix& prefix) const;
    // The active routes in order of their prefix, `limit` at most.
    [[nodiscard]] std::vector<route> sorted(size_t limit) const;
    [[nodiscard]] const std::array<uint32_t, 33>& count_by_length() const noexcept;
    [[nodiscard]] const prefix_table& table() const noexcept { return table_; }
    // Resident bytes of all that is kept of prefixes. Asks the kernel; not for a loop.
    [[nodiscard]] size_t memory_bytes() const noexcept;
    // Makes room for so many prefixes of one source in all, before many are added. False if there is no
    // memory.
    [[nodiscard]] bool reserve(size_t count, route_source source) noexcept;
    // Asks for the memory that a set() of this prefix touches, so that the misses of several overlap.
    void prefetch(const net::ip4_prefix& prefix, route_source source) const noexcept;

private:
    [[nodiscard]] prefix_set& said_by(route_source source) noexcept
    {
        return said_[static_cast<size_t>(source)];
    }
    // Whether a source before this one has the prefix.
    [[nodiscard]] bool has_better(const net::ip4_prefix& prefix, route_source source) const noexcept;

    forwarding& hops_;
    prefix_table table_;
    std::array<prefix_set, route_source_count> said_; // the load balance of each prefix, by source
};

} // namespace weft::ip4
