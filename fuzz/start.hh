// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace weft::fuzz {

// Before the first input; false if the EAL does not start.
[[nodiscard]] bool start();

} // namespace weft::fuzz
