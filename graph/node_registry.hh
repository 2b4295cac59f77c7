// SPDX-License-Identifier: Apache-2.0
// All nodes that exist and how they are joined: what plans are compiled from.
#pragma once

#include "graph/node.hh"
#include "graph/result.hh"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace weft {

// One form of a node's function.
struct node_form {
    form which;
    node_function function;
};

// A node as it exists in the daemon: registered, or a clone of a registered one.
struct node_entry {
    node_id id = no_node;
    std::string name;
    const node_descriptor* descriptor = nullptr;
    node_id clone_of = no_node;
    void* argument = nullptr;           // given to the context of a clone
    std::optional<unsigned> thread;     // runs only there; empty: on every thread
    node_state state = node_state::polling;
    std::vector<node_id> nexts;         // by slot
    std::vector<node_form> forms;       // of an internal node: best first, `plain` last
    size_t active_form = 0;             // the one that plans run

    [[nodiscard]] node_function function() const noexcept
    {
        return forms.empty() ? nullptr : forms[active_form].function;
    }
};

// Main thread only. A change here takes effect when a plan compiled from it is published.
class node_registry {
public:
    // All registered nodes, or the given ones (tests). Fails with one message that lists every duplicate
    // name with both places and every edge to a node that does not exist.
    [[nodiscard]] static result<node_registry> registered();
    [[nodiscard]] static result<node_registry>
    of(std::span<const node_registration* const> registrations);

    // A node of its own name and context that runs as its template does. `thread` binds an input node to
    // the thread that polls it.
    [[nodiscard]] result<node_id> clone(std::string_view of, std::string name, void* argument,
                                        std::optional<unsigned> thread = {});
    // The slot that leads from one node to another: the one that exists already, or a new one behind the
    // last.
    [[nodiscard]] result<fate> add_next(node_id from, node_id to);

    // Makes plans run this form of a node. errc::not_found if the node has none such, errc::unsupported if the processor
    // cannot run it.
    result<void> set_form(node_id id, form which);

    [[nodiscard]] const node_entry* find(std::string_view name) const noexcept;
    [[nodiscard]] node_entry* find(std::string_view name) noexcept;
    [[nodiscard]] const node_entry& at(node_id id) const noexcept { return nodes_[id]; }
    [[nodiscard]] node_entry& at(node_id id) noexcept { return nodes_[id]; }
    [[nodiscard]] const std::vector<node_entry>& all() const noexcept { return nodes_; }
    [[nodiscard]] node_id drop_node() const noexcept { return drop_; } // no_node if there is none
    // The nodes with an edge to `id`.
    [[nodiscard]] std::vector<node_id> previous(node_id id) const;
    // "ip4-input: bad_checksum" of a reason_id.
    [[nodiscard]] const reason* reason_of(reason_id id) const noexcept;

private:
    node_entry& append(std::string name, const node_descriptor& descriptor);
    void add_forms();

    std::vector<node_entry> nodes_;
    std::unordered_map<std::string, node_id> by_name_;
    node_id drop_ = no_node;
};

} // namespace weft
