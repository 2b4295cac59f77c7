// SPDX-License-Identifier: Apache-2.0
#include "drivers/dpdk/device_arguments.hh"

#include "base/quote.hh"
#include "drivers/dpdk/port.hh"
#include "drivers/memif/options.hh"

#include <algorithm>
#include <charconv>
#include <net/if.h>
#include <rte_pci.h>

namespace weft::drivers {

namespace {

constexpr uint16_t tap_queues = 16; // of DPDK's driver

bool is_pci(const std::string& device)
{
    rte_pci_addr address{};
    return rte_pci_addr_parse(device.substr(0, device.find(',')).c_str(), &address) == 0;
}

resource linux_interface(std::string_view name)
{
    return {fmt::format("packet/{}", name), fmt::format("Linux interface {}", quote(name)), true};
}

void add_memif(const std::string& device, std::vector<resource>& found)
{
    const auto options = memif::parse_options(device);
    if (!options)
        return;
    const std::string socket = (options->abstract ? "@" : "") + options->socket;
    if (options->end == memif::role::server)
        found.push_back({"memif/" + socket, fmt::format("memif socket {}", quote(socket)), false});
    else
        found.push_back({fmt::format("memif-client/{}/{}", options->id, socket),
                         fmt::format("id {} of memif socket {}", options->id, quote(socket)),
                         false});
}

void add_pcap(const std::string& device, std::vector<resource>& found)
{
    for (const char* key : {"iface", "rx_iface", "rx_iface_in", "tx_iface"})
        if (const auto name = argument_of(device, key); !name.empty())
            found.push_back(linux_interface(name));
    if (const auto file = argument_of(device, "tx_pcap"); !file.empty())
        found.push_back({fmt::format("file/{}", file), fmt::format("file {}", quote(file)), false});
}

// How the kernel judges it (dev_valid_name).
bool is_interface_name(std::string_view name)
{
    return !name.empty() && name.size() < IFNAMSIZ && name != "." && name != ".." &&
           std::none_of(name.begin(), name.end(), [](char c) {
               return c == '/' || c == ':' || static_cast<unsigned char>(c) <= ' ';
           });
}

} // namespace

std::string_view driver_of(std::string_view device) noexcept
{
    auto name = device.substr(0, device.find(','));
    if (name.find_first_of(":.") == std::string_view::npos)
        name = name.substr(0, name.find_last_not_of("0123456789") + 1);
    return name;
}

std::string_view argument_of(std::string_view device, std::string_view name) noexcept
{
    std::string_view value;
    for (size_t at = device.find(','); at != std::string_view::npos; at = device.find(',')) {
        device.remove_prefix(at + 1);
        const auto argument = device.substr(0, device.find(','));
        if (argument.size() > name.size() && argument.starts_with(name) &&
            argument[name.size()] == '=')
            value = argument.substr(name.size() + 1);
    }
    return value;
}

std::vector<resource> resources_of(const std::string& device)
{
    const auto driver = driver_of(device);
    const auto name = argument_of(device, "iface");
    std::vector<resource> found;
    if (is_pci(device)) {
        found.push_back({"pci/" + device_name(device), "PCI device " + device_name(device), true});
    } else if (driver == "net_tap" || driver == "net_tun") {
        if (!name.empty() &&
            name.find('%') ==
                std::string_view::npos) // of `weft%d' the kernel makes names that are free
            found.push_back(
                {fmt::format("tap/{}", name), fmt::format("TAP {}", quote(name)), true});
    } else if (driver == "net_af_packet" || driver == "net_af_xdp") {
        if (!name.empty())
            found.push_back(linux_interface(name));
    } else if (driver == "net_vhost") {
        if (!name.empty())
            found.push_back(
                {fmt::format("file/{}", name), fmt::format("vhost socket {}", quote(name)), false});
    } else if (driver == "net_pcap") {
        add_pcap(device, found);
    } else if (memif::is_memif(device)) {
        add_memif(device, found);
    }
    return found;
}

std::string fault_of_arguments(const std::string& device, uint16_t queues)
{
    const auto driver = driver_of(device);
    if (memif::is_memif(device)) {
        const auto options = memif::parse_options(device);
        return options ? "" : options.error().message;
    }
    if (driver != "net_tap" && driver != "net_tun" && driver != "net_af_packet" &&
        driver != "net_af_xdp")
        return {};
    const auto name = argument_of(device, "iface");
    const bool attaches = driver.starts_with("net_af_");
    if ((attaches || !name.empty()) && !is_interface_name(name))
        return fmt::format("argument `iface': {} is not a valid Linux interface name (1 to {} "
                           "characters without `/', `:' and blanks)",
                           quote(name), IFNAMSIZ - 1);
    uint16_t most = tap_queues;
    if (attaches) {
        const auto pairs = argument_of(device, driver == "net_af_xdp" ? "queue_count" : "qpairs");
        most = 1;
        std::from_chars(pairs.data(), pairs.data() + pairs.size(), most);
    }
    if (queues > most)
        return fmt::format("it has at most {} receive queue{}, {} were requested", most,
                           most == 1 ? "" : "s", queues);
    return {};
}

} // namespace weft::drivers
