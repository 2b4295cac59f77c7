// SPDX-License-Identifier: Apache-2.0
// The nearest word by edit distance.
#include "base/nearest.hh"

#include <algorithm>
#include <utility>
#include <vector>

namespace weft {

namespace {

char lower(char c) noexcept
{
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// Edit distance with neighbouring letters swapped as one step (optimal string alignment); case
// does not count.
size_t distance(std::string_view a, std::string_view b)
{
    std::vector<size_t> before, previous(b.size() + 1), current(b.size() + 1);
    for (size_t j = 0; j <= b.size(); ++j)
        previous[j] = j;
    for (size_t i = 1; i <= a.size(); ++i) {
        current[0] = i;
        for (size_t j = 1; j <= b.size(); ++j) {
            const bool same = lower(a[i - 1]) == lower(b[j - 1]);
            current[j] = std::min({previous[j] + 1, current[j - 1] + 1, previous[j - 1] + !same});
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                lower(a[i - 2]) == lower(b[j - 1]))
                current[j] = std::min(current[j], before[j - 2] + 1);
        }
        before = std::exchange(previous, current);
    }
    return previous[b.size()];
}

} // namespace

std::string nearest(std::string_view word, std::span<const std::string> words)
{
    constexpr size_t longest = 64; // no key is longer; bounds the work for a hostile word
    if (word.empty() || word.size() > longest)
        return "";
    const std::string* best = nullptr;
    size_t best_distance = std::max<size_t>(1, word.size() / 3) + 1;
    for (const std::string& candidate : words) {
        const size_t d = distance(word, candidate);
        if (d < best_distance) {
            best = &candidate;
            best_distance = d;
        }
    }
    if (best == nullptr && word.size() >= 3) // an abbreviation: addr for addresses
        for (const std::string& candidate : words)
            if (best == nullptr && candidate.starts_with(word))
                best = &candidate;
    return best == nullptr ? "" : *best;
}

} // namespace weft
