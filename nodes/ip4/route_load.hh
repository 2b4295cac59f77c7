// SPDX-License-Identifier: Apache-2.0
// Applies files of changes of routes to the running tables, giving way to others in between.
#pragma once

#include "nodes/ip4/ip4.hh"
#include "nodes/ip4/route_file.hh"

namespace weft::ip4 {

// What became of a file's lines. Removing a route that is not there leaves it unchanged.
struct load_counts {
    size_t added = 0;
    size_t changed = 0;
    size_t removed = 0;
    size_t unchanged = 0;
};

// Is told how many changes were applied so far; may let others run, who may change the tables.
using load_pause = std::function<void(size_t applied)>;

// Applies the changes in their order as static routes. Main thread. `pause` is called at least every
// half millisecond. Stops at the first change that
// cannot be made (its next hop's network has gone meanwhile, a table is full); the error names its
// line in file `name` and how many were applied.
[[nodiscard]] result<load_counts> apply_routes(tables& ip4, const route_list& list,
                                               std::string_view name,
                                               const load_pause& pause);

// Reads a file and applies it; nothing if the file has an error.
[[nodiscard]] result<load_counts> load_routes(tables& ip4, const std::string& path,
                                              const load_pause& pause);

} // namespace weft::ip4
