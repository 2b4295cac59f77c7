// SPDX-License-Identifier: Apache-2.0
// Which addresses can stand beside each other on the interfaces of one VRF.
#pragma once

#include "base/net/address.hh"

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>

namespace weft::ip4 {

// Each address is there once, and two networks have no address in common unless they are the same
// one of one interface. Interface: what tells interfaces from each other.
template <class Interface>
class address_claims {
public:
    struct clash {
        size_t with; // what claims the place already, as add() was given it
        bool same_address;
    };

    // Claims the place of an address; `id` is the caller's name for it. Nothing is claimed where it
    // clashes.
    std::optional<clash> add(const net::ip4_interface_address& a, const Interface& on, size_t id)
    {
        if (const auto same = addresses_.find(a.address.value); same != addresses_.end())
            return clash{same->second, true};
        const auto network = a.network();
        const claim mine{network.last().value, on, id};
        const auto next = networks_.upper_bound(network.network.value);
        if (next != networks_.begin()) {
            const auto& [first, other] = *std::prev(next);
            const bool equal = first == network.network.value && other.last == mine.last;
            if (other.last >= network.network.value && !(equal && other.on == on))
                return clash{other.id, false};
        }
        if (next != networks_.end() && next->first <= mine.last)
            return clash{next->second.id, false};
        addresses_.emplace(a.address.value, id);
        networks_.emplace(network.network.value, mine);
        return {};
    }

private:
    struct claim {
        uint32_t last;
        Interface on;
        size_t id;
    };
    std::map<uint32_t, size_t> addresses_;
    std::map<uint32_t, claim> networks_; // by their first addresses
};

} // namespace weft::ip4
