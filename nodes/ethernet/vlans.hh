// SPDX-License-Identifier: Apache-2.0
// The sub-interfaces of each interface, by the tags of their frames.
#pragma once

#include "base/net/headers.hh"
#include "base/reserved_array.hh"
#include "base/result.hh"
#include "nodes/interface/interface.hh"

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <vector>

namespace weft {
class engine;
}

namespace weft::ethernet {

// vlan-output, which all sub-interfaces share.
extern const node_descriptor vlan_output_node;

// A module of the engine. Main thread, but for find().
class vlans {
public:
    explicit vlans(engine& engine);
    ~vlans();
    vlans(const vlans&) = delete;
    vlans& operator=(const vlans&) = delete;

    // errc::exists, naming the other one.
    [[nodiscard]] result<void> check(interface_index parent, net::be16 protocol,
                                     uint16_t vlan) const;
    void add(interface_index parent, net::be16 protocol, uint16_t vlan, interface_index child);
    void remove(interface_index parent, net::be16 protocol, uint16_t vlan);
    // Of one interface, in order of protocol and VLAN.
    [[nodiscard]] std::vector<interface_index> children(interface_index parent) const;

    // Any thread, inside a loop: the sub-interface, or no_interface. Three reads at most.
    [[nodiscard]] interface_index find(interface_index parent, net::be16 protocol,
                                       uint16_t vlan) const noexcept
    {
        const tags* const of = tags_[parent].load(std::memory_order_acquire);
        if (of == nullptr)
            return no_interface;
        const page* const p =
            of->pages[place_of(protocol)][vlan / page_size].load(std::memory_order_acquire);
        return p == nullptr ? no_interface : (*p)[vlan % page_size].load(std::memory_order_relaxed);
    }

private:
    static constexpr size_t vlan_count = 4096, page_size = 64;
    using page = std::array<std::atomic<interface_index>, page_size>;
    struct tags {
        std::array<std::array<std::atomic<page*>, vlan_count / page_size>, 2> pages{};
        size_t used = 0;
        ~tags();
    };
    static size_t place_of(net::be16 protocol) noexcept
    {
        return protocol == net::ether_type::vlan ? 0 : 1;
    }
    void follow(const interface& parent);

    engine& engine_;
    reserved_array<std::atomic<tags*>> tags_; // by parent, resident as used
    // Main thread: by parent, then the word of a tag.
    std::map<interface_index, std::map<uint32_t, interface_index>> children_;
};

} // namespace weft::ethernet
