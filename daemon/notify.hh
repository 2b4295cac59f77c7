// SPDX-License-Identifier: Apache-2.0
// Tells the service manager how the daemon is (sd_notify(3)), without waiting for it.
#pragma once

#include <string_view>

namespace weft {

// `state` as sd_notify(3) has it. False if the manager's queue is full, which a later try may find
// otherwise; true also where there is no manager, or none that can be reached. Main thread.
bool notify(std::string_view state) noexcept;

} // namespace weft
