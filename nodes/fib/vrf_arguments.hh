// SPDX-License-Identifier: Apache-2.0
// How commands and the configuration name VRFs, for all address families.
#pragma once

#include "control/command/command.hh"
#include "control/config/config.hh"
#include "nodes/fib/vrfs.hh"

#include <string>
#include <string_view>

namespace weft {

// The VRF that a command's parameter names, or `otherwise` where it was not given. Main thread.
// errc::not_found.
[[nodiscard]] result<vrf_index> vrf_of(const command_context& context,
                                       std::string_view parameter = "vrf",
                                       vrf_index otherwise = default_vrf);

// The name of the VRF that a key of `settings` gives, or the default one's.
[[nodiscard]] std::string vrf_in(const config::value& settings, std::string_view key = "vrf");

// Whether what a key of `settings` names is configured under `vrfs` of the tree.
void check_vrf(const config::value& settings, std::string_view key, const config::value& root,
               config::problems& problems);

} // namespace weft
