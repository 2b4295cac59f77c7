// SPDX-License-Identifier: Apache-2.0
// interfaces.*.ip4, and what becomes of an interface's addresses when it is deleted.
#include "nodes/ip4/ip4_interfaces.hh"

#include "control/config/config.hh"
#include "graph/engine.hh"
#include "graph/init.hh"
#include "nodes/fib/vrfs.hh"

#include <spdlog/spdlog.h>

namespace weft::ip4 {

ip4_interfaces::ip4_interfaces(engine& engine) : engine_{engine}, ip4_{engine.module<tables>()}
{
    ip4_.observe_addresses(
        [this](interface_index i, net::ip4_address, bool /*added*/) { follow(i); });
    auto& interfaces = interfaces_of(engine);
    interfaces.observe([this](const interface& i) { follow(i.index); });
    interfaces.observe_removal([this](const interface& i) {
        for (const auto& a : ip4_.addresses_of(i.index))
            if (auto done = ip4_.remove_address(i.index, a); !done)
                spdlog::error("interface {}: {}", i.name, done.error().message);
        ip4_.release_device(i);
        enabled_.erase(i.index);
        auto& vrfs = engine_.module<vrf_table>();
        if (vrfs.of(i.index) != 0) // the next interface of its number is in the default VRF
            if (auto done = vrfs.bind(i.index, 0); !done)
                spdlog::error("interface {}: {}", i.name, done.error().message);
    });
}

bool ip4_interfaces::is_on(const interface& i) const
{
    return enabled_.contains(i.index) || !ip4_.addresses_of(i.index).empty();
}

void ip4_interfaces::enable(const interface& i, bool on)
{
    if (on)
        enabled_.insert(i.index);
    else
        enabled_.erase(i.index);
    follow(i.index);
}

void ip4_interfaces::follow(interface_index i)
{
    auto& interfaces = interfaces_of(engine_);
    interfaces.hot(i).set_ip4_off(!is_on(interfaces.at(i)));
}

namespace {

result<void> begin(engine& engine)
{
    [[maybe_unused]] auto& made = engine.module<ip4_interfaces>();
    return {};
}

const init_registration init{"ip4-interfaces", init_phase::early, begin};

result<void> apply(const config::value& root, engine& engine)
{
    const auto* interfaces = root.find("interfaces");
    if (interfaces == nullptr)
        return {};
    for (const auto& [name, key_at, settings] : interfaces->entries())
        if (const auto* i = interfaces_of(engine).find(name); i != nullptr)
            engine.module<ip4_interfaces>().enable(*i, settings.get("ip4", false));
    return {};
}

const config::registration section{{
    .name = "ip4-interfaces",
    .keys = {{"interfaces.*.ip4", config::boolean(),
              "Whether IPv4 is enabled even without an address (default false: IPv4 packets are "
              "dropped)."}},
    .apply = apply,
    .after = {"ip4-addresses"},
}};

} // namespace

} // namespace weft::ip4
