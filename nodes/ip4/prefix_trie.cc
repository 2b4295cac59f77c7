// SPDX-License-Identifier: Apache-2.0
// Longest prefix match in four stages of 8 bits.
#include "nodes/ip4/prefix_trie.hh"

#include <algorithm>
#include <array>

namespace weft::ip4 {

std::shared_ptr<trie_blocks> trie_blocks::make()
{
    auto made = std::make_shared<trie_blocks>();
    const bool mapped = made->entries.map(max_blocks * entries_each) &&
                        made->owners.map(max_blocks * entries_each) &&
                        made->prefixes.map(max_blocks);
    return mapped ? made : nullptr;
}

std::optional<uint32_t> trie_blocks::take()
{
    if (!free_.empty()) {
        const uint32_t block = free_.back();
        free_.pop_back();
        return block;
    }
    if (touched_ == max_blocks)
        return std::nullopt;
    return touched_++;
}

result<prefix_trie> prefix_trie::make(std::shared_ptr<trie_blocks> blocks, defer_function defer)
{
    const auto root = blocks->take();
    if (!root)
        return fail(errc::exhausted, "all {} blocks of small route tables are in use",
                    trie_blocks::max_blocks);
    return prefix_trie{std::move(blocks), std::move(defer), *root};
}

prefix_trie::prefix_trie(std::shared_ptr<trie_blocks> blocks, defer_function defer,
                         uint32_t root) noexcept
    : blocks_{std::move(blocks)}, defer_{std::move(defer)}
{
    reader_.entries_ = blocks_->entries.data();
    reader_.root_ = root;
    const size_t first = size_t{root} * trie_blocks::entries_each;
    for (size_t i = 0; i < trie_blocks::entries_each; ++i)
        write_entry(first + i, none);
    std::fill_n(&blocks_->owners[first], trie_blocks::entries_each, uint8_t{0});
    blocks_->prefixes[root] = 0;
}

prefix_trie::~prefix_trie()
{
    if (blocks_ != nullptr)
        give_back_below(reader_.root_);
}

void prefix_trie::give_back_below(uint32_t block)
{
    const size_t first = size_t{block} * trie_blocks::entries_each;
    for (size_t i = first; i < first + trie_blocks::entries_each; ++i)
        if (blocks_->owners[i] == in_block)
            give_back_below(read_entry(i) & ~block_flag);
    blocks_->give_back(block);
}

// Puts a block in the place of an entry, filled with what that says.
std::optional<uint32_t> prefix_trie::split(size_t entry)
{
    const auto block = blocks_->take();
    if (!block)
        return std::nullopt;
    const uint32_t value = read_entry(entry);
    const size_t first = size_t{*block} * trie_blocks::entries_each;
    for (size_t i = 0; i < trie_blocks::entries_each; ++i)
        write_entry(first + i, value);
    std::fill_n(&blocks_->owners[first], trie_blocks::entries_each, blocks_->owners[entry]);
    blocks_->prefixes[*block] = 0;
    write_entry(entry, block_flag | *block);
    blocks_->owners[entry] = in_block;
    ++used_;
    return block;
}

// The blocks that a new prefix needs. Those that were made stay counted with nothing in them where
// one cannot be: they say what was there before, and release_room() gives them back.
result<void> prefix_trie::make_room(const net::ip4_prefix& prefix)
{
    if (!prefixes_.reserve_one())
        return fail(errc::exhausted, "prefix {}: out of memory", net::to_string(prefix));
    uint32_t block = reader_.root_;
    for (unsigned stage = 0; stage < stage_of(prefix.length); ++stage) {
        const size_t entry = entry_of(block, prefix.network, stage);
        if (blocks_->owners[entry] != in_block && !split(entry)) {
            release_room({prefix.network, static_cast<uint8_t>(stage * 8 + 1)});
            return fail(errc::exhausted,
                        "prefix {}: all {} blocks of small route tables are in use",
                        net::to_string(prefix), trie_blocks::max_blocks);
        }
        block = read_entry(entry) & ~block_flag;
        ++blocks_->prefixes[block];
    }
    return {};
}

// One prefix has left the blocks that lead to it. A block without any holds one value, and the
// entry that led there says it alone.
void prefix_trie::release_room(const net::ip4_prefix& prefix)
{
    std::array<size_t, 4> path{}; // the entries that lead to blocks
    uint32_t block = reader_.root_;
    const unsigned stages = stage_of(prefix.length);
    for (unsigned stage = 0; stage < stages; ++stage) {
        path[stage] = entry_of(block, prefix.network, stage);
        block = read_entry(path[stage]) & ~block_flag;
    }
    for (unsigned stage = stages; stage-- > 0;) {
        const size_t entry = path[stage];
        const uint32_t below = read_entry(entry) & ~block_flag;
        if (--blocks_->prefixes[below] > 0)
            continue;
        const size_t first = size_t{below} * trie_blocks::entries_each;
        write_entry(entry, read_entry(first));
        blocks_->owners[entry] = blocks_->owners[first];
        --used_;
        // a reader may be on its way there
        defer_([pool = std::weak_ptr{blocks_}, below] {
            if (const auto alive = pool.lock())
                alive->give_back(below);
        });
    }
}

// Gives the value to an entry, or to those below it, unless a longer prefix has it.
void prefix_trie::paint_entry(size_t entry, uint8_t length, value_type value,
                              uint8_t owner) noexcept
{
    if (blocks_->owners[entry] == in_block) {
        const size_t first = size_t{read_entry(entry) & ~block_flag} * trie_blocks::entries_each;
        for (size_t i = first; i < first + trie_blocks::entries_each; ++i)
            paint_entry(i, length, value, owner);
    } else if (blocks_->owners[entry] <= length) {
        write_entry(entry, value);
        blocks_->owners[entry] = owner;
    }
}

void prefix_trie::paint(const net::ip4_prefix& prefix, value_type value, uint8_t owner) noexcept
{
    const unsigned stage = stage_of(prefix.length);
    uint32_t block = reader_.root_;
    for (unsigned above = 0; above < stage; ++above)
        block = read_entry(entry_of(block, prefix.network, above)) & ~block_flag;
    const size_t last = entry_of(block, prefix.last(), stage);
    for (size_t entry = entry_of(block, prefix.network, stage); entry <= last; ++entry)
        paint_entry(entry, prefix.length, value, owner);
}

result<void> prefix_trie::set(const net::ip4_prefix& prefix, value_type value)
{
    const auto present = prefixes_.find(prefix);
    if (present == value)
        return {};
    if (!present)
        if (auto room = make_room(prefix); !room)
            return room;
    prefixes_.set(prefix, value);
    paint(prefix, value, prefix.length);
    return {};
}

result<void> prefix_trie::remove(const net::ip4_prefix& prefix)
{
    if (!prefixes_.erase(prefix))
        return fail(errc::not_found, "no prefix {}", net::to_string(prefix));
    if (const auto cover = prefixes_.covering(prefix))
        paint(prefix, cover->second, cover->first.length);
    else
        paint(prefix, none, 0);
    release_room(prefix);
    return {};
}

uint8_t prefix_trie::length_for(net::ip4_address address) const noexcept
{
    uint32_t block = reader_.root_;
    for (unsigned stage = 0;; ++stage) {
        const size_t entry = entry_of(block, address, stage);
        if (blocks_->owners[entry] != in_block)
            return blocks_->owners[entry];
        block = read_entry(entry) & ~block_flag;
    }
}

size_t prefix_trie::memory_bytes() const noexcept
{
    return sizeof *this + used_ * bytes_each + prefixes_.memory_bytes();
}

} // namespace weft::ip4
