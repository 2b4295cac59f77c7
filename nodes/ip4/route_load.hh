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

// Called before the first change, and then whenever as many changes were made as it allowed or half
// a millisecond has gone by: is told how many changes were applied so far, and says how many may
// follow, none to end the load. It may let others run, who may change the tables, and may wait,
// which is how a load keeps a rate.
using load_pause = std::function<size_t(size_t applied)>;

// Applies the changes in their order as static routes. Main thread. Stops at the first change that
// cannot be made (its next hop's network has gone meanwhile, a table is full); the error names its
// line in file `name` and how many were applied.
[[nodiscard]] result<load_counts> apply_routes(tables& ip4, const route_list& list,
                                               std::string_view name, const load_pause& pause);

// Reads a file and applies it; nothing if the file has an error. `reading` is for
// read_route_file().
[[nodiscard]] result<load_counts> load_routes(tables& ip4, const std::string& path,
                                              const input_file::pause& reading,
                                              const load_pause& pause);

} // namespace weft::ip4
