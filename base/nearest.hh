// SPDX-License-Identifier: Apache-2.0
// What a mistyped word may have been meant for.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace weft {

// The word of `words` nearest to `word` by edit distance, if near enough to be meant; else empty.
[[nodiscard]] std::string nearest(std::string_view word, std::span<const std::string> words);

} // namespace weft
