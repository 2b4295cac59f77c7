// SPDX-License-Identifier: Apache-2.0
// memif_generator: a packet generator and checker on one core, over two memif sockets.
#include "bench/flow.hh"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <ctime>
#include <iostream>
#include <sched.h>
#include <sys/resource.h>
#include <thread>

namespace weft::bench {

namespace {

using json = nlohmann::ordered_json;
using namespace std::chrono_literals;

constexpr double gap_seconds = 10e-6;

volatile std::sig_atomic_t stopped = 0;

void run_on(int core)
{
    if (core < 0)
        return;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0)
        give_up(exit_wrong_usage, "--core {}: {}", core, std::strerror(errno));
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

// The delay that `share` of all moments, picked at random, would not exceed only because the loop
// did not run then: a moment within a gap waits for its end. At half load, so does what comes in the
// same time after it: the loop then takes as long again until it has caught up, and the wait of a
// frame that comes `t` after the gap's begin is the gap less t / 2.
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

// How evenly this core runs: the same work again and again, timed.
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
        out[fmt::format("delay_half_load_{}_us", name)] = delay_us(gaps, cycles, share, tsc_hz, true);
    }
    return out;
}

// What sleeping costs here by itself: whoever looks for work so often takes no less.
json naps(uint32_t microseconds, double seconds)
{
    const auto ran = [] { // of this process, in seconds
        rusage used{};
        getrusage(RUSAGE_SELF, &used);
        const auto of = [](const timeval& t) {
            return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
        };
        return of(used.ru_utime) + of(used.ru_stime);
    };
    const timespec nap{0, static_cast<long>(microseconds) * 1000};
    using clock = std::chrono::steady_clock;
    const double ran_before = ran();
    const auto begin = clock::now();
    const auto elapsed = [&] { return std::chrono::duration<double>(clock::now() - begin).count(); };
    uint64_t count = 0;
    for (; elapsed() < seconds; ++count)
        clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, nullptr);
    return {{"naps", count}, {"percent", 100 * (ran() - ran_before) / elapsed()}};
}

std::vector<net::ip4_address> addresses_of(const generator_options& o, const std::string& first)
{
    if (!o.addresses.empty())
        return read_addresses(o.addresses);
    if (!o.prefixes.empty())
        return random_addresses(o.prefixes, o.count);
    const auto address = net::parse<net::ip4_address>(first);
    if (!address)
        give_up(exit_wrong_usage, "{}", address.error().message);
    return spread(*address, o.count);
}

// Two flows, of which the second sends only with --both-ways; but what comes out at A is taken.
class generator {
public:
    generator(const generator_options& o, double tsc_hz)
        : options_{o},
          tsc_hz_{tsc_hz},
          a_{o.sockets[0], o.ring_log2, o.wait},
          b_{o.sockets[1], o.ring_log2, o.wait},
          there_{o, a_, b_, side_a, side_b, addresses_of(o, o.to), tsc_hz},
          back_{o, b_, a_, side_b, side_a, spread_back(o), tsc_hz},
          gaps_{static_cast<uint64_t>(gap_seconds * tsc_hz)}
    {}

    // Until single frames come through, in each direction that is asked for.
    void await_forwarding()
    {
        const uint64_t deadline = now() + static_cast<uint64_t>(options_.wait * tsc_hz_);
        const auto idle = [](const flow& f) { return f.counted().received == 0; };
        while (idle(there_) || (options_.both_ways && idle(back_))) {
            if (stopped != 0 || now() > deadline)
                give_up(exit_no_link, "the device forwards no frame within {} s", options_.wait);
            there_.probe();
            if (options_.both_ways)
                back_.probe();
            drain(0.001);
        }
        drain(0.05);
    }

    // rate: frames a second in each direction, or 0
    json measure(double rate)
    {
        there_.start(now(), rate);
        back_.start(now(), rate);
        pass_traffic(options_.warm_up);
        gaps_.reset();
        there_.time_from_now();
        const uint64_t started = now();
        const auto rates = rates_of_seconds();
        const double measured = static_cast<double>(now() - started) / tsc_hz_;
        json gaps = gaps_of(gaps_, tsc_hz_, measured);
        drain(0.2);
        bad_ += there_.counted().bad() + back_.counted().bad();
        return summary(rates, measured, std::move(gaps));
    }

    [[nodiscard]] uint64_t bad() const { return bad_; }

private:
    static std::vector<net::ip4_address> spread_back(const generator_options& o)
    {
        const auto first = net::parse<net::ip4_address>(o.back_to);
        if (!first)
            give_up(exit_wrong_usage, "--back-to: {}", first.error().message);
        return spread(*first, o.both_ways ? o.count : 1);
    }

