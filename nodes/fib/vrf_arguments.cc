// SPDX-License-Identifier: Apache-2.0
// The names of VRFs in commands and in the configuration.
#include "nodes/fib/vrf_arguments.hh"

namespace weft {

result<vrf_index> vrf_of(const command_context& context, std::string_view parameter,
                         vrf_index otherwise)
{
    if (!context.arguments.has(parameter))
        return otherwise;
    return vrf_named(context.engine, context.arguments.text(parameter));
}

std::string vrf_in(const config::value& settings, std::string_view key)
{
    return settings.get<std::string>(key, std::string{vrf_table::default_name});
}

void check_vrf(const config::value& settings, std::string_view key, const config::value& root,
               config::problems& problems)
{
    const auto* vrf = settings.find(key);
    if (vrf == nullptr || vrf->text() == vrf_table::default_name)
        return;
    if (const auto* vrfs = root.find("vrfs"); vrfs == nullptr || vrfs->find(vrf->text()) == nullptr)
        problems.add(*vrf, "no VRF `{}' is configured under `vrfs'", vrf->text());
}

} // namespace weft
