// SPDX-License-Identifier: Apache-2.0
// Time on the control path: nanoseconds that only go forward, replaceable in tests.
#pragma once

#include <chrono>

namespace weft {

using duration = std::chrono::nanoseconds;
using namespace std::chrono_literals;

// Where the main thread takes its time from. Tests give a clock that they advance by hand.
class clock_source {
public:
    virtual ~clock_source() = default;
    [[nodiscard]] virtual duration now() const noexcept = 0;
};

class steady_clock_source final : public clock_source {
public:
    [[nodiscard]] duration now() const noexcept override
    {
        return std::chrono::steady_clock::now().time_since_epoch();
    }
};

} // namespace weft
