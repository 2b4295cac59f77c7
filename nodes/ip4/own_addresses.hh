// SPDX-License-Identifier: Apache-2.0
// The router's own addresses as the workers read them.
#pragma once

#include "base/net/address.hh"
#include "nodes/interface/interface.hh"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace weft::ip4 {

// Those of one VRF, or of all: immutable, replaced as a whole.
class own_addresses {
public:
    struct owned {
        net::ip4_address address;
        uint8_t length;
        interface_index interface;

        [[nodiscard]] net::ip4_prefix network() const noexcept
        {
            return net::ip4_interface_address{address, length}.network();
        }
    };

    own_addresses() = default;
    explicit own_addresses(std::vector<owned> all);

    // Most foreign addresses are told by one bit, without a search.
    [[nodiscard]] bool contains(net::ip4_address a) const noexcept
    {
        return may_contain(a) && search(a);
    }
    // Whether it is the first or the last address of a network of the router's, which no host has.
    [[nodiscard]] bool is_broadcast(net::ip4_address a) const noexcept
    {
        return may_contain(a) && search_ends(a);
    }
    // The filter by itself, for variants that test many addresses at once: where the bit slot_of(a)
    // is clear, `a` is neither.
    static constexpr size_t filter_bits = 4096; // 512 bytes: stays in the first-level cache
    template <class Word>                       // a word, or a vector of them
    [[nodiscard, gnu::always_inline]] static Word slot_of(Word address) noexcept
    {
        return (address * 0x9e37'79b1u) >> 20;
    }
    [[nodiscard]] const uint32_t* filter() const noexcept { return filter_.data(); }
    // All addresses and ends of networks, in wire order, if they are few enough to be compared one
    // by one; else empty.
    static constexpr size_t few = 12;
    [[nodiscard]] std::span<const uint32_t> few_on_wire() const noexcept
    {
        return {wire_.data(), known_ <= few ? known_ : 0};
    }
    [[nodiscard]] bool on_interface(net::ip4_address a, interface_index interface) const noexcept;
    // The address with which the router speaks to `peer` from an interface: of the peer's network
    // if it has one there, else the interface's first; 0.0.0.0 if it has none.
    [[nodiscard]] net::ip4_address source_for(net::ip4_address peer,
                                              interface_index interface) const noexcept;
    // The one with which it speaks from an interface that has none, as a router that has an
    // identifier would (RFC 1812 section 5.2.5): the first that was configured; 0.0.0.0 if there is
    // none.
    [[nodiscard]] net::ip4_address any_source() const noexcept
    {
        return all_.empty() ? net::ip4_address{} : all_.front().address;
    }
    // The interface on which a neighbour of this address would be, whether it is up or not.
    [[nodiscard]] std::optional<interface_index>
    interface_towards(net::ip4_address a) const noexcept;
    [[nodiscard]] const std::vector<owned>& all() const noexcept { return all_; }
    // Of one interface, in order of configuration.
    [[nodiscard]] std::span<const owned> of(interface_index interface) const noexcept;

private:
    struct network {
        uint32_t first, last;
        interface_index interface;
    };

    [[nodiscard]] bool may_contain(net::ip4_address a) const noexcept
    {
        const uint32_t slot = slot_of(a.value);
        return (filter_[slot / 32] >> slot % 32 & 1) != 0;
    }
    [[nodiscard]] bool search(net::ip4_address a) const noexcept;
    [[nodiscard]] bool search_ends(net::ip4_address a) const noexcept;
    void know(net::ip4_address a) noexcept;

    std::array<uint32_t, filter_bits / 32> filter_{};
    std::array<uint32_t, few> wire_{};
    size_t known_ = 0;       // addresses and ends
    std::vector<owned> all_; // in order of configuration
    std::vector<owned> by_interface_;
    std::vector<uint32_t> addresses_, ends_; // in order
    std::vector<network> networks_;          // in order of their first addresses
};

} // namespace weft::ip4
