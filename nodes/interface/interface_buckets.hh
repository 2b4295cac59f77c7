// SPDX-License-Identifier: Apache-2.0
// A token bucket for each interface, with memory for those that are used.
#pragma once

#include "base/reserved_array.hh"
#include "base/token_bucket.hh"
#include "nodes/interface/interface.hh"

#include <new>

namespace weft {

// Owner: one thread. Any number has a bucket, full at first.
class interface_buckets {
public:
    explicit interface_buckets(const token_bucket& first) : first_{first}
    {
        if (!places_.map(size_t{1} << 16, 0))
            throw std::bad_alloc{};
    }

    [[nodiscard]] token_bucket& operator[](interface_index of) noexcept
    {
        place& p = places_[of];
        if (!p.used) [[unlikely]] {
            new (&p.bucket) token_bucket{first_};
            p.used = true;
        }
        return p.bucket;
    }

private:
    struct place {
        token_bucket bucket;
        bool used;
    };

    const token_bucket first_;
    reserved_array<place> places_; // zero where nothing was asked
};

} // namespace weft
