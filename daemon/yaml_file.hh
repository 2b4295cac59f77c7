// SPDX-License-Identifier: Apache-2.0
// Reads a YAML file into a configuration tree whose values know their line and column.
#pragma once

#include "base/result.hh"
#include "control/config/config.hh"

#include <cstddef>
#include <string>
#include <string_view>

namespace weft {

inline constexpr size_t max_yaml_file = size_t{64} << 20; // bytes; a full route table fits
inline constexpr size_t max_yaml_tree = size_t{2} << 30;  // bytes of memory that values may take
inline constexpr size_t max_yaml_aliases = 100'000;       // values repeated by aliases, in all
inline constexpr size_t max_yaml_depth = 64;
inline constexpr size_t max_yaml_signs = 12'000'000; // of , [ ] { } ? & * ! and `: ', in all
inline constexpr size_t max_yaml_key = 255;          // bytes

// Any thread; reads a regular file. The root is always a mapping; an empty file is an empty one.
//
// Fails when there is no tree to go on with, in one sentence that names the file. If the contents
// are to blame (malformed, not UTF-8, a limit passed, several documents, a root that is no
// mapping) the same is in `found` with its place. Faults that leave a tree (a key given twice, of
// which the first counts) are only in `found`. So a caller prints `found` if there is anything in
// it, and else the error.
[[nodiscard]] result<config::value> read_yaml(const std::string& path, config::problems& found);

// The same for text in memory; `name` stands for the file in the error. The tree takes `tree_limit`
// bytes at most, about.
[[nodiscard]] result<config::value> parse_yaml(std::string text, const std::string& name,
                                               config::problems& found,
                                               size_t max_tree = max_yaml_tree);

// One line: "router.yaml:14:10: interfaces.eth0.mtu: 20 is below 68 (a number from 68 to 9216)".
// Columns count bytes from 1. Without a position or a key, that part is left out.
[[nodiscard]] std::string format_problem(std::string_view file, const config::problem& p);

} // namespace weft
