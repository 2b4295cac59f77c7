// SPDX-License-Identifier: Apache-2.0
// The control plane's set of IPv4 prefixes with their values: exact match and covering prefix.
#pragma once

#include "base/net/address.hh"
#include "base/reserved_array.hh"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

namespace weft::ip4 {

// A hash of open addressing whose slots take 8 bytes: a prefix fits in 33 bits (its bits, a one,
// zeros), which leaves 31 for the value. One thread. Prefixes have no host bits set.
class prefix_set {
public:
    // Makes room for so many prefixes in all; false if there is no memory. Memory is touched as it
    // is used, but moving what is there takes a while: some 3 ms for half a million.
    [[nodiscard]] bool reserve(size_t count) noexcept;
    // Room for one more; set() of a new prefix needs it.
    [[nodiscard]] bool reserve_one() noexcept { return reserve(size_ + 1); }
    // Adds the prefix or changes its value, which is 1 to 2^31 - 1.
    void set(const net::ip4_prefix& prefix, uint32_t value) noexcept;
    // False: it is not there.
    bool erase(const net::ip4_prefix& prefix) noexcept;

    [[nodiscard]] std::optional<uint32_t> find(const net::ip4_prefix& prefix) const noexcept;
    // The longest prefix that contains this one and is shorter: at most 32 probes, fewer where
    // lengths have no prefix at all.
    [[nodiscard]] std::optional<std::pair<net::ip4_prefix, uint32_t>>
    covering(const net::ip4_prefix& prefix) const noexcept;

    // Calls `visit(prefix, value)` for each, in no order.
    template <class Visit>
    void each(const Visit& visit) const
    {
        walk(0, capacity_, visit);
    }
    // The same in pieces: of those from place `from` on (0 at first), over `places` places or a few
    // more. Returns the place to go on from; from capacity() on there is none. The set may change
    // between two calls, not within one: what is in it all the while is visited, at least once, as
    // long as capacity() stays the same.
    template <class Visit>
    size_t walk(size_t from, size_t places, const Visit& visit) const;
    [[nodiscard]] size_t capacity() const noexcept { return capacity_; }
    [[nodiscard]] const std::array<uint32_t, 33>& count_by_length() const noexcept
    {
        return of_length_;
    }
    // Asks for the memory that the next call about this prefix reads.
    void prefetch(const net::ip4_prefix& prefix) const noexcept
    {
        if (capacity_ > 0)
            __builtin_prefetch(&slots_[home_of(key_of(prefix))]);
    }

    [[nodiscard]] size_t size() const noexcept { return size_; }
    [[nodiscard]] size_t memory_bytes() const noexcept { return capacity_ * sizeof(uint64_t); }

private:
    static constexpr unsigned value_bits = 31;
    static constexpr uint64_t value_mask = (uint64_t{1} << value_bits) - 1;

    // The lowest set bit tells the length, so that 10.0.0.0/8 and 10.0.0.0/16 differ.
    [[nodiscard]] static uint64_t key_of(const net::ip4_prefix& prefix) noexcept
    {
        return uint64_t{prefix.network.value} << 1 | uint64_t{1} << (32 - prefix.length);
    }
    [[nodiscard]] static uint64_t key_in(uint64_t slot) noexcept { return slot >> value_bits; }
    [[nodiscard]] size_t home_of(uint64_t key) const noexcept
    {
        // Keys of one length differ in their upper bits only; folded, they spread over all lengths.
        return ((key ^ key >> 15) * 0x9e3779b97f4a7c15u) >> shift_;
    }
    [[nodiscard]] size_t slot_of(uint64_t key) const noexcept;
    [[nodiscard]] bool grow(size_t capacity) noexcept;

    reserved_array<uint64_t> slots_; // 0 is empty
    size_t capacity_ = 0;            // a power of two, or none yet
    unsigned shift_ = 0;             // 64 - log2(capacity_)
    size_t size_ = 0;
    std::array<uint32_t, 33> of_length_{};
};

// It stops at empty slots only: set() and erase() move nothing over one.
template <class Visit>
size_t prefix_set::walk(size_t from, size_t places, const Visit& visit) const
{
    const size_t enough = from + std::min(places, capacity_ - std::min(from, capacity_));
    size_t at = from;
    for (; at < enough || (at < capacity_ && slots_[at] != 0); ++at)
        if (slots_[at] != 0) {
            const uint64_t key = key_in(slots_[at]);
            const auto length = static_cast<uint8_t>(32 - std::countr_zero(key));
            visit(net::ip4_prefix{{static_cast<uint32_t>((key & (key - 1)) >> 1)}, length},
                  static_cast<uint32_t>(slots_[at] & value_mask));
        }
    return at;
}

} // namespace weft::ip4
