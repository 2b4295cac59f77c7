// SPDX-License-Identifier: Apache-2.0
// Ethernet headers with the tags of sub-interfaces.
#include "nodes/interface/link_header.hh"

namespace weft {

link_header::link_header(const interface_table& interfaces, interface_index from,
                         const net::mac_address& to, net::be16 type) noexcept
{
    std::array<uint32_t, max_tags> tags{}; // the innermost first
    size_t count = 0;
    for (interface_index at = from; at != no_interface && count < max_tags;) {
        const interface_hot& hot = interfaces.hot(at);
        const uint32_t tag = hot.tag.load(std::memory_order_relaxed);
        if (tag == 0)
            break;
        tags[count++] = tag;
        at = hot.parent.load(std::memory_order_relaxed);
    }
    const auto put = [&](const auto& what) {
        std::memcpy(bytes_.data() + size_, &what, sizeof what);
        size_ = static_cast<uint8_t>(size_ + sizeof what);
    };
    put(to);
    const net::mac_address own = interfaces.hot(from).mac;
    put(own);
    while (count > 0) {
        --count;
        put(net::be16{static_cast<uint16_t>(tags[count] >> 16)});
        put(net::be16{static_cast<uint16_t>(tags[count])});
    }
    put(type);
}

} // namespace weft
