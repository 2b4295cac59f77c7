// SPDX-License-Identifier: Apache-2.0
// The plain variant of the copying, and the choice between the variants.
#include "drivers/memif/copy.hh"

#include <cstring>

namespace weft::drivers::memif {

namespace {

std::array<copy_function, 4>& variants() noexcept
{
    static std::array<copy_function, 4> all{copy_plain};
    return all;
}

} // namespace

void copy_plain(const copies& all) noexcept
{
    for (uint32_t i = 0; i < all.count; ++i)
        std::memcpy(all.to[i], all.from[i], all.length[i]);
}

copy_registration::copy_registration(variant which, copy_function function) noexcept
{
    variants()[static_cast<size_t>(which)] = function;
}

copy_function copy_of(variant which) noexcept
{
    return is_supported(which) ? variants()[static_cast<size_t>(which)] : nullptr;
}

copy_function best_copy() noexcept
{
    for (const variant which : {variant::avx512, variant::avx2, variant::baseline})
        if (const auto function = copy_of(which); function != nullptr)
            return function;
    return copy_plain;
}

} // namespace weft::drivers::memif
