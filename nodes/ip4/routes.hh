// SPDX-License-Identifier: Apache-2.0
// The route table: every prefix with what each source says of it; the best source is what forwards.
#pragma once

#include "nodes/ip4/forwarding.hh"
#include "nodes/ip4/prefix_table.hh"

#include <array>
#include <functional>
#include <optional>
#include <unordered_map>
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
    [[nodiscard]] std::array<size_t, 33> count_by_length() const;
    [[nodiscard]] const prefix_table& table() const noexcept { return table_; }

private:
    static constexpr load_balance_index nothing = ~load_balance_index{0};
    using entry = std::array<load_balance_index, route_source_count>;
    struct hash {
        size_t operator()(const net::ip4_prefix& p) const noexcept
        {
            return (uint64_t{p.network.value} << 6 | p.length) * 0x9e37'79b9'7f4a'7c15u >> 16;
        }
    };

    static size_t best_of(const entry& e) noexcept;
    result<void> install(const net::ip4_prefix& prefix, const entry& e);

    forwarding& hops_;
    prefix_table table_;
    std::unordered_map<net::ip4_prefix, entry, hash> routes_;
};

} // namespace weft::ip4
