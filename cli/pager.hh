// SPDX-License-Identifier: Apache-2.0
// Shows a long answer page by page.
#pragma once

#include <string_view>

namespace weftctl {

// Prints `text`; through $PAGER, less or a simple pager of our own where standard output is a
// terminal that is too small for it.
void show(std::string_view text);

} // namespace weftctl
