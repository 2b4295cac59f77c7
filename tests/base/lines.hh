// SPDX-License-Identifier: Apache-2.0
// Names or lines in their order, as tests compare them.
#pragma once

#include <string>
#include <vector>

namespace weft {

using lines = std::vector<std::string>;

} // namespace weft
