// SPDX-License-Identifier: Apache-2.0
// Which frames a port's device lets in: by its MAC address, by further ones, or all.
#include "drivers/dpdk/device_fault.hh"
#include "drivers/dpdk/port.hh"

#include <cstring>
#include <rte_ethdev.h>
#include <spdlog/spdlog.h>
#include <utility>

namespace weft::drivers {

// The interface's address is its own for good: what comes back gets the one that there was.
result<void> port::set_address()
{
    rte_ether_addr address;
    if (mac_known_) {
        std::memcpy(&address, mac_.bytes.data(), sizeof address);
        if (const int code = rte_eth_dev_default_mac_addr_set(id_, &address); code != 0)
            return device_fault(options_.device, "its MAC address could not be set", code);
    }
    rte_eth_macaddr_get(id_, &address);
    std::memcpy(mac_.bytes.data(), &address, sizeof address);
    mac_known_ = true;
    return {};
}

result<void> port::set_mac(const net::mac_address& mac)
{
    rte_ether_addr address;
    std::memcpy(&address, mac.bytes.data(), sizeof address);
    if (is_open())
        if (const int code = rte_eth_dev_default_mac_addr_set(id_, &address); code != 0)
            return device_fault(options_.device, "its MAC address could not be set", code);
    mac_ = mac; // what comes back gets it, too
    mac_known_ = true;
    return {};
}

void port::let_in(const net::mac_address& mac)
{
    rte_ether_addr address;
    std::memcpy(&address, mac.bytes.data(), sizeof address);
    const quiet_dpdk trying;
    if (is_open() && rte_eth_dev_mac_addr_add(id_, &address, 0) != 0)
        unfiltered_.push_back(mac);
}

// What has no place for an address lets everything in; ethernet-input drops what is for others.
result<void> port::follow_promiscuity()
{
    const bool wanted = promiscuous_ || !unfiltered_.empty();
    if (!is_open() || wanted == lets_all_in_)
        return {};
    const int code = wanted ? rte_eth_promiscuous_enable(id_) : rte_eth_promiscuous_disable(id_);
    if (code != 0)
        return device_fault(options_.device, "its promiscuity could not be set", code);
    lets_all_in_ = wanted;
    return {};
}

result<void> port::add_mac(const net::mac_address& mac)
{
    let_in(mac);
    if (auto done = follow_promiscuity(); !done) {
        std::erase(unfiltered_, mac);
        return done;
    }
    more_macs_.push_back(mac); // what comes back gets it, too
    return {};
}

void port::remove_mac(const net::mac_address& mac)
{
    std::erase(more_macs_, mac);
    rte_ether_addr address;
    std::memcpy(&address, mac.bytes.data(), sizeof address);
    if (std::erase(unfiltered_, mac) == 0 && is_open())
        rte_eth_dev_mac_addr_remove(id_, &address);
    if (auto done = follow_promiscuity(); !done)
        spdlog::warn("{}", done.error().message);
}

result<void> port::set_promiscuous(bool on)
{
    const bool before = std::exchange(promiscuous_, on);
    auto done = follow_promiscuity();
    if (!done)
        promiscuous_ = before;
    return done;
}

// Of a device that has just been opened.
result<void> port::set_filters()
{
    unfiltered_.clear();
    lets_all_in_ = false;
    for (const auto& mac : more_macs_)
        let_in(mac);
    return follow_promiscuity();
}

} // namespace weft::drivers
