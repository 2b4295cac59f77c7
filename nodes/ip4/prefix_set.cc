// SPDX-License-Identifier: Apache-2.0
// The control plane's set of IPv4 prefixes: linear probing, deletion by shifting back.
#include "nodes/ip4/prefix_set.hh"

#include <bit>
#include <cstdlib>
#include <cstring>
#include <sys/mman.h>

namespace weft::ip4 {

namespace {

constexpr unsigned value_bits = 31;
constexpr uint64_t value_mask = (uint64_t{1} << value_bits) - 1;
constexpr size_t first_capacity = 1024;
constexpr size_t huge_page = size_t{2} << 20;

// The lowest set bit tells the length, so that 10.0.0.0/8 and 10.0.0.0/16 differ.
uint64_t key_of(const net::ip4_prefix& prefix) noexcept
{
    return uint64_t{prefix.network.value} << 1 | uint64_t{1} << (32 - prefix.length);
}

uint64_t key_in(uint64_t slot) noexcept
{
    return slot >> value_bits;
}

} // namespace

void prefix_set::deleter::operator()(uint64_t* slots) const noexcept
{
    std::free(slots);
}

size_t prefix_set::home_of(uint64_t key) const noexcept
{
    // Keys of one length differ in their upper bits only; folded, they spread over all lengths.
    return ((key ^ key >> 15) * 0x9e3779b97f4a7c15u) >> shift_;
}

// The slot that holds the key, or the empty one where it would go.
size_t prefix_set::slot_of(uint64_t key) const noexcept
{
    size_t at = home_of(key);
    while (slots_[at] != 0 && key_in(slots_[at]) != key)
        at = (at + 1) & (capacity_ - 1);
    return at;
}

bool prefix_set::grow() noexcept
{
    const size_t capacity = capacity_ == 0 ? first_capacity : capacity_ * 2;
    const size_t bytes = capacity * sizeof(uint64_t);
    const size_t alignment = bytes < huge_page ? 64 : huge_page;
    auto* memory = static_cast<uint64_t*>(std::aligned_alloc(alignment, bytes));
    if (memory == nullptr)
        return false;
    // Probes are random: on small pages most of them would miss the TLB too.
    if (alignment == huge_page)
        madvise(memory, bytes, MADV_HUGEPAGE);
    std::memset(memory, 0, bytes);

    const auto old = std::exchange(slots_, decltype(slots_){memory});
    const size_t old_capacity = std::exchange(capacity_, capacity);
    shift_ = 64 - static_cast<unsigned>(std::countr_zero(capacity));
    for (size_t i = 0; i < old_capacity; ++i)
        if (old[i] != 0)
            slots_[slot_of(key_in(old[i]))] = old[i];
    return true;
}

bool prefix_set::reserve_one() noexcept
{
    return (size_ + 1) * 4 <= capacity_ * 3 || grow();
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
    if (size_ == 0)
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
        if (of_length_[length] == 0)
            continue;
        const net::ip4_prefix shorter{{prefix.network.value & net::ip4_prefix::mask_of(length)},
                                      length};
        if (const auto value = find(shorter))
            return std::pair{shorter, *value};
    }
    return std::nullopt;
}

} // namespace weft::ip4
