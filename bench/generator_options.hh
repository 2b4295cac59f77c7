// SPDX-License-Identifier: Apache-2.0
// memif_generator's command line.
#pragma once

#include <cstdint>
#include <string>

namespace weft::bench {

struct generator_options {
    std::string sockets[2];
    int core = -1; // where the process may run already
    double busy_loop = 0;
    int line_trips = -1; // the other core
    double seconds = 10;
    double warm_up = 1;
    unsigned wait = 20;
    uint32_t size = 60;
    double rate = 0; // as fast as possible
    unsigned ring_log2 = 10;
    std::string to = "16.0.0.1";
    std::string back_to = "48.0.0.1";
    uint32_t count = 1;
    std::string addresses;
    std::string prefixes;
    bool both_ways = false;
    bool unchanged = false;
    uint32_t check_every = 1024;
    std::string next_hops;
    bool latency = false;
    bool repeat = false;
};

// Prints what is wrong, or the help that was asked for, and ends the process.
[[nodiscard]] generator_options parse_generator_options(int count, char** words);
// What a line that is not empty asks of --repeat: frames a second, 0: as many as possible.
[[nodiscard]] double rate_of(const std::string& line);

} // namespace weft::bench
