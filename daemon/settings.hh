// SPDX-License-Identifier: Apache-2.0
// The daemon's own part of the configuration, as values.
#pragma once

#include "control/config/config.hh"
#include "graph/frame.hh"
#include "graph/node_patterns.hh"

#include <cstdint>
#include <string>
#include <vector>

namespace weft {

struct settings {
    unsigned main_core = 0;
    std::vector<unsigned> worker_cores{};
    std::vector<node_patterns> worker_nodes{};
    uint32_t vector_size = weft::vector_size;
    bool hugepages = false;
    uint64_t memory_bytes = uint64_t{256} << 20;
    uint32_t buffer_count = 16384;
    std::string socket = "/run/weft/cli.sock";
    std::string log_level = "info";
    std::string log_target = "stderr";
    std::vector<std::string> startup;
    std::vector<std::string> pci_devices;
};

// Reads a tree that the schema has found to be right.
[[nodiscard]] settings settings_of(const config::value& root);

// The cores that this process may run on: those that it was started on, and those that Linux keeps
// free for processes which ask for them (isolcpus), as far as this process's cpuset has them.
[[nodiscard]] const std::vector<unsigned>& usable_cores();

// The kernel's way to write sets of cores, "0-3,8" (cpuset(7), list format). What is not understood
// is left out.
[[nodiscard]] std::vector<unsigned> parse_core_list(const std::string& text);

} // namespace weft
