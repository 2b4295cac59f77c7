// SPDX-License-Identifier: Apache-2.0
// All nodes that exist and how they are joined: what plans are compiled from.
#pragma once

#include "base/result.hh"
#include "graph/node.hh"

#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace weft {

// One variant of a node's function.
struct node_variant {
    variant which;
    node_function function;
};

// A node as it exists in the daemon: registered, added at run time, or a clone of another.
struct node_entry {
    node_id id = no_node;
    std::string name;
    const node_descriptor* descriptor = nullptr;
    node_id clone_of = no_node;     // never a clone itself
    node_id sibling_of = no_node;   // as its descriptor says
    node_id slots_of = no_node;     // the sibling that names the next slots which its group shares
    void* argument = nullptr;       // given to the context of a clone
    std::optional<unsigned> thread; // runs only there; empty: on every thread
    node_state state = node_state::adaptive;
    std::vector<node_id> nexts; // by slot
    std::vector<std::string>
        slot_owners; // by slot: who relies on it beside the function itself; empty: nobody
    std::vector<node_variant> variants; // of an internal node: best first, `plain` last
    size_t active_variant = 0;          // the one that plans run
    std::string owner;         // who removes it, such as "interface eth0"; empty: an operator may
    bool joined_later = false; // may stand in a plan that does not reach it
    bool added = false;        // at run time, or a clone: can be removed
    bool removed = false;      // not in the graph any more, but a thread may still look at it
    // Live until nothing can refer to the node: what `descriptor` and `argument` point to, where it
    // is not static.
    std::shared_ptr<const void> keeps_descriptor, keeps_argument;

    [[nodiscard]] node_function function() const noexcept
    {
        return variants.empty() ? nullptr : variants[active_variant].function;
    }
};

// The nodes that exist, in order of their numbers, which may have gaps.
class node_list {
public:
    using place = std::deque<node_entry>::const_iterator;
    class iterator {
    public:
        iterator(place at, place end) : at_{at}, end_{end} { skip(); }
        [[nodiscard]] const node_entry& operator*() const { return *at_; }
        [[nodiscard]] const node_entry* operator->() const { return &*at_; }
        iterator& operator++()
        {
            ++at_;
            skip();
            return *this;
        }
        [[nodiscard]] bool operator==(const iterator& other) const { return at_ == other.at_; }

    private:
        void skip()
        {
            while (at_ != end_ && at_->removed)
                ++at_;
        }
        place at_, end_;
    };

    explicit node_list(const std::deque<node_entry>& nodes) : nodes_{&nodes} {}
    [[nodiscard]] iterator begin() const { return {nodes_->begin(), nodes_->end()}; }
    [[nodiscard]] iterator end() const { return {nodes_->end(), nodes_->end()}; }

private:
    const std::deque<node_entry>* nodes_;
};

// Main thread only. A change here takes effect when a plan compiled from it is published: while the
// graph runs, by engine::change_graph(). An error leaves everything as it was. References to nodes
// stay valid as long as the node.
class node_registry {
public:
    static constexpr size_t max_slots = 4096; // of one node

    // All registered nodes, or the given ones (tests). Fails with one message that lists every
    // duplicate name with both places, every edge to a node that does not exist and every faulty
    // sibling.
    [[nodiscard]] static result<node_registry> registered();
    [[nodiscard]] static result<node_registry>
    of(std::span<const node_registration* const> registrations);

    // --- nodes ---

    // A node as its descriptor says, for instance while the graph runs. The pointer keeps alive the
    // descriptor and all that it names; static_descriptor() makes one of a descriptor that is never
    // freed. errc::exists, errc::exhausted, errc::not_found (a next or a sibling),
    // errc::invalid_argument.
    [[nodiscard]] result<node_id> add(std::shared_ptr<const node_descriptor> what);
    // A node of its own name, context and counters that runs as the other, with its next nodes and
    // variant of now. `thread` binds an input node to the thread that polls it. A clone of a
    // sibling is one too.
    [[nodiscard]] result<node_id> clone(std::string_view of, std::string name, void* argument,
                                        std::optional<unsigned> thread = {});
    // Takes a clone or an added node out of the graph. errc::invalid_argument, naming what is in
    // the way: an edge to it, a sibling or a clone of it. engine::change_graph() sees to it that
    // its number is used again only when nothing can refer to it.
    [[nodiscard]] result<void> remove(node_id id);

