// SPDX-License-Identifier: Apache-2.0
// The plain form of the copying, and the choice between the forms.
#include "drivers/memif/copy.hh"

#include <cstring>

namespace weft::drivers::memif {

namespace {

std::array<copy_function, 4>& forms() noexcept
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

copy_registration::copy_registration(form which, copy_function function) noexcept
{
    forms()[static_cast<size_t>(which)] = function;
}

copy_function copy_of(form which) noexcept
{
    return is_supported(which) ? forms()[static_cast<size_t>(which)] : nullptr;
}

copy_function best_copy() noexcept
{
    for (const form which : {form::avx512, form::avx2, form::baseline})
        if (const auto function = copy_of(which); function != nullptr)
            return function;
    return copy_plain;
}

} // namespace weft::drivers::memif
