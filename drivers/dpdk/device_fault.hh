// SPDX-License-Identifier: Apache-2.0
// What DPDK says of a device that cannot do something, and how it is kept from saying it twice.
#pragma once

#include "base/result.hh"

#include <rte_errno.h>
#include <rte_log.h>
#include <string>

namespace weft::drivers {

// `code`: an errno of DPDK's, of either sign.
inline tl::unexpected<error> device_fault(const std::string& device, const char* what, int code)
{
    return fail(errc::io, "device `{}': {}: {}", device, what,
                rte_strerror(code < 0 ? -code : code));
}

// Holds DPDK's log back while something is tried that may be refused.
class quiet_dpdk {
public:
    quiet_dpdk() : level_{rte_log_get_global_level()} { rte_log_set_global_level(RTE_LOG_EMERG); }
    ~quiet_dpdk() { rte_log_set_global_level(level_); }

private:
    const uint32_t level_;
};

} // namespace weft::drivers
