// SPDX-License-Identifier: Apache-2.0
// Kinds of forwarding objects: what becomes of the packets that a lookup sends to an adjacency, by
// address family. A kind registers itself, and so does the node that takes its packets.
#pragma once

#include "base/net/address.hh"
#include "base/result.hh"

#include <cstddef>
#include <cstdint>
#include <source_location>
#include <string_view>

namespace weft {
class node_registry;
}

namespace weft::fib {

// By number: weft's own, and behind them those that register, in that order.
enum class adjacency_kind : uint8_t {
    unreachable,      // no route, or none of its next hops is usable: the sender is told
    blackhole,        // dropped in silence, counted
    local,            // for this router
    multicast,        // not forwarded, counted
    broadcast,        // likewise
    martian,          // likewise
    host_unreachable, // a route says so: the sender is told
    prohibited,       // likewise
    glean,            // the next hop's MAC is not known
    rewrite,          // complete
};
inline constexpr size_t max_kinds = 32;

// Registers a kind before main(), or a plugin's when it is loaded.
class kind_registration {
public:
    explicit kind_registration(std::string_view name,
                               std::source_location where = std::source_location::current());
    // One of weft's own.
    kind_registration(adjacency_kind kind, std::string_view name,
                      std::source_location where = std::source_location::current());
    kind_registration(const kind_registration&) = delete;
    kind_registration& operator=(const kind_registration&) = delete;
    ~kind_registration(); // takes it back

    // Its number. Where more register than there can be, check_kinds() says so.
    [[nodiscard]] adjacency_kind kind() const noexcept { return kind_; }

    std::string_view name; // as `show ip fib` has it
    std::source_location where;

private:
    adjacency_kind kind_;
};

// What a family's lookup node does with the packets of a kind. One of the two at least.
struct kind_way {
    std::string_view node{};   // sends them there
    std::string_view reason{}; // of the lookup node's: drops them; or counts them, with a node
    uint8_t icmp_code = 0; // with both: of the message ICMP unreachable that the node is to send
};

// Registers that; stands beside the node that takes the packets.
class way_registration {
public:
    way_registration(adjacency_kind kind, net::family family, kind_way way,
                     std::source_location where = std::source_location::current());
    way_registration(const way_registration&) = delete;
    way_registration& operator=(const way_registration&) = delete;
    ~way_registration(); // takes it back

    adjacency_kind kind;
    net::family family;
    kind_way way;
    std::source_location where;
};

// Empty for a number that nobody has.
[[nodiscard]] std::string_view to_string(adjacency_kind kind) noexcept;
// Null where the family's packets have no way.
[[nodiscard]] const kind_way* way_of(adjacency_kind kind, net::family family) noexcept;

// What is wrong with all that registered: two kinds of one name, two ways of one kind and family, a
// node that does not exist. Names both places.
[[nodiscard]] result<void> check_kinds(const node_registry& nodes);

} // namespace weft::fib
