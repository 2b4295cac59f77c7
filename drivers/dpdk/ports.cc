// SPDX-License-Identifier: Apache-2.0
// The kind of interface `dpdk', and what ports of all kinds share: buffers and devices.
#include "control/config/config.hh"
#include "drivers/dpdk/buffers.hh"
#include "drivers/dpdk/device_arguments.hh"
#include "drivers/dpdk/port.hh"
#include "graph/engine.hh"
#include "nodes/interface/kind.hh"

#include <map>
#include <rte_mbuf.h>

namespace weft::drivers {

namespace {

// Whether the settings are of a port that receives.
bool has_queues(const config::value& settings)
{
    const auto* device = settings.find("device");
    return device != nullptr && driver_part(device->text()) != "null";
}

// Every receive ring is filled with buffers before the first packet comes, and as many must be left
// to be under way.
void check_buffers(const pool_shape& buffers, const config::value& interfaces,
                   config::problems& problems)
{
    uint64_t queues = 0;
    for (const auto& [name, key_at, settings] : interfaces.entries())
        if (has_queues(settings))
            queues += settings.get<uint32_t>("queues", 1);
    const uint64_t least = 2 * queues * port_options{}.rx_descriptors;
    if (buffers.count < least)
        problems.add(interfaces, "{} receive queues need at least {} buffers, buffers.count is {}",
                     queues, least, buffers.count);
}

// What a device takes for itself: its own name, and what its arguments name.
std::vector<resource> all_resources(const std::string& device)
{
    auto wanted = resources_of(device);
    const std::string driver = device_name(device);
    wanted.insert(wanted.begin(), {"device/" + driver, "device " + driver});
    return wanted;
}

// What one interface takes, another one cannot have.
void check_owners(const config::value& interfaces, config::problems& problems)
{
    std::map<std::string, std::string> owners;
    for (const auto& [name, key_at, settings] : interfaces.entries()) {
        if (!has_queues(settings))
            continue;
        const auto& device = *settings.find("device");
        for (const auto& what : all_resources(device.text())) {
            const auto [owner, fresh] = owners.emplace(what.name, name);
            if (fresh || owner->second == name)
                continue;
            problems.add(device, "{} is already used by interface {}", what.words, owner->second);
            break; // the others say the same
        }
    }
}

// Drivers that receive a frame into one buffer only; of others it shows when they are opened.
bool takes_no_parts(const config::value& settings)
{
    return driver_of(settings.find("device")->text()).starts_with("net_af_");
}

void check_all(const config::value& root, config::problems& problems)
{
    const auto* interfaces = root.find("interfaces");
    if (interfaces == nullptr)
        return;
    const pool_shape buffers{root};
    check_buffers(buffers, *interfaces, problems);
    check_owners(*interfaces, problems);
    for (const auto& [name, key_at, settings] : interfaces->entries()) {
        const auto* mtu = settings.find("mtu");
        if (mtu != nullptr && has_queues(settings) && takes_no_parts(settings) &&
            !is_in_one_buffer(mtu->as<uint16_t>(), buffers.size))
            problems.add(*mtu,
                         "{} plus {} bytes of Ethernet does not fit into a buffer of {} bytes "
                         "(buffers.size), and the device's driver uses one for each frame",
                         mtu->text(), ethernet_overhead, buffers.size);
    }
}

const config::registration section{{
    .name = "ports",
    .keys = {},
    .check = check_all,
    .also_reads = {"buffers", "interfaces"},
}};

void check_arguments(std::string_view, const config::value& settings, config::problems& problems)
{
    const auto& device = *settings.find("device");
    if (const auto fault = fault_of_arguments(device.text(), settings.get<uint16_t>("queues", 1));
        !fault.empty())
        problems.add(device, "{}", fault);
}

port_options options_of(const config::value& settings)
{
    port_options options;
    options.device = settings.find("device")->text();
    if (settings.find("macaddress") != nullptr)
        options.mac = settings.find("macaddress")->as<net::mac_address>();
    options.mtu = settings.get<uint16_t>("mtu", options.mtu);
    options.queues = settings.get<uint16_t>("queues", options.queues);
    return options;
}

result<std::unique_ptr<interface_driver>> make_port(engine& engine, const std::string& name,
                                                    const config::value& settings)
{
    auto options = options_of(settings);
    for (const auto& what : all_resources(options.device))
        if (auto taken = engine.module<device_owners>().take(what, name); !taken) {
            engine.module<device_owners>().give_back(name);
            return pass(taken);
        }
    options.owner = name;
    return std::make_unique<port>(options, engine, engine.pools().front());
}

const interface_kind_registration kind{{
    .name = "dpdk",
    .devices = {"*"},
    .takes = {"device", "macaddress", "rx-mode", "handoff", "optional", "queues", "promiscuous",
              "secondary-macaddresses"},
    .needs = {"device"},
    .check = check_arguments,
    .make = make_port,
    .input_name = input_name,
}};

} // namespace

result<void> device_owners::take(const resource& what, const std::string& interface)
{
    const auto [owner, fresh] = owners_.emplace(what.name, interface);
    if (!fresh && owner->second != interface)
        return fail(errc::exists, "{} is already used by interface {}", what.words, owner->second);
    return {};
}

void device_owners::give_back(const std::string& interface)
{
    std::erase_if(owners_, [&](const auto& owned) { return owned.second == interface; });
}

} // namespace weft::drivers
