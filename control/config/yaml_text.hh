// SPDX-License-Identifier: Apache-2.0
// A configuration tree as YAML text, and what differs between two trees.
#pragma once

#include "control/config/config.hh"

#include <string>
#include <string_view>
#include <vector>

namespace weft::config {

// Text that reads back to the same tree: one key a line, two blanks a level; lists of scalars, and
// the members of a list, in one line where they fit into 80 columns.
[[nodiscard]] std::string to_yaml(const value& v);

// A scalar as YAML has to have it: quoted where it would be read as something else.
[[nodiscard]] std::string yaml_scalar(std::string_view text);

// One place in which two trees differ. Keys have the order of the first tree, then of the second.
struct difference {
    std::string path;    // "interfaces.wan.mtu"; of an item of a list that of the list
    const value* before; // null: it is not in the first tree
    const value* after;  // null: it is not in the second one
};

// Lists of mappings differ by their items, whatever place these have; if nothing but the order
// differs, and where items are scalars, the list differs as a whole. The trees outlive the result.
[[nodiscard]] std::vector<difference> differences(const value& before, const value& after);

// The same for people: the keys on the way to each place, with `-` what is in the first tree only
// and with `+` what is in the second only. Empty: the trees are the same.
[[nodiscard]] std::string difference_text(const value& before, const value& after);

} // namespace weft::config
