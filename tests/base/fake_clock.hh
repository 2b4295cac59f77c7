// SPDX-License-Identifier: Apache-2.0
// A clock that a test advances by hand.
#pragma once

#include "base/clock.hh"

namespace weft {

class fake_clock final : public clock_source {
public:
    [[nodiscard]] duration now() const noexcept override { return now_; }
    void advance(duration d) noexcept { now_ += d; }

private:
    duration now_ = 1000s;
};

} // namespace weft
