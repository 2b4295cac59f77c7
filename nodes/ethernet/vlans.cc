// SPDX-License-Identifier: Apache-2.0
// Which sub-interface a tag belongs to, and how sub-interfaces follow what they lie on.
#include "nodes/ethernet/vlans.hh"

#include "graph/engine.hh"
#include "nodes/interface/link.hh"
#include "nodes/interface/link_header.hh"

#include <new>

namespace weft::ethernet {

vlans::tags::~tags()
{
    for (auto& of : pages)
        for (auto& page : of)
            delete page.load();
}

vlans::vlans(engine& engine) : engine_{engine}
{
    if (!tags_.map(size_t{1} << 16, 0))
        throw std::bad_alloc{};
    interfaces_of(engine).observe([this](const interface& i) { follow(i); });
}

vlans::~vlans()
{
    for (const auto& [parent, of] : children_)
        delete tags_[parent].load();
}

// Link, MAC address and the bound of the MTU come from below.
void vlans::follow(const interface& parent)
{
    auto& interfaces = interfaces_of(engine_);
    const auto& above = interfaces.hot(parent.index);
    for (const interface_index index : children(parent.index)) {
        interface& child = interfaces.at(index);
        if (child.driver == nullptr)
            continue;
        look_at_link(interfaces, child);
        const net::mac_address mac = above.mac, old = interfaces.hot(index).mac;
        if (mac != old) {
            interfaces.set_mac(child, mac);
            interfaces.notify(child);
        }
        child.driver->follow_parent(engine_);
    }
}

result<void> vlans::check(interface_index parent, net::be16 protocol, uint16_t vlan) const
{
    const auto of = children_.find(parent);
    if (of == children_.end())
        return {};
    const auto taken = of->second.find(tag_word(protocol, vlan));
    if (taken == of->second.end())
        return {};
    return fail(errc::exists, "VLAN {} of interface {} is already used by interface {}", vlan,
                interfaces_of(engine_).at(parent).name,
                interfaces_of(engine_).at(taken->second).name);
}

void vlans::add(interface_index parent, net::be16 protocol, uint16_t vlan, interface_index child)
{
    children_[parent][tag_word(protocol, vlan)] = child;
    tags* of = tags_[parent].load();
    if (of == nullptr)
        tags_[parent].store(of = new tags, std::memory_order_release);
    auto& place = of->pages[place_of(protocol)][vlan / page_size];
    page* p = place.load();
    if (p == nullptr) {
        p = new page;
        for (auto& entry : *p)
            entry.store(no_interface, std::memory_order_relaxed);
        place.store(p, std::memory_order_release);
    }
    (*p)[vlan % page_size].store(child, std::memory_order_relaxed);
    ++of->used;
}

void vlans::remove(interface_index parent, net::be16 protocol, uint16_t vlan)
{
    tags* const of = tags_[parent].load();
    (*of->pages[place_of(protocol)][vlan / page_size].load())[vlan % page_size].store(
        no_interface, std::memory_order_relaxed);
    children_[parent].erase(tag_word(protocol, vlan));
    if (--of->used > 0)
        return;
    children_.erase(parent);
    tags_[parent].store(nullptr, std::memory_order_release);
    engine_.rcu().defer([of] { delete of; });
}

std::vector<interface_index> vlans::children(interface_index parent) const
{
    std::vector<interface_index> found;
    if (const auto of = children_.find(parent); of != children_.end())
        for (const auto& [tag, child] : of->second)
            found.push_back(child);
    return found;
}

} // namespace weft::ethernet
