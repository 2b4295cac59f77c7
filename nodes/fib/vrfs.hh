// SPDX-License-Identifier: Apache-2.0
// VRFs, which all address families share: their names and numbers, and which interface is in which.
#pragma once

#include "base/result.hh"
#include "nodes/interface/interface.hh"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weft {

using vrf_index = uint16_t; // from 0; that of a deleted VRF is used again after a grace period
inline constexpr vrf_index default_vrf = 0;
inline constexpr size_t max_vrfs = 4096;

// An address family, which keeps tables for each VRF. Main thread.
class vrf_user {
public:
    virtual ~vrf_user() = default;
    virtual result<void> add_vrf(vrf_index vrf) = 0;
    // Why a VRF cannot be removed (routes lead through it), or an interface not be taken out of the
    // VRF that it is in (it has addresses there).
    [[nodiscard]] virtual result<void> may_remove_vrf(vrf_index vrf) const = 0;
    [[nodiscard]] virtual result<void> may_bind(interface_index i) const = 0;
    virtual void remove_vrf(vrf_index vrf) = 0;
    virtual void bind(interface_index i, vrf_index vrf) = 0;
};

// A module of the engine. Main thread.
class vrf_table {
public:
    static constexpr std::string_view default_name = "default";

    explicit vrf_table(engine& engine);

    // A name that the kernel takes for a device: up to 15 bytes, neither `/' nor blanks.
    // errc::invalid_argument, errc::exists, errc::exhausted.
    result<vrf_index> add(std::string_view name);
    // errc::not_found; errc::invalid_argument for the default VRF; errc::exists while interfaces
    // are in it or a family still needs it.
    result<void> remove(std::string_view name);
    // Puts an interface into a VRF. Fails while a family has something on the interface.
    result<void> bind(interface_index i, vrf_index vrf);

    [[nodiscard]] std::optional<vrf_index> find(std::string_view name) const;
    [[nodiscard]] const std::string& name_of(vrf_index vrf) const { return names_[vrf]; }
    [[nodiscard]] vrf_index of(interface_index i) const noexcept { return of_[i]; }
    [[nodiscard]] std::vector<vrf_index> all() const; // in order of their numbers
    // Whether an interface is, or was, in another VRF than the default one.
    [[nodiscard]] bool several() const noexcept { return several_; }

    // From then on; there is no VRF but the default one yet, whose tables it has.
    void add_user(vrf_user& user);

private:
    engine& engine_;
    std::vector<std::string> names_{std::string{default_name}}; // empty: there is none
    std::vector<vrf_index> free_;
    std::array<vrf_index, max_interfaces> of_{};
    std::vector<vrf_user*> users_;
    bool several_ = false;
};

// What a key or an argument names; errc::not_found: "no VRF `blue'".
[[nodiscard]] result<vrf_index> vrf_named(engine& engine, std::string_view name);

} // namespace weft
