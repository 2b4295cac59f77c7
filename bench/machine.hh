// SPDX-License-Identifier: Apache-2.0
// What the machine does by itself, without any traffic: how evenly a core runs, how far two cores
// are from each other. Figures are JSON, as memif_generator prints them.
#pragma once

#include "bench/stopwatch.hh"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

namespace weft::bench {

inline constexpr double gap_seconds = 10e-6; // from which on a loop that does not run is counted

// The calling thread's core from here on; a negative one changes nothing. Ends the process if there
// is no such core.
void run_on(int core);

[[nodiscard]] double median(std::vector<double> values); // 0 of none

// The TSC's cycles per second, measured against the system's clock for 50 ms.
[[nodiscard]] double measured_tsc_hz();

// What gap_finder found in so many seconds.
[[nodiscard]] nlohmann::ordered_json gaps_of(const gap_finder& gaps, double tsc_hz, double seconds);

// How evenly this core runs: the same work again and again, timed.
[[nodiscard]] nlohmann::ordered_json busy_loop(double seconds, double tsc_hz);

// How long a cache line takes from this core to another and back, over and over: nanoseconds for
// one way.
[[nodiscard]] nlohmann::ordered_json line_trips(int other_core, double tsc_hz);

} // namespace weft::bench