    // --- next slots; what is done to a node is done to its siblings too ---

    // The slot that leads from one node to another: the one that exists already, or the first empty
    // one behind those that the node itself has named. With `slot` that one, empty ones before it
    // if need be; errc::exists if it leads elsewhere. Empty slots lead to `null-node` (`drop` where
    // there is none). An `owner` relies on the slot: it is added to all clones of the node too and
    // cannot be taken away by shrink().
    [[nodiscard]] result<next_index> add_next(node_id from, node_id to,
                                              std::optional<size_t> slot = {},
                                              std::string_view owner = {});
    // Makes a slot lead to another node. errc::not_found if there is no such slot.
    [[nodiscard]] result<void> update_next(node_id from, size_t slot, node_id to);
    // Makes a slot empty whose owner is gone.
    void empty_slot(node_id from, size_t slot);
    // Takes the last slots away. errc::invalid_argument if the node itself or a slot's owner needs
    // one of them.
    [[nodiscard]] result<void> shrink(node_id id, size_t count);
    // The slots that a node's own enumeration has.
    [[nodiscard]] size_t named_slots(node_id id) const noexcept;

    // Makes plans run this variant of a node. errc::not_found if the node has none such,
    // errc::unsupported if the processor cannot run it.
    result<void> set_variant(node_id id, variant which);

    // --- what there is ---

    [[nodiscard]] const node_entry* find(std::string_view name) const noexcept;
    [[nodiscard]] node_entry* find(std::string_view name) noexcept;
    // Also of a removed node as long as something may refer to it.
    [[nodiscard]] const node_entry& at(node_id id) const noexcept { return nodes_[id]; }
    [[nodiscard]] node_entry& at(node_id id) noexcept { return nodes_[id]; }
    [[nodiscard]] node_list all() const noexcept { return node_list{nodes_}; }
    [[nodiscard]] size_t count() const noexcept { return by_name_.size(); } // that exist
    [[nodiscard]] size_t bound() const noexcept { return nodes_.size(); }   // above every number
    [[nodiscard]] node_id drop_node() const noexcept { return drop_; } // no_node if there is none
    // The nodes with an edge to `id`.
    [[nodiscard]] std::vector<node_id> previous(node_id id) const;
    // The other nodes that share a node's next slots.
    [[nodiscard]] std::vector<node_id> siblings(node_id id) const;
    // "ip4-input: bad_checksum" of a reason_id.
    [[nodiscard]] const reason* reason_of(reason_id id) const noexcept;

    // --- for the engine ---

    // Nodes that were removed since this was last asked.
    [[nodiscard]] std::vector<node_id> take_removed() { return std::exchange(removed_, {}); }
    // Nothing refers to a removed node any more: its number may be used again.
    void release(node_id id);

private:
    [[nodiscard]] result<node_entry*> append(std::string name, const node_descriptor& descriptor);
    void add_variants();
    void add_variants(node_entry& entry);
    void join(node_entry& entry, std::vector<std::string>& faults);
    void join_siblings(node_entry& entry, std::vector<std::string>& faults);
    [[nodiscard]] std::vector<node_entry*> sharing(const node_entry& entry, bool clones_too);
    [[nodiscard]] result<void> check_target(const node_entry& from, node_id to) const;
    [[nodiscard]] bool is_empty(const node_entry& entry, size_t slot) const noexcept;

    std::deque<node_entry> nodes_;
    std::unordered_map<std::string, node_id> by_name_;
    std::deque<node_id> free_; // numbers of removed nodes, longest unused first
    std::vector<node_id> removed_;
    node_id drop_ = no_node;
    node_id empty_ = no_node; // where empty slots lead
};

// A descriptor that lives as long as the program, for node_registry::add().
[[nodiscard]] inline std::shared_ptr<const node_descriptor>
static_descriptor(const node_descriptor& what)
{
    return {std::shared_ptr<const void>{}, &what};
}

} // namespace weft
