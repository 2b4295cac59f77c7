// SPDX-License-Identifier: Apache-2.0
// The kind of interface `memif'.
#include "nodes/interface/kind.hh"
#include "drivers/dpdk/device_arguments.hh"
#include "drivers/memif/memif.hh"
#include "graph/engine.hh"

namespace weft::drivers::memif {

namespace {

void check(std::string_view, const config::value& settings, config::problems& problems)
{
    const auto& device = *settings.find("device");
    if (const auto fault = fault_of_arguments(device.text(), settings.get<uint16_t>("queues", 1));
        !fault.empty())
        problems.add(device, "{}", fault);
}

result<std::unique_ptr<interface_driver>> make(engine& engine, const std::string&,
                                               const config::value& settings)
{
    std::optional<net::mac_address> mac;
    if (const auto* given = settings.find("macaddress"))
        mac = given->as<net::mac_address>();
    return memif_device::open(settings.find("device")->text(), settings.get<uint16_t>("queues", 1),
                              mac, engine);
}

const interface_kind_registration kind{{
    .name = "memif",
    .devices = {"net_memif"},
    .takes = {"device", "macaddress", "rx-mode", "handoff", "optional", "queues", "promiscuous",
              "secondary-macaddresses"},
    .needs = {"device"},
    .check = check,
    .make = make,
    .input_name = input_name,
}};

} // namespace

} // namespace weft::drivers::memif
