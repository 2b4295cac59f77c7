// SPDX-License-Identifier: Apache-2.0
// Kinds of interfaces: each registers its name, its keys, and how one is made. No list names them.
#pragma once

#include "base/result.hh"
#include "control/config/config.hh"
#include "nodes/interface/interface.hh"

#include <map>
#include <memory>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft {

class engine;

struct interface_kind {
    std::string_view name; // of `kind' in the file and of `interface create KIND'
    // Where the file gives no `kind', an interface is of the kind whose key it has, or that takes
    // its `device': the value up to its arguments and without a number at its end, so that
    // `net_memif' stands for `net_memif0,socket=...'; `*' stands for what no other kind takes.
    std::string_view key{};
    std::vector<std::string_view> devices{};
    std::vector<config::key> keys{};       // its own, such as "interfaces.*.vlan"
    std::vector<std::string_view> takes{}; // keys that several kinds have, such as "queues"
    std::vector<std::string_view> needs{}; // keys that must be given
    // What the keys alone cannot tell of one interface's settings.
    void (*check)(std::string_view name, const config::value& settings,
                  config::problems&) = nullptr;
    // Opens nothing yet. Errors do not name the interface.
    result<std::unique_ptr<interface_driver>> (*make)(engine&, const std::string& name,
                                                      const config::value& settings) = nullptr;
    // The node that polls a receive queue; null where nothing is received.
    std::string (*input_name)(const std::string& interface, uint16_t queue) = nullptr;
};

// Registered before main(), or by a plugin.
class interface_kind_registration {
public:
    explicit interface_kind_registration(
        interface_kind what, std::source_location where = std::source_location::current());
    ~interface_kind_registration(); // takes it back, for tests
    interface_kind_registration(const interface_kind_registration&) = delete;
    interface_kind_registration& operator=(const interface_kind_registration&) = delete;

    interface_kind what;
    std::source_location where;

private:
    std::unique_ptr<config::registration> keys_; // where the kind has any
};

// The kinds that are registered, by name.
class interface_kinds {
public:
    // An error names what two kinds claim, a name, a key or a device, with the places of both.
    [[nodiscard]] static result<interface_kinds> registered();
    [[nodiscard]] static result<interface_kinds>
    of(std::span<const interface_kind_registration* const> registrations);

    [[nodiscard]] const interface_kind* find(std::string_view name) const noexcept;
    // Of an interface with these settings. The error names the key that is missing or unknown.
    [[nodiscard]] result<const interface_kind*> of(const config::value& settings) const;
    // Keys that the settings have and their kind does not take, or the other way round.
    void check_keys(const interface_kind& kind, const config::value& settings,
                    config::problems& problems) const;
    [[nodiscard]] std::string names() const; // "dpdk, memif, null"

private:
    std::map<std::string_view, const interface_kind_registration*> by_name_, by_key_, by_device_;
    std::map<std::string_view, bool> keys_; // that not every kind takes
};

// `net_memif' of `net_memif0,socket=/run/a'.
[[nodiscard]] std::string_view driver_part(std::string_view device) noexcept;

// A module of the engine: where `wanted`, interfaces of the kind `null' stand in for all that have
// a `device', so that a configuration can be tried on a machine that has none of them. To be set
// before the configuration is applied.
struct stand_in_devices {
    explicit stand_in_devices(engine&) {}
    bool wanted = false;
    std::map<std::string, net::mac_address> macs; // the devices' own, by interface
};

} // namespace weft
