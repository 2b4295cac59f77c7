// SPDX-License-Identifier: Apache-2.0
// Which nodes a worker's plan contains: shell patterns of their names.
#pragma once

#include "base/result.hh"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft {

// Patterns as of fnmatch(3): `*`, `?`, `[a-z]`, `[!0]`. One with `!` before it leaves out what it
// matches. A node is in if it matches none of those and, where there are others, one of them. No
// pattern at all: every node. Immutable.
class node_patterns {
public:
    static constexpr size_t longest = 64; // bytes of one
    static constexpr size_t most = 64;

    node_patterns() = default;
    explicit node_patterns(std::vector<std::string> patterns); // each of which passes check()

    [[nodiscard]] bool take(const std::string& node) const noexcept;
    [[nodiscard]] bool take_all() const noexcept { return patterns_.empty(); }
    [[nodiscard]] const std::vector<std::string>& list() const noexcept { return patterns_; }
    [[nodiscard]] std::string text() const; // "`dpdk-*', `!dpdk-tx-*'"

    // Whether `text` is a pattern: not empty, of the signs that names of nodes and patterns have,
    // each `[` closed.
    [[nodiscard]] static result<void> check(std::string_view text);

private:
    std::vector<std::string> patterns_;
};

// The same of one pattern without `!`, for commands that choose by name.
[[nodiscard]] bool matches(const std::string& pattern, const std::string& name) noexcept;

} // namespace weft
