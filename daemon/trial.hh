// SPDX-License-Identifier: Apache-2.0
// Does something in a child process first, to see whether it can be survived.
#pragma once

#include "base/clock.hh"
#include "base/result.hh"

#include <functional>

namespace weft {

// Runs `work` in a forked child that ends afterwards, and returns what it returned. An error also
// says so if `work` threw, ended the process, crashed, or took longer than `limit`. Call while the
// process has one thread: of others the child would know nothing but the locks that they hold.
// errc::io if no child can be made.
[[nodiscard]] result<void> trial(const std::function<result<void>()>& work, duration limit);

} // namespace weft
