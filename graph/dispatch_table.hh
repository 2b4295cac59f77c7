// SPDX-License-Identifier: Apache-2.0
// Dispatch tables: a node sends each packet on by a key that the packet carries, its EtherType or
// its IP protocol, and the nodes that take a key register for it. Neither side names the other.
//
//   the node that dispatches                            a node that takes a key
//   const dispatch_table_registration table{            const dispatch_registration arp{
//       {.name = "ethertype",                               "ethertype", 0x0806, "ARP",
//       "arp-input"};
//        .node = "ethernet-input",
//        .key = "EtherType",
//        .lowest = 0x0600,
//        .highest = 0xffff,
//        .hex_digits = 4,
//        .otherwise = drop(unknown_ethertype)}};
//   in its context:  lookup{setup.engine.module<dispatch_tables>().lookup("ethertype")}
//   in its function: ctx.lookup.of(key)
//
// The next slots that lead to the nodes are added behind those that the dispatching node names, in
// the order of the keys, before the first plan; each belongs to its key.
#pragma once

#include "base/result.hh"
#include "graph/node.hh"

#include <cstdint>
#include <map>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

namespace weft {

class engine;
class node_registry;

struct dispatch_table_descriptor {
    std::string_view name;   // "ethertype"
    std::string_view node;   // which sends by it
    std::string_view key;    // what a key is called: "EtherType"
    uint32_t lowest = 0;     // of the keys that a node can take
    uint32_t highest = 0;    // likewise; at most max_key
    unsigned hex_digits = 0; // how a key is written; 0: in decimal
    verdict otherwise{};     // of a key that nobody takes; of the node's own numbering

    static constexpr uint32_t max_key = 0xffff;
};

// Registers a table before main().
struct dispatch_table_registration {
    explicit dispatch_table_registration(
        dispatch_table_descriptor table,
        std::source_location where = std::source_location::current());
    ~dispatch_table_registration(); // takes it back, so that a test can register for a while
    dispatch_table_registration(const dispatch_table_registration&) = delete;
    dispatch_table_registration& operator=(const dispatch_table_registration&) = delete;

    dispatch_table_descriptor what;
    std::source_location where;
};

// Registers a node for one key of a table: before main(), or a plugin's when it is loaded. With the
// table's own node the key is claimed by that node, which deals with it behind `otherwise`.
struct dispatch_registration {
    dispatch_registration(std::string_view table, uint32_t key, std::string_view name,
                          std::string_view node,
                          std::source_location where = std::source_location::current());
    ~dispatch_registration();
    dispatch_registration(const dispatch_registration&) = delete;
    dispatch_registration& operator=(const dispatch_registration&) = delete;

    std::string_view table;
    uint32_t key;
    std::string_view name; // of the key, as traces and views write it: "ARP"
    std::string_view node;
    std::source_location where;
};

// The registrations for a table's keys, by key. Main thread.
[[nodiscard]] std::vector<const dispatch_registration*> dispatch_keys(std::string_view table);
// The name of a key of a table, empty if nobody takes it. Main thread.
[[nodiscard]] std::string_view dispatch_key_name(std::string_view table, uint32_t key) noexcept;
// A key as a person reads it: 0x0806. Main thread; the table exists.
[[nodiscard]] std::string dispatch_key_text(std::string_view table, uint32_t key);

// What becomes of a packet by its key. Any thread; for the context of the table's node. Never
// changes, so that one load answers.
class dispatch_lookup {
public:
    dispatch_lookup() = default;
    explicit dispatch_lookup(const verdict* verdicts) noexcept : verdicts_{verdicts} {}
    // `key` is at most the table's highest.
    [[nodiscard]] verdict of(uint32_t key) const noexcept { return verdicts_[key]; }

private:
    const verdict* verdicts_ = nullptr;
};

// A module, which the engine makes before the first plan. Main thread.
class dispatch_tables {
public:
    // Adds the slots, where they are not there yet. Passes over what check() reports and over nodes
    // that a test's graph does not have.
    explicit dispatch_tables(engine& engine);

    // What is wrong with the registered tables and keys, a line each: two tables of one name, two
    // registrations for one key (both with their places), a key outside of its table's range, a
    // table or a node that does not exist. node_registry::registered() asks.
    [[nodiscard]] static result<void> check(const node_registry& nodes);
    // Adds the slots of all tables to a registry without an engine.
    static void add_slots(node_registry& nodes);

    // The table's, which must be registered (else it is a programming error: std::logic_error).
    [[nodiscard]] dispatch_lookup lookup(std::string_view table) const;

private:
    std::map<std::string_view, std::vector<verdict>> tables_;
};

} // namespace weft
