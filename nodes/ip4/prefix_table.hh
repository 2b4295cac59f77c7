// SPDX-License-Identifier: Apache-2.0
// Longest prefix match for IPv4: one writer (the main thread), any number of readers that are never
// stopped, looked up by the vector.
#pragma once

#include "base/net/address.hh"
#include "base/result.hh"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

namespace weft::ip4 {

class prefix_set;

// Maps prefixes to values. A value is an index of something of the owner's (a load balance); 0 is
// "no prefix matches". A reader sees for an address, at any moment, the value of a prefix that
// covered it before or after the change under way, never anything else.
class prefix_table {
public:
    using value_type = uint32_t;
    static constexpr value_type none = 0;
    static constexpr value_type max_value = 0x7fff'ffff;

    // `defer` runs a function once no reader can still hold what it saw before (after an RCU grace
    // period), on the main thread; freed second-stage blocks go through it. `most_blocks` (1 to
    // 2^24) bounds the networks of 24 bits that hold longer prefixes. Fails with errc::exhausted if
    // 80 MiB of address space and 1.25 KiB for each block cannot be mapped; memory is taken only
    // where prefixes are.
    using defer_function = std::function<void(std::function<void()>)>;
    static constexpr size_t default_blocks = size_t{1} << 17;
    [[nodiscard]] static result<prefix_table> make(defer_function defer,
                                                   size_t max_blocks = default_blocks);

    prefix_table(prefix_table&&) noexcept;
    prefix_table& operator=(prefix_table&&) noexcept;
    ~prefix_table();

    // Adds the prefix or changes its value (1 to highest_value). Main thread. errc::exhausted, with
    // nothing changed, when there is no memory or no second-stage block (one that was freed counts
    // until its grace period ends). errc::invalid_argument for host bits or a value out of range.
    result<void> set(const net::ip4_prefix& prefix, value_type value);
    // Removes the prefix; errc::not_found if it is not there. Main thread. Never short of memory.
    result<void> remove(const net::ip4_prefix& prefix);

    // The value of exactly this prefix. Main thread.
    [[nodiscard]] std::optional<value_type> find(const net::ip4_prefix& prefix) const;
    // The prefix that an address matches and its value. Main thread.
    [[nodiscard]] std::optional<std::pair<net::ip4_prefix, value_type>>
    match(net::ip4_address address) const;

    // What readers read, to be copied before a loop, so that it stays in registers there. Any
    // thread inside an RCU read side. No allocation, no lock. Release and acquire, because a value
    // names something of the owner's that a reader goes on to read, and because an entry that names
    // a block publishes its entries.
    class reader {
    public:
        [[nodiscard, gnu::always_inline]] value_type lookup(net::ip4_address address) const noexcept
        {
            const uint32_t entry = read_entry(first_stage_[address.value >> 8]);
            if ((entry & block_flag) == 0) [[likely]]
                return entry;
            return read_entry(second_stage_[second_index(entry, address.value)]);
        }
        // Asks for what a lookup reads. A prefetch retires at once where a load would hold up the
        // reorder buffer: asked for one after the other before the first lookup, the cache misses
        // of a whole vector are under way together. Into the second-level cache, for the first
        // level can wait for two dozen lines only (Zen 4, Zen 5).
        [[gnu::always_inline]] void expect(net::ip4_address address) const noexcept
        {
            constexpr int reading = 0, second_level = 2;
            __builtin_prefetch(&first_stage_[address.value >> 8], reading, second_level);
        }

    private:
        friend class prefix_table;
        // An entry is a value, or a block's index with the top bit set.
        uint32_t* first_stage_ = nullptr;  // 2^24 entries, by the upper 24 bits of the address
        uint32_t* second_stage_ = nullptr; // blocks of 256 entries, by the lower 8 bits
    };
    [[nodiscard]] reader read() const noexcept { return reader_; }
    [[nodiscard]] value_type lookup(net::ip4_address address) const noexcept
    {
        return reader_.lookup(address);
    }
    // Both for `count` addresses at once.
    void lookup(const net::ip4_address* addresses, value_type* values, size_t count) const noexcept;

    // Every prefix with its value. Main thread; no change meanwhile.
    [[nodiscard]] const prefix_set& prefixes() const noexcept;
    // Makes room for so many prefixes in all, so that adding them does not move those that are
    // there. False if there is no memory. Main thread.
    [[nodiscard]] bool reserve(size_t count) noexcept;
    // Asks for the memory that a set() of this prefix touches, so that the misses of several
    // overlap.
    void prefetch(const net::ip4_prefix& prefix) const noexcept;
    [[nodiscard]] size_t size() const noexcept; // prefixes
    // Resident bytes: both stages as touched and the control side. Asks the kernel; not for a loop.
    [[nodiscard]] size_t memory_bytes() const noexcept;

private:
    static constexpr size_t block_entries = 256;
    static constexpr uint32_t block_flag = uint32_t{1} << 31;

    [[nodiscard, gnu::always_inline]] static uint32_t read_entry(uint32_t& entry) noexcept
    {
        return std::atomic_ref{entry}.load(std::memory_order_acquire);
    }
    [[nodiscard, gnu::always_inline]] static size_t second_index(uint32_t entry,
                                                                 uint32_t address) noexcept
    {
        return size_t{entry & ~block_flag} * block_entries + (address & 0xff);
    }

    struct state;
    explicit prefix_table(std::unique_ptr<state> prepared) noexcept;

    std::unique_ptr<state> state_;
    reader reader_;
};

} // namespace weft::ip4
