// SPDX-License-Identifier: Apache-2.0
// The Ethernet header with which frames leave by an interface: a sub-interface's has its tags.
#pragma once

#include "base/net/headers.hh"
#include "nodes/interface/interface.hh"

#include <array>
#include <span>

namespace weft {

// A sub-interface's tag in one word: the EtherType of its protocol, and its VLAN; 0 is no tag.
[[nodiscard]] constexpr uint32_t tag_word(net::be16 protocol, uint16_t vlan) noexcept
{
    return uint32_t{protocol.host()} << 16 | vlan;
}

class link_header {
public:
    static constexpr size_t max_tags = 2; // a VLAN on a VLAN

    // From an interface's own MAC address of now. Any thread, for an interface that exists.
    link_header(const interface_table& interfaces, interface_index from, const net::mac_address& to,
                net::be16 type) noexcept;

    // 14, 18 or 22 bytes.
    [[nodiscard]] std::span<const std::byte> bytes() const noexcept
    {
        return {bytes_.data(), size_};
    }
    [[nodiscard]] uint8_t size() const noexcept { return size_; }

private:
    std::array<std::byte, sizeof(net::ethernet_header) + max_tags * sizeof(net::vlan_tag)> bytes_{};
    uint8_t size_ = 0;
};

} // namespace weft
