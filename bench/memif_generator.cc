// SPDX-License-Identifier: Apache-2.0
// memif_generator: a packet generator and checker on one core, over two memif sockets.
#include "bench/flow.hh"
#include "bench/machine.hh"

#include <csignal>
#include <iostream>

namespace weft::bench {

namespace {

using json = nlohmann::ordered_json;

volatile std::sig_atomic_t stopped = 0;

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
                give_up(exit_no_link, "the device forwarded no frame within {} s", options_.wait);
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

int run(const generator_options& asked)
{
    run_on(asked.core);
    const double tsc_hz = measured_tsc_hz();
    if (asked.busy_loop > 0) {
        fmt::print("{}\n", busy_loop(asked.busy_loop, tsc_hz).dump());
        return 0;
    }
    if (asked.line_trips >= 0) {
        fmt::print("{}\n", line_trips(asked.line_trips, tsc_hz).dump());
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
