// SPDX-License-Identifier: Apache-2.0
// Feature arcs: named points on the packet path at which nodes can be turned on per interface.
//
// An arc is in front of its end node, on the edges that lead there from its start nodes. While no
// feature is on anywhere, those edges lead to the end node, as if there were no arc. Otherwise they
// lead to the arc's own node, `NAME-features`, which sends each packet to the first feature of its
// interface. Each feature sends it to the next one, and the last one to the end node.
#pragma once

#include "base/reserved_array.hh"
#include "base/result.hh"
#include "graph/node.hh"
#include "graph/packet.hh"

#include <algorithm>
#include <atomic>
#include <deque>
#include <memory>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft {

class engine;
class node_registry;

// Registers an arc before main(). The interface is the one in the packet's metadata at that point:
// the incoming one, or from ip4-rewrite on the outgoing one.
class feature_arc_registration {
public:
    // `starts`: the nodes whose edges to `end` belong to the arc; empty: all nodes.
    feature_arc_registration(std::string_view name, std::string_view end,
                             std::vector<std::string_view> starts,
                             std::source_location where = std::source_location::current());

    std::string_view name;
    std::string_view end;
    std::vector<std::string_view> starts;
    std::source_location where;
    std::string node_name; // NAME-features

private:
    node_registration dispatcher_;
};

// Registers a feature before main(), or, for a plugin, when it is loaded. A feature is a node that
// passes packets on with feature_next. A node can be on one arc only.
struct feature_registration {
    feature_registration(std::string_view node, std::string_view arc,
                         std::vector<std::string_view> after = {},
                         std::vector<std::string_view> before = {},
                         std::source_location where = std::source_location::current());
    feature_registration(const feature_registration&) = default; // a copy registers nothing
    feature_registration& operator=(const feature_registration&) = default;
    ~feature_registration(); // unregisters it

    std::string_view node;
    std::string_view arc;
    // Features of the same arc. Missing ones are ignored, since their plugin may not be loaded.
    std::vector<std::string_view> after;
    std::vector<std::string_view> before;
    std::source_location where;
};

// Where packets continue after a node of an arc. Any thread; meant for a feature node's context.
class feature_next {
public:
    feature_next() = default;
    explicit feature_next(const std::atomic<next_index>* slots) : slots_{slots} {}
    [[nodiscard]] verdict of(const packet& p) const noexcept
    {
        return of_interface(p.metadata().interface);
    }
    [[nodiscard]] verdict of_interface(uint16_t interface) const noexcept
    {
        return slots_[interface].load(std::memory_order_relaxed);
    }

private:
    const std::atomic<next_index>* slots_ = nullptr;
};

// The names of all registered features.
[[nodiscard]] std::vector<std::string_view> registered_features();

// A module, which the engine creates before the first plan. Main thread.
class feature_arcs {
public:
    // A node on an arc: a feature, or the arc's own.
    struct member {
        std::string name;
        node_id id = no_node;
        // For each later member, and finally the end node: the slot that leads there.
        std::vector<next_index> onward;
        reserved_array<std::atomic<next_index>> slots; // by interface
        std::vector<uint16_t> on;                      // interfaces, sorted

        [[nodiscard]] bool is_on(uint16_t interface) const noexcept
        {
            return std::binary_search(on.begin(), on.end(), interface);
        }
    };
    struct arc {
        std::string_view name;
        const feature_arc_registration* what = nullptr;
        std::deque<member> members; // its own node, and the features in their order
        node_id end = no_node;
        bool is_led_through = false;
        // Where to send packets for the end node: the arc's own node, or the end node. Read by any
        // thread.
        std::atomic<node_id> entry{no_node};
    };

    // Adds the slots that lead from each feature to the later ones. Throws only if check() would
    // have reported the error.
    explicit feature_arcs(engine& engine);

    // Checks the registered arcs and features: duplicate names, arcs or nodes that do not exist,
    // cycles in the order. Called by node_registry::registered().
    [[nodiscard]] static result<void> check(const node_registry& nodes);

    [[nodiscard]] const std::deque<arc>& all() const noexcept { return arcs_; }
    // The arc that a feature's node is on; null if it is not a feature.
    [[nodiscard]] const arc* arc_of(std::string_view feature) const noexcept;

    // Turns a feature on or off for an interface, also while packets flow: none is lost or sees
    // half of a chain. errc::not_found if there is no such feature. Changes the graph when the
    // first feature is turned on and when the last one is turned off.
    result<void> set(std::string_view feature, uint16_t interface, bool on);
    [[nodiscard]] bool is_on(std::string_view feature, uint16_t interface) const noexcept;
    // The names of an arc's features that are on for an interface, in their order.
    [[nodiscard]] std::vector<std::string> chain(const arc& of, uint16_t interface) const;
    // The interface is gone: turns everything off for its number.
    void forget(uint16_t interface);

    [[nodiscard]] feature_next next_of(node_id node) const noexcept;
    [[nodiscard]] const arc* find(std::string_view name) const noexcept;
    // Whether a node is on an arc that all packets currently bypass.
    [[nodiscard]] bool is_idle(node_id node) const noexcept;

private:
    [[nodiscard]] member* find(arc& of, std::string_view feature) noexcept;
    void link(arc& of, uint16_t interface);
    result<void> lead(arc& of, bool through);
    [[nodiscard]] bool is_member(const arc& of, node_id node) const noexcept;
    [[nodiscard]] node_id entrance(const arc& of) const noexcept;

    engine& engine_;
    std::deque<arc> arcs_;
};

} // namespace weft
