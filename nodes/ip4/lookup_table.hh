// SPDX-License-Identifier: Apache-2.0
// The longest prefix match of one VRF: a prefix_trie while it is small, a prefix_table beyond.
#pragma once

#include "nodes/ip4/prefix_table.hh"
#include "nodes/ip4/prefix_trie.hh"

#include <functional>
#include <memory>
#include <optional>
#include <utility>

namespace weft::ip4 {

// What workers read of a lookup_table; to be copied before a loop. Any thread inside an RCU read
// side.
class table_reader {
public:
    [[nodiscard, gnu::always_inline]] uint32_t lookup(net::ip4_address address) const noexcept
    {
        return is_large_ ? large_.lookup(address) : small_.lookup(address);
    }
    // Asks for what a lookup reads; small tables are in the cache.
    [[gnu::always_inline]] void expect(net::ip4_address address) const noexcept
    {
        if (is_large_)
            large_.expect(address);
    }
    // Of a table that is known to be large, such as the default VRF's.
    [[nodiscard]] const prefix_table::reader& large() const noexcept { return large_; }

private:
    friend class lookup_table;
    prefix_table::reader large_;
    prefix_trie::reader small_;
    bool is_large_ = false;
};

// Main thread, but for what read() gave.
class lookup_table {
public:
    using value_type = uint32_t;
    using defer_function = std::function<void(std::function<void()>)>;
    // More prefixes than that in one VRF, and it gets a large table, for good: 4,096 of 24 bits and
    // more take about as much memory either way.
    static constexpr size_t max_small = 4096;

    // Begins large.
    explicit lookup_table(prefix_table large) : large_{std::move(large)} {}
    // Begins small; `moved` is called when read() has become another one, and what it gave before
    // is kept for a grace period (`defer`).
    lookup_table(prefix_trie small, defer_function defer, std::function<void()> moved);

    // As prefix_table's. The growth that a set() may bring takes some 10 ms.
    result<void> set(const net::ip4_prefix& prefix, value_type value);
    result<void> remove(const net::ip4_prefix& prefix);
    [[nodiscard]] std::optional<value_type> find(const net::ip4_prefix& prefix) const
    {
        return prefixes().find(prefix);
    }
    [[nodiscard]] std::optional<std::pair<net::ip4_prefix, value_type>>
    match(net::ip4_address address) const;
    [[nodiscard]] value_type lookup(net::ip4_address address) const noexcept
    {
        return read().lookup(address);
    }
    [[nodiscard]] table_reader read() const noexcept;
    [[nodiscard]] const prefix_set& prefixes() const noexcept
    {
        return large_ ? large_->prefixes() : small_->prefixes();
    }
    // False if there is no memory.
    [[nodiscard]] bool reserve(size_t count);
    void prefetch(const net::ip4_prefix& prefix) const noexcept
    {
        if (large_)
            large_->prefetch(prefix);
    }
    [[nodiscard]] size_t size() const noexcept { return prefixes().size(); }
    [[nodiscard]] bool is_large() const noexcept { return large_.has_value(); }
    [[nodiscard]] size_t memory_bytes() const noexcept
    {
        return large_ ? large_->memory_bytes() : small_->memory_bytes();
    }

private:
    result<void> grow();

    std::optional<prefix_table> large_;
    std::shared_ptr<prefix_trie> small_; // null where it is large
    defer_function defer_;
    std::function<void()> moved_;
};

} // namespace weft::ip4
