// SPDX-License-Identifier: Apache-2.0
// Longest prefix match in two stages of 24 and 8 bits, with the owners of entries on the control
// side.
#include "nodes/ip4/prefix_table.hh"

#include "base/reserved_array.hh"
#include "nodes/ip4/prefix_set.hh"

#include <algorithm>
#include <array>
#include <atomic>
#include <cassert>
#include <vector>

namespace weft::ip4 {

namespace {

constexpr size_t first_entries = size_t{1} << 24;
// Multicast and reserved addresses: few packets go there, but all their entries are written at the
// start, which takes long where the kernel has to clear huge pages first.
constexpr size_t first_not_unicast = first_entries / 16 * 14;
constexpr size_t highest_blocks = size_t{1}
                                  << 23; // an entry's index fits in 31 - 8 bits and a flag
constexpr uint8_t in_block = 255;        // the owner of a first-stage entry that names a block

void write_entry(uint32_t& entry, uint32_t content) noexcept
{
    std::atomic_ref{entry}.store(content, std::memory_order_release);
}

// The second stage and who may have which block of it.
class block_pool {
public:
    static constexpr size_t block_entries = 256;

    [[nodiscard]] bool map(size_t most) noexcept
    {
        most_ = most;
        return entries.map(most * block_entries) && owners.map(most * block_entries) &&
               prefixes.map(most);
    }

    [[nodiscard]] std::optional<uint32_t> take()
    {
        if (!free_.empty()) {
            const uint32_t block = free_.back();
            free_.pop_back();
            return block;
        }
        if (touched_ == most_)
            return std::nullopt;
        return touched_++;
    }

    void give_back(uint32_t block) { free_.push_back(block); }
    [[nodiscard]] size_t most() const noexcept { return most_; }

    [[nodiscard]] size_t memory_bytes() const noexcept
    {
        return entries.resident_bytes() + owners.resident_bytes() + prefixes.resident_bytes() +
               free_.capacity() * sizeof(uint32_t);
    }

    reserved_array<uint32_t> entries;
    reserved_array<uint8_t> owners;    // of each entry: the length of the prefix it came from
    reserved_array<uint16_t> prefixes; // of each block: how many are longer than 24 bits

private:
    size_t most_ = 0;
    uint32_t touched_ = 0;
    std::vector<uint32_t> free_;
};

} // namespace

// The writer's side. Entries that no prefix covers are `none`, owned by length 0 as if by a default
// route, so that a real one may overwrite them.
struct prefix_table::state {
    defer_function defer;
    reserved_array<uint32_t> first;
    reserved_array<uint8_t> owners; // of each first-stage entry, or in_block
    // Shared, because a freed block may come back after the table has gone.
    std::shared_ptr<block_pool> blocks = std::make_shared<block_pool>();
    prefix_set prefixes;

    [[nodiscard]] uint32_t block_at(size_t slot) const noexcept
    {
        return std::atomic_ref{first[slot]}.load(std::memory_order_relaxed) & ~block_flag;
    }

