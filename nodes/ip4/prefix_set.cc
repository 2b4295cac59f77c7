// SPDX-License-Identifier: Apache-2.0
// The control plane's set of IPv4 prefixes: linear probing, deletion by shifting back.
#include "nodes/ip4/prefix_set.hh"

#include <algorithm>
#include <bit>

namespace weft::ip4 {

namespace {

constexpr size_t first_capacity = 512; // one page

} // namespace

// The slot that holds the key, or the empty one where it would go.
size_t prefix_set::slot_of(uint64_t key) const noexcept
{
    size_t at = home_of(key);
    while (slots_[at] != 0 && key_in(slots_[at]) != key)
        at = (at + 1) & (capacity_ - 1);
    return at;
}

bool prefix_set::grow(size_t capacity) noexcept
{
    reserved_array<uint64_t> old;
    if (!old.map(capacity))
        return false;
    std::swap(old, slots_);
    const size_t old_capacity = std::exchange(capacity_, capacity);
    shift_ = 64 - static_cast<unsigned>(std::countr_zero(capacity));
    for (size_t i = 0; i < old_capacity; ++i)
        if (old[i] != 0)
            slots_[slot_of(key_in(old[i]))] = old[i];
    return true;
}

bool prefix_set::reserve(size_t count) noexcept
{
    if (count * 4 <= capacity_ * 3)
        return true;
    return grow(std::max(first_capacity, std::bit_ceil(count * 4 / 3 + 1)));
}

void prefix_set::set(const net::ip4_prefix& prefix, uint32_t value) noexcept
{
    const uint64_t key = key_of(prefix);
    uint64_t& slot = slots_[slot_of(key)];
    if (slot == 0) {
        ++size_;
        ++of_length_[prefix.length];
    }
    slot = key << value_bits | value;
}

bool prefix_set::erase(const net::ip4_prefix& prefix) noexcept
{
    if (size_ == 0)
        return false;
    size_t hole = slot_of(key_of(prefix));
    if (slots_[hole] == 0)
        return false;
    --size_;
    --of_length_[prefix.length];

    // Every key must be reachable from its home without crossing an empty slot, so those behind the
    // hole move into it unless their home lies behind the hole as well.
    const size_t mask = capacity_ - 1;
    for (size_t at = (hole + 1) & mask; slots_[at] != 0; at = (at + 1) & mask) {
        const size_t home = home_of(key_in(slots_[at]));
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            slots_[hole] = slots_[at];
            hole = at;
        }
    }
    slots_[hole] = 0;
    return true;
}

std::optional<uint32_t> prefix_set::find(const net::ip4_prefix& prefix) const noexcept
{
    if (of_length_[prefix.length] == 0)
        return std::nullopt;
    const uint64_t slot = slots_[slot_of(key_of(prefix))];
    if (slot == 0)
        return std::nullopt;
    return static_cast<uint32_t>(slot & value_mask);
}

std::optional<std::pair<net::ip4_prefix, uint32_t>>
prefix_set::covering(const net::ip4_prefix& prefix) const noexcept
{
    for (uint8_t length = prefix.length; length-- > 0;) {
        const net::ip4_prefix shorter{{prefix.network.value & net::ip4_prefix::mask_of(length)},
                                      length};
        if (const auto value = find(shorter))
            return std::pair{shorter, *value};
    }
    return std::nullopt;
}

} // namespace weft::ip4
