// SPDX-License-Identifier: Apache-2.0
// The control plane's set of IPv4 prefixes with their values: exact match and covering prefix.
#pragma once

#include "graph/net/address.hh"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

namespace weft::ip4 {

// A hash of open addressing whose slots take 8 bytes: a prefix fits in 33 bits (its bits, a one,
// zeros), which leaves 31 for the value. One thread. Prefixes have no host bits set.
class prefix_set {
public:
    // Makes room for one more prefix; false if there is no memory. set() of a new prefix needs it.
    [[nodiscard]] bool reserve_one() noexcept;
    // Adds the prefix or changes its value, which is 1 to 2^31 - 1.
    void set(const net::ip4_prefix& prefix, uint32_t value) noexcept;
    // False: it is not there.
    bool erase(const net::ip4_prefix& prefix) noexcept;

    [[nodiscard]] std::optional<uint32_t> find(const net::ip4_prefix& prefix) const noexcept;
    // The longest prefix that contains this one and is shorter: at most 32 probes, fewer where
    // lengths have no prefix at all.
    [[nodiscard]] std::optional<std::pair<net::ip4_prefix, uint32_t>>
    covering(const net::ip4_prefix& prefix) const noexcept;

    [[nodiscard]] size_t size() const noexcept { return size_; }
    [[nodiscard]] size_t memory_bytes() const noexcept { return capacity_ * sizeof(uint64_t); }

private:
    [[nodiscard]] size_t home_of(uint64_t key) const noexcept;
    [[nodiscard]] size_t slot_of(uint64_t key) const noexcept;
    [[nodiscard]] bool grow() noexcept;

    struct deleter {
        void operator()(uint64_t* slots) const noexcept;
    };
    std::unique_ptr<uint64_t[], deleter> slots_; // 0 is empty
    size_t capacity_ = 0;                        // a power of two, or none yet
    unsigned shift_ = 0;                         // 64 - log2(capacity_)
    size_t size_ = 0;
    std::array<uint32_t, 33> of_length_{};
};

} // namespace weft::ip4
