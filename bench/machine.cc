// SPDX-License-Identifier: Apache-2.0
#include "bench/machine.hh"

#include "bench/memif_port.hh"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <sched.h>
#include <thread>

namespace weft::bench {

using json = nlohmann::ordered_json;
using namespace std::chrono_literals;

namespace {

// The delay that `share` of all moments, picked at random, would not exceed only because the loop
// did not run then: a moment within a gap waits for its end. At half load, so does what comes in
// the same time after it: the loop then takes as long again until it has caught up, and the wait of
// a frame that comes `t` after the gap's begin is the gap less t / 2.
double delay_us(const std::vector<uint64_t>& gaps, double cycles, double share, double tsc_hz,
                bool at_half_load)
{
    const double stretch = at_half_load ? 2 : 1;
    double low = 0;
    double high = 0;
    for (const uint64_t gap : gaps)
        high = std::max(high, static_cast<double>(gap));
    while (high - low > 1e-7 * tsc_hz) {
        const double delay = (low + high) / 2;
        double beyond = 0;
        for (const uint64_t gap : gaps)
            beyond += stretch * std::max(0.0, static_cast<double>(gap) - delay);
        (beyond > (1 - share) * cycles ? low : high) = delay;
    }
    return high / tsc_hz * 1e6;
}

} // namespace

void run_on(int core)
{
    if (core < 0)
        return;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0)
        give_up(exit_wrong_usage, "core {}: {}", core, std::strerror(errno));
}

double median(std::vector<double> values)
{
    if (values.empty())
        return 0;
    std::sort(values.begin(), values.end());
    return (values[(values.size() - 1) / 2] + values[values.size() / 2]) / 2;
}

json gaps_of(const gap_finder& gaps, double tsc_hz, double seconds)
{
    return {{"over_10us", gaps.count()},
            {"longest_us", static_cast<double>(gaps.longest()) / tsc_hz * 1e6},
            {"percent", 100 * static_cast<double>(gaps.total()) / tsc_hz / seconds}};
}

json busy_loop(double seconds, double tsc_hz)
{
    constexpr double slice_seconds = 0.01;
    constexpr double shortest_gap_seconds = 1.5e-6;
    gap_finder over_10us{static_cast<uint64_t>(gap_seconds * tsc_hz)};
    const auto shortest_gap = static_cast<uint64_t>(shortest_gap_seconds * tsc_hz);
    const auto slice = static_cast<uint64_t>(slice_seconds * tsc_hz);
    std::vector<uint64_t> gaps;
    std::vector<double> speeds;
    gaps.reserve(1 << 20);
    speeds.reserve(static_cast<size_t>(seconds / slice_seconds) + 1);
    const uint64_t start = now();
    const uint64_t end = start + static_cast<uint64_t>(seconds * tsc_hz);
    uint64_t last = start;
    uint64_t slice_start = start;
    uint64_t work = 1;
    for (uint64_t units = 0; last < end; ++units) {
        for (int i = 0; i < 100; ++i) // each step needs the one before
            work = work * 0x9e3779b97f4a7c15u + 1;
        asm volatile("" : "+r"(work));
        const uint64_t at = now();
        over_10us.turn(at);
        if (at - last > shortest_gap && gaps.size() < gaps.capacity())
            gaps.push_back(at - last);
        last = at;
        if (at - slice_start > slice) {
            speeds.push_back(static_cast<double>(units) / static_cast<double>(at - slice_start));
            slice_start = at;
            units = 0;
        }
    }
    const auto cycles = static_cast<double>(last - start);
    const auto [slowest, fastest] = std::minmax_element(speeds.begin(), speeds.end());
    const double spread = speeds.empty() ? 0 : 100 * (*fastest - *slowest) / median(speeds);
    json out{{"seconds", cycles / tsc_hz}, {"speed_spread_percent", spread}};
    out["gaps"] = gaps_of(over_10us, tsc_hz, cycles / tsc_hz);
    for (const auto& [name, share] : {std::pair{"p99", 0.99}, std::pair{"p99.9", 0.999}}) {
        out[fmt::format("delay_{}_us", name)] = delay_us(gaps, cycles, share, tsc_hz, false);
        out[fmt::format("delay_half_load_{}_us", name)] =
            delay_us(gaps, cycles, share, tsc_hz, true);
    }
    return out;
}

json line_trips(int other_core, double tsc_hz)
{
    constexpr int batches = 41;
    constexpr int trips = 2000;
    struct alignas(128) {
        std::atomic<int64_t> at{
            -1}; // even: it is the other core's turn; negative: that one does not run yet
    } line;
    std::jthread other{[&](const std::stop_token& stop) {
        run_on(other_core);
        line.at.store(1, std::memory_order_release);
        while (!stop.stop_requested())
            if (const int64_t at = line.at.load(std::memory_order_acquire); at % 2 == 0)
                line.at.store(at + 1, std::memory_order_release);
    }};
    const auto await = [&](int64_t value) {
        while (line.at.load(std::memory_order_acquire) != value)
            ;
    };
    int64_t next = 1;
    await(next);
    std::vector<double> nanoseconds;
    for (int batch = 0; batch < batches; ++batch) {
        const uint64_t begin = now();
        for (int i = 0; i < trips; ++i) {
            line.at.store(++next, std::memory_order_release);
            await(++next);
        }
        nanoseconds.push_back(static_cast<double>(now() - begin) / (2 * trips) / tsc_hz * 1e9);
    }
    return {{"one_way_ns", median(nanoseconds)}};
}

double measured_tsc_hz()
{
    struct moment {
        uint64_t cycles = 0;
        double seconds = 0;
    };
    // the pair read with the least time between, so that no interruption lies within
    const auto read = [] {
        moment best;
        uint64_t least = ~uint64_t{0};
        for (int i = 0; i < 20; ++i) {
            timespec clock{};
            const uint64_t before = now();
            clock_gettime(CLOCK_MONOTONIC_RAW, &clock);
            const uint64_t after = now();
            if (after - before >= least)
                continue;
            least = after - before;
            best = {before + least / 2,
                    static_cast<double>(clock.tv_sec) + static_cast<double>(clock.tv_nsec) * 1e-9};
        }
        return best;
    };
    const moment first = read();
    std::this_thread::sleep_for(50ms);
    const moment second = read();
    return static_cast<double>(second.cycles - first.cycles) / (second.seconds - first.seconds);
}

} // namespace weft::bench