    [[nodiscard]] uint64_t received() const
    {
        return there_.counted().received + back_.counted().received;
    }

    void pass_traffic(double seconds) noexcept
    {
        const uint64_t end = now() + static_cast<uint64_t>(seconds * tsc_hz_);
        for (uint64_t at = now(); at < end && stopped == 0; at = now()) {
            gaps_.turn(at);
            there_.receive(at, gaps_.ended());
            back_.receive(at, gaps_.ended());
            there_.send(at, gaps_.ended());
            if (options_.both_ways)
                back_.send(at, gaps_.ended());
        }
    }

    void drain(double seconds) noexcept
    {
        const uint64_t end = now() + static_cast<uint64_t>(seconds * tsc_hz_);
        for (uint64_t at = now(); at < end; at = now()) {
            gaps_.turn(at);
            there_.receive(at, gaps_.ended());
            back_.receive(at, gaps_.ended());
        }
    }

    // Mpps received in each second.
    std::vector<double> rates_of_seconds()
    {
        std::vector<double> rates;
        for (double left = options_.seconds; left > 0 && stopped == 0; left -= 1) {
            const uint64_t before = received();
            const uint64_t started = now();
            pass_traffic(std::min(left, 1.0));
            rates.push_back(static_cast<double>(received() - before) /
                            static_cast<double>(now() - started) * tsc_hz_ / 1e6);
        }
        return rates;
    }

    json summary(const std::vector<double>& rates, double seconds, json gaps) const
    {
        const auto sum = [&](uint64_t flow::counters::*counter) {
            return there_.counted().*counter + back_.counted().*counter;
        };
        using c = flow::counters;
        // what comes out at A though nothing is sent into B is the device's own
        const uint64_t stray = options_.both_ways ? 0 : back_.counted().received;
        const uint64_t arrived = received() - stray;
        const uint64_t turns = sum(&c::turns);
        json out{{"size", options_.size},
                 {"destinations", there_.destinations()},
                 {"both_ways", options_.both_ways},
                 {"seconds", seconds},
                 {"rx_mpps", rates},
                 {"median_mpps", median(rates)},
                 {"sent", sum(&c::sent)},
                 {"received", arrived},
                 {"lost", static_cast<int64_t>(sum(&c::sent)) - static_cast<int64_t>(arrived)},
                 {"checked", sum(&c::checked)},
                 {"bad", there_.counted().bad() + back_.counted().bad()},
                 {"bad_length", sum(&c::bad_length)},
                 {"bad_ttl", sum(&c::bad_ttl)},
                 {"bad_checksum", sum(&c::bad_checksum)},
                 {"bad_mac", sum(&c::bad_mac)},
                 {"bad_address", sum(&c::bad_address)},
                 {"other", sum(&c::other)},
                 {"stray", stray},
                 {"forgiven", sum(&c::forgiven)},
                 {"ring_full_percent", turns == 0
                                           ? 0
                                           : 100.0 * static_cast<double>(sum(&c::full_turns)) /
                                                 static_cast<double>(turns)},
                 {"gaps", std::move(gaps)}};
        if (options_.latency)
            out["latency"] = there_.latency();
        return out;
    }

    generator_options options_;
    double tsc_hz_;
    memif_port a_;
    memif_port b_;
    flow there_;
    flow back_;
    gap_finder gaps_;
    uint64_t bad_ = 0;
};

} // namespace

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

int run(const generator_options& asked)
{
    run_on(asked.core);
    if (asked.naps > 0) {
        fmt::print("{}\n", naps(asked.naps, asked.seconds).dump());
        return 0;
    }
    const double tsc_hz = measured_tsc_hz();
    if (asked.busy_loop > 0) {
        fmt::print("{}\n", busy_loop(asked.busy_loop, tsc_hz).dump());
        return 0;
    }
    generator traffic{asked, tsc_hz};
    for (const int signal : {SIGINT, SIGTERM}) // from here on there is something to sum up
        std::signal(signal, [](int) { stopped = 1; });
    traffic.await_forwarding();
    for (std::string line; !asked.repeat || std::getline(std::cin, line);) {
        fmt::print("{}\n", traffic.measure(line.empty() ? asked.rate : rate_of(line)).dump());
        std::fflush(stdout);
        if (!asked.repeat)
            break;
    }
    return traffic.bad() == 0 ? 0 : 1;
}

} // namespace weft::bench

int main(int count, char** words)
{
    return weft::bench::run(weft::bench::parse_generator_options(count, words));
}
