// SPDX-License-Identifier: Apache-2.0
// One limited thing that several interfaces use: half of it is set aside in equal shares, the rest
// is for who comes first.
#pragma once

#include "nodes/interface/interface.hh"

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

namespace weft::fib {

class shares {
public:
    explicit shares(size_t limit) noexcept : limit_{limit} {}

    // Whether one of `all` interfaces, those that exist, may take one more without touching what
    // the others have set aside.
    [[nodiscard]] bool room_for(interface_index i,
                                const std::vector<interface*>& all) const noexcept
    {
        const size_t own = limit_ / 2 / std::max<size_t>(all.size(), 1);
        size_t for_others = 0;
        if (own > 0)
            for (const interface* other : all)
                if (other->index != i && used_[other->index] < own)
                    for_others += own - used_[other->index];
        return total_ < limit_ && (used_[i] < own || total_ + for_others < limit_);
    }
    void take(interface_index i) noexcept
    {
        ++used_[i];
        ++total_;
    }
    void give_back(interface_index i, size_t count = 1) noexcept
    {
        used_[i] -= count;
        total_ -= count;
    }
    // Who uses most; `i` where no other uses more.
    [[nodiscard]] interface_index largest(interface_index i) const noexcept
    {
        const auto most = std::max_element(used_.begin(), used_.end());
        return *most > used_[i] ? static_cast<interface_index>(most - used_.begin()) : i;
    }
    [[nodiscard]] size_t used(interface_index i) const noexcept { return used_[i]; }
    [[nodiscard]] size_t total() const noexcept { return total_; }

private:
    size_t limit_;
    size_t total_ = 0;
    std::array<size_t, max_interfaces> used_{};
};

} // namespace weft::fib
