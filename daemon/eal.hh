// SPDX-License-Identifier: Apache-2.0
// DPDK's environment abstraction layer: its arguments from the settings, its log into ours.
#pragma once

#include "base/result.hh"
#include "daemon/settings.hh"

namespace weft {

// Started once by the main thread; ended by the destructor, after the engine is gone.
class eal {
public:
    [[nodiscard]] static result<eal> start(const settings& s);
    eal(eal&& other) noexcept : running_{std::exchange(other.running_, false)} {}
    eal& operator=(eal&&) = delete;
    ~eal();

private:
    eal() = default;
    bool running_ = true;
};

} // namespace weft
