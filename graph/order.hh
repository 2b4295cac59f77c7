// SPDX-License-Identifier: Apache-2.0
// Puts what asks to stand before or after others into an order: init functions, features of an arc,
// sections of the configuration.
#pragma once

#include "base/result.hh"

#include <optional>
#include <source_location>
#include <span>
#include <string_view>
#include <vector>

namespace weft {

struct order_item {
    std::string_view name;
    std::vector<std::string_view> after;  // names of others in the same list
    std::vector<std::string_view> before; // likewise
    std::source_location where{};
};

// An item in its place, and why it stands there.
struct order_step {
    size_t item = 0; // of the list that was given
    // The last one that it had to wait for; none where its name alone gave it its place.
    std::optional<size_t> waited_for{};
    // Whether that one asked for it with `before`; else it is in this one's own `after`.
    bool asked_by_other = false;
};

// Topological, by name where nothing else decides. Fails on a cycle, which it prints with all
// places, on a name that does not exist, and on two items of one name, with both places. `kind` is
// what errors call the items: "init functions".
[[nodiscard]] result<std::vector<order_step>> order_of(std::string_view kind,
                                                       std::span<const order_item> items);

// Takes out the wishes that name nothing in the list, where that is no mistake: what they name may
// come with a plugin that is not loaded.
void pass_over_absent(std::vector<order_item>& items);

} // namespace weft
