// SPDX-License-Identifier: Apache-2.0
// Longest prefix match for a small table: four stages of 8 bits, in blocks that all small tables
// share. Ten routes take some 20 KiB, where prefix_table takes 12 MiB.
#pragma once

#include "base/reserved_array.hh"
#include "base/result.hh"
#include "nodes/ip4/prefix_set.hh"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace weft::ip4 {

// The blocks of all tries. Main thread; readers read entries. Mapped when it is made, resident as
// used; a block that was given back is used again.
class trie_blocks {
public:
    static constexpr size_t entries_each = 256;
    static constexpr size_t max_blocks = size_t{1} << 18;

    [[nodiscard]] static std::shared_ptr<trie_blocks> make(); // null: no address space
    [[nodiscard]] std::optional<uint32_t> take();
    void give_back(uint32_t block) { free_.push_back(block); }
    [[nodiscard]] size_t in_use() const noexcept { return touched_ - free_.size(); }

    reserved_array<uint32_t> entries;  // a value, or a block's index with the top bit set
    reserved_array<uint8_t> owners;    // of each entry: the length of its prefix, or in_block
    reserved_array<uint32_t> prefixes; // of each block: how many are longer than what leads to it

private:
    uint32_t touched_ = 0;
    std::vector<uint32_t> free_;
};

// The same contract as prefix_table's: one writer, readers that are never stopped and see for an
// address the value before or after a change.
class prefix_trie {
public:
    using value_type = uint32_t;
    static constexpr value_type none = 0;
    static constexpr size_t bytes_each = trie_blocks::entries_each * 5 + 4; // of a block

    using defer_function = std::function<void(std::function<void()>)>;
    // errc::exhausted if there is no block for it.
    [[nodiscard]] static result<prefix_trie> make(std::shared_ptr<trie_blocks> blocks,
                                                  defer_function defer);
    prefix_trie(prefix_trie&&) noexcept = default;
    prefix_trie& operator=(prefix_trie&&) = delete;
    ~prefix_trie(); // gives back its blocks: no reader can read it any more

    // As prefix_table's; the prefix is sound and the value in its range. Main thread.
    result<void> set(const net::ip4_prefix& prefix, value_type value);
    result<void> remove(const net::ip4_prefix& prefix);
    // The length of the prefix that an address matches. Main thread.
    [[nodiscard]] uint8_t length_for(net::ip4_address address) const noexcept;
    [[nodiscard]] const prefix_set& prefixes() const noexcept { return prefixes_; }
    [[nodiscard]] prefix_set& prefixes() noexcept { return prefixes_; }
    [[nodiscard]] size_t memory_bytes() const noexcept;

    class reader {
    public:
        [[nodiscard, gnu::always_inline]] value_type lookup(net::ip4_address address) const noexcept
        {
            uint32_t at = root_;
            for (unsigned shift = 24;; shift -= 8) {
                const size_t place = size_t{at} * trie_blocks::entries_each;
                const uint32_t entry =
                    std::atomic_ref{entries_[place + (address.value >> shift & 0xff)]}.load(
                        std::memory_order_acquire);
                if ((entry & block_flag) == 0 || shift == 0)
                    return entry;
                at = entry & ~block_flag;
            }
        }

    private:
        friend class prefix_trie;
        uint32_t* entries_ = nullptr;
        uint32_t root_ = 0;
    };
    [[nodiscard]] reader read() const noexcept { return reader_; }

private:
    static constexpr uint32_t block_flag = uint32_t{1} << 31;
    static constexpr uint8_t in_block = 255;

    prefix_trie(std::shared_ptr<trie_blocks> blocks, defer_function defer, uint32_t root) noexcept;
    [[nodiscard]] result<void> make_room(const net::ip4_prefix& prefix);
    void paint(const net::ip4_prefix& prefix, value_type value, uint8_t owner) noexcept;
    void paint_entry(size_t entry, uint8_t length, value_type value, uint8_t owner) noexcept;
    void release_room(const net::ip4_prefix& prefix);
    void give_back_below(uint32_t block);
    [[nodiscard]] std::optional<uint32_t> split(size_t entry);
    [[nodiscard]] uint32_t read_entry(size_t entry) const noexcept
    {
        return std::atomic_ref{blocks_->entries[entry]}.load(std::memory_order_relaxed);
    }
    void write_entry(size_t entry, uint32_t content) noexcept
    {
        std::atomic_ref{blocks_->entries[entry]}.store(content, std::memory_order_release);
    }
    // The stage, from 0, whose block holds a prefix's entries; and its entry in a block of a stage.
    [[nodiscard]] static unsigned stage_of(uint8_t length) noexcept
    {
        return length == 0 ? 0u : (length - 1u) / 8;
    }
    [[nodiscard]] static size_t entry_of(uint32_t block, net::ip4_address a,
                                         unsigned stage) noexcept
    {
        return size_t{block} * trie_blocks::entries_each + (a.value >> (24 - 8 * stage) & 0xff);
    }

    std::shared_ptr<trie_blocks> blocks_;
    defer_function defer_;
    prefix_set prefixes_;
    size_t used_ = 1; // blocks
    reader reader_;
};

} // namespace weft::ip4
