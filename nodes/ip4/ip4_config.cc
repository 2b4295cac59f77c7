// SPDX-License-Identifier: Apache-2.0
// The configuration of IPv4's nodes: icmp, ip and ecmp.
#include "base/input_file.hh"
#include "control/config/config.hh"
#include "graph/engine.hh"
#include "nodes/interface/flow_hash.hh"
#include "nodes/interface/interface.hh"
#include "nodes/ip4/ip4.hh"
#include "nodes/ip4/ip4_settings.hh"

#include <algorithm>
#include <array>
#include <spdlog/spdlog.h>
#include <string_view>

namespace weft::ip4 {

namespace {

const config::value* find(const config::value& root, std::string_view section, std::string_view key)
{
    const auto* mapping = root.find(section);
    return mapping == nullptr ? nullptr : mapping->find(key);
}

// Of the installation: machine-id(5); nothing where there is none.
std::string machine_id()
{
    std::array<char, 64> text{};
    auto file = input_file::open("/etc/machine-id", text.size());
    const auto size = file ? file->read(text) : result<size_t>{0};
    return {text.data(), size.value_or(0)};
}

// But for zero, which ports that are nowhere have.
uint64_t lowest_mac(const interface_table& interfaces)
{
    uint64_t lowest = ~uint64_t{0};
    for (const auto& i : interfaces.all()) {
        uint64_t number = 0;
        const net::mac_address mac = interfaces.hot(i->index).mac;
        for (const uint8_t byte : mac.bytes)
            number = number << 8 | byte;
        lowest = number == 0 ? lowest : std::min(lowest, number);
    }
    return lowest;
}

// The same after each start, and another one on each machine; on machines that are copies of each
// other, too, for no two have one MAC address.
uint64_t number_of_machine(const interface_table& interfaces)
{
    uint64_t number = lowest_mac(interfaces);
    for (const char c : machine_id())
        number = flow_seed(number ^ static_cast<uint8_t>(c));
    return number & 0xffff'ffff; // as a number that `ecmp.seed' takes
}

} // namespace

uint64_t configure(settings& to, const config::value& root, const interface_table& interfaces)
{
    if (const auto* source = find(root, "icmp", "source"))
        to.icmp_from_rx = source->text() == "rx-interface";
    if (const auto* obeyed = find(root, "ip", "source-routes"))
        to.source_routes = obeyed->as<bool>();
    const auto* seed = find(root, "ecmp", "seed");
    const uint64_t number = seed != nullptr ? seed->as<uint64_t>() : number_of_machine(interfaces);
    to.flow_seed = flow_seed(number);
    return number;
}

namespace {

result<void> apply(const config::value& root, engine& engine)
{
    const auto* through_default = find(root, "ip", "resolve-via-default");
    engine.module<tables>().recursive().use_default_routes(through_default != nullptr &&
                                                           through_default->as<bool>());
    spdlog::info("ecmp.seed is {}",
                 configure(engine.module<settings>(), root, interfaces_of(engine)));
    return {};
}

const config::registration registration{{
    .name = "ip4",
    .keys = {{"icmp", config::mapping(), "ICMP messages sent by the router."},
             {"icmp.source", config::one_of({"tx-interface", "rx-interface"}),
              "Source address of ICMP errors: that of the interface they leave by (default; RFC "
              "1812 section 4.3.2.4), or that of the interface the offending packet arrived on. If "
              "that interface has no address, the first address in `interfaces` is used."},
             {"ip", config::mapping(), "Handling of IPv4 packets."},
             {"ip.resolve-via-default", config::boolean(),
              "Whether a next hop on no network of the router may be reached through the default "
              "route (default false: such a route waits)."},
             {"ip.source-routes", config::boolean(),
              "Whether source-routed packets are forwarded (default false: they are dropped, and "
              "the sender gets an ICMP error)."},
             {"ecmp", config::mapping(), "How flows are spread over equal-cost paths."},
             {"ecmp.seed", config::number(0, 0xffff'ffff),
              "Seed of the flow hash. It should differ between routers in a row, so that their "
              "path choices are independent (default: derived from /etc/machine-id and the lowest "
              "MAC address, so it only changes when they do)."}},
    .apply = apply,
    .after = {"interfaces"},
}};

} // namespace

} // namespace weft::ip4