    [[nodiscard]] result<void> make_room(const net::ip4_prefix& prefix);
    void paint(const net::ip4_prefix& prefix, value_type value, uint8_t owner) noexcept;
    void release_from_block(size_t slot);
};

// Prepares for a new prefix all that may fail.
result<void> prefix_table::state::make_room(const net::ip4_prefix& prefix)
{
    if (!prefixes.reserve_one())
        return fail(errc::exhausted, "prefix {}: out of memory", net::to_string(prefix));
    if (prefix.length <= 24)
        return {};

    const size_t slot = prefix.network.value >> 8;
    if (owners[slot] != in_block) {
        const auto block = blocks->take();
        if (!block)
            return fail(errc::exhausted,
                        "prefix {}: all {} blocks for prefixes longer than 24 bits are in use",
                        net::to_string(prefix), blocks->most());
        const uint32_t value = std::atomic_ref{first[slot]}.load(std::memory_order_relaxed);
        for (size_t i = 0; i < block_entries; ++i)
            write_entry(blocks->entries[*block * block_entries + i], value);
        std::fill_n(&blocks->owners[*block * block_entries], block_entries, owners[slot]);
        blocks->prefixes[*block] = 0;
        write_entry(first[slot], block_flag | *block);
        owners[slot] = in_block;
    }
    ++blocks->prefixes[block_at(slot)];
    return {};
}

// Gives the value to every entry in the prefix's range that no longer prefix owns. To remove a
// prefix is to paint its range with what covers it.
void prefix_table::state::paint(const net::ip4_prefix& prefix, value_type value,
                                uint8_t owner) noexcept
{
    const size_t last = prefix.last().value >> 8;
    for (size_t slot = prefix.network.value >> 8; slot <= last; ++slot) {
        if (owners[slot] <= prefix.length) {
            write_entry(first[slot], value);
            owners[slot] = owner;
        } else if (owners[slot] == in_block) {
            const size_t block = size_t{block_at(slot)} * block_entries;
            const size_t block_last = block + (prefix.last().value & 0xff);
            for (size_t i = block + (prefix.network.value & 0xff); i <= block_last; ++i) {
                if (blocks->owners[i] <= prefix.length) {
                    write_entry(blocks->entries[i], value);
                    blocks->owners[i] = owner;
                }
            }
        }
    }
}

// One prefix over 24 bits has left the block at `slot`. With the last of them all 256 entries are
// those of one prefix, and the first stage holds it alone.
void prefix_table::state::release_from_block(size_t slot)
{
    const uint32_t block = block_at(slot);
    if (--blocks->prefixes[block] > 0)
        return;
    const size_t entry = size_t{block} * block_entries;
    write_entry(first[slot],
                std::atomic_ref{blocks->entries[entry]}.load(std::memory_order_relaxed));
    owners[slot] = blocks->owners[entry];
    // A reader may hold the index still; the block keeps its last content until none can.
    defer([pool = std::weak_ptr{blocks}, block] {
        if (const auto alive = pool.lock())
            alive->give_back(block);
    });
}

result<prefix_table> prefix_table::make(defer_function defer, size_t max_blocks)
{
    if (max_blocks == 0 || max_blocks > first_entries)
        return fail(errc::invalid_argument, "most_blocks: {} is not between 1 and {}", max_blocks,
                    first_entries);
    auto prepared = std::make_unique<state>();
    prepared->defer = std::move(defer);
    if (!prepared->first.map(first_entries, first_not_unicast) ||
        !prepared->owners.map(first_entries, first_not_unicast) ||
        !prepared->blocks->map(max_blocks))
        return fail(errc::exhausted,
                    "prefix table: cannot reserve address space for {} entries and {} blocks",
                    first_entries, max_blocks);
    return prefix_table{std::move(prepared)};
}

prefix_table::prefix_table(std::unique_ptr<state> prepared) noexcept : state_{std::move(prepared)}
{
    reader_.first_stage_ = state_->first.data();
    reader_.second_stage_ = state_->blocks->entries.data();
}

prefix_table::prefix_table(prefix_table&&) noexcept = default;
prefix_table& prefix_table::operator=(prefix_table&&) noexcept = default;
prefix_table::~prefix_table() = default;

result<void> prefix_table::set(const net::ip4_prefix& prefix, value_type value)
{
    if (prefix.length > 32 || !prefix.contains(prefix.network))
        return fail(errc::invalid_argument,
                    "prefix {}: expected a length of at most 32 and no host bits",
                    net::to_string(prefix));
    if (value == none || value > max_value)
        return fail(errc::invalid_argument, "prefix {}: value {} is not between 1 and {}",
                    net::to_string(prefix), value, max_value);

    const auto present = state_->prefixes.find(prefix);
    if (present == value)
        return {};
    if (!present)
        if (auto room = state_->make_room(prefix); !room)
            return room;
    state_->prefixes.set(prefix, value);
    state_->paint(prefix, value, prefix.length);
    return {};
}

result<void> prefix_table::remove(const net::ip4_prefix& prefix)
{
    if (prefix.length > 32 || !prefix.contains(prefix.network) || !state_->prefixes.erase(prefix))
        return fail(errc::not_found, "no prefix {}", net::to_string(prefix));

    if (const auto cover = state_->prefixes.covering(prefix))
        state_->paint(prefix, cover->second, cover->first.length);
    else
        state_->paint(prefix, none, 0);
    if (prefix.length > 24)
        state_->release_from_block(prefix.network.value >> 8);
    return {};
}

std::optional<prefix_table::value_type> prefix_table::find(const net::ip4_prefix& prefix) const
{
    if (prefix.length > 32 || !prefix.contains(prefix.network))
        return std::nullopt;
    return state_->prefixes.find(prefix);
}

std::optional<std::pair<net::ip4_prefix, prefix_table::value_type>>
prefix_table::match(net::ip4_address address) const
{
    const value_type value = lookup(address);
    if (value == none)
        return std::nullopt;
    const size_t slot = address.value >> 8;
    uint8_t length = state_->owners[slot];
    if (length == in_block)
        length = state_->blocks->owners[second_index(state_->block_at(slot), address.value)];
    return std::pair{net::ip4_prefix{{address.value & net::ip4_prefix::mask_of(length)}, length},
                     value};
}

void prefix_table::lookup(const net::ip4_address* addresses, value_type* values,
                          size_t count) const noexcept
{
    const reader table = reader_;
    for (size_t i = 0; i < count; ++i)
        table.expect(addresses[i]);
    for (size_t i = 0; i < count; ++i)
        values[i] = table.lookup(addresses[i]);
}

const prefix_set& prefix_table::prefixes() const noexcept
{
    return state_->prefixes;
}

bool prefix_table::reserve(size_t count) noexcept
{
    return state_->prefixes.reserve(count);
}

void prefix_table::prefetch(const net::ip4_prefix& prefix) const noexcept
{
    const size_t slot = prefix.network.value >> 8;
    state_->prefixes.prefetch(prefix);
    __builtin_prefetch(&state_->first[slot], 1);
    __builtin_prefetch(&state_->owners[slot], 1);
}

size_t prefix_table::size() const noexcept
{
    return state_->prefixes.size();
}

size_t prefix_table::memory_bytes() const noexcept
{
    return sizeof(state) + state_->first.resident_bytes() + state_->owners.resident_bytes() +
           state_->blocks->memory_bytes() + state_->prefixes.memory_bytes();
}

} // namespace weft::ip4
