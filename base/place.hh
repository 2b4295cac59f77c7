// SPDX-License-Identifier: Apache-2.0
// Where in the source a registration stands, as errors and views say it.
#pragma once

#include <source_location>
#include <string>

namespace weft {

// "nodes/arp/arp_input.cc:20"; of what a plugin registered "lldp.cc:8 in lldp.so". The plugin is
// still loaded.
[[nodiscard]] std::string place_of(const std::source_location& where);

// The same without the folders of the source: for tables.
[[nodiscard]] std::string short_place_of(const std::source_location& where);

} // namespace weft
