// SPDX-License-Identifier: Apache-2.0
// Measures weft's timing wheel beside DPDK's rte_timer: start, move, stop, and expiry under a clock
// that goes on.
#include "graph/process/timing_wheel.hh"

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_lcore.h>
#include <rte_pause.h>
#include <rte_timer.h>

#include <algorithm>
#include <fmt/format.h>
#include <memory>
#include <new>
#include <numeric>
#include <random>
#include <string>
#include <vector>

namespace weft::bench {
namespace {

constexpr duration poll_every = 100us; // weft's tick

// Both take their time from the TSC.
duration now() noexcept
{
    static const double ns = 1e9 / static_cast<double>(rte_get_tsc_hz());
    return duration{static_cast<int64_t>(static_cast<double>(rte_rdtsc()) * ns)};
}

// What its expiries were like, written by the callbacks.
struct outcome {
    size_t expired = 0;
    size_t early = 0;
    size_t overdue = 0; // left behind by the poll before, more than a tick after its deadline
    duration polled_before{};
    std::vector<duration> deadlines; // by the timer's number

    void note(size_t number) noexcept
    {
        const duration deadline = deadlines[number];
        ++expired;
        early += now() < deadline;
        overdue += polled_before > deadline + poll_every;
    }
};

class contender {
public:
    virtual ~contender() = default;
    [[nodiscard]] virtual std::string name() const = 0;
    virtual void start(size_t number, duration from_now) = 0; // or moves it
    virtual void stop(size_t number) = 0;
    virtual void poll() = 0;
    outcome result;
};

class weft_wheel final : public contender {
public:
    explicit weft_wheel(size_t count)
        : count_{count}, timers_{static_cast<timer*>(::operator new(count * sizeof(timer), line))}
    {
        result.deadlines.resize(count);
        for (size_t n = 0; n < count; ++n)
            new (&timers_[n]) timer{expire, this};
    }
    ~weft_wheel() override
    {
        std::destroy_n(timers_, count_);
        ::operator delete(timers_, line);
    }
    [[nodiscard]] std::string name() const override { return "weft"; }
    void start(size_t number, duration from_now) override
    {
        const duration deadline = now() + from_now;
        result.deadlines[number] = deadline;
        wheel_.start(timers_[number], deadline);
    }
    void stop(size_t number) override { wheel_.stop(timers_[number]); }
    void poll() override { wheel_.advance(now()); }

private:
    static constexpr std::align_val_t line{64};
    static void expire(timer& t, void* self)
    {
        auto& owner = *static_cast<weft_wheel*>(self);
        owner.result.note(static_cast<size_t>(&t - owner.timers_));
    }
    timing_wheel wheel_{now(), poll_every};
    const size_t count_;
    timer* const timers_;
};

class dpdk_timers final : public contender {
public:
    explicit dpdk_timers(size_t count) : timers_(count)
    {
        result.deadlines.resize(count);
        for (auto& each : timers_)
            rte_timer_init(&each);
    }
    [[nodiscard]] std::string name() const override { return "rte_timer"; }
    void start(size_t number, duration from_now) override
    {
        const auto cycles = static_cast<uint64_t>(static_cast<double>(from_now.count()) * per_ns_);
        result.deadlines[number] = now() + from_now;
        rte_timer_reset(&timers_[number], cycles, SINGLE, rte_lcore_id(), expire, this);
    }
    void stop(size_t number) override { rte_timer_stop(&timers_[number]); }
    void poll() override { rte_timer_manage(); }

private:
    static void expire(rte_timer* t, void* self)
    {
        auto& owner = *static_cast<dpdk_timers*>(self);
        owner.result.note(static_cast<size_t>(t - owner.timers_.data()));
    }
    const double per_ns_ = static_cast<double>(rte_get_timer_hz()) / 1e9;
    std::vector<rte_timer> timers_;
};

using contenders = std::vector<std::unique_ptr<contender>>;

// Random delays and orders, the same for all contenders of a round.
struct plan {
    std::vector<duration> delays;
    std::vector<size_t> order;

    plan(size_t count, duration least, duration most, uint64_t seed) : order(count)
    {
        std::mt19937_64 random{seed};
        std::uniform_int_distribution<int64_t> ns{least.count(), most.count()};
        for (size_t n = 0; n < count; ++n)
            delays.emplace_back(ns(random));
        std::iota(order.begin(), order.end(), size_t{0});
        std::shuffle(order.begin(), order.end(), random);
    }
};

double clocks_of(size_t count, const auto& action)
{
    const uint64_t begin = rte_rdtsc();
    action();
    return static_cast<double>(rte_rdtsc() - begin) / static_cast<double>(count);
}

struct costs {
    std::vector<double> start, move, stop, expire, both;
};

void measure_changes(contender& who, size_t count, uint64_t seed, costs& into)
{
    const plan first{count, 10s, 600s, seed};
    const plan second{count, 10s, 600s, seed + 1};
    const plan third{count, 10s, 600s, seed + 2};
    into.start.push_back(clocks_of(count, [&] {
        for (size_t n : first.order)
            who.start(n, first.delays[n]);
    }));
    into.move.push_back(clocks_of(count, [&] {
        for (size_t n : second.order)
            who.start(n, second.delays[n]);
    }));
    into.stop.push_back(clocks_of(count, [&] {
        for (size_t n : third.order)
            who.stop(n);
    }));
}

// Only the calls that look for expired timers are counted, those that find none too.
void measure_expiry(contender& who, size_t count, uint64_t seed, costs& into)
{
    // the first ones are due when all have been started, by the slowest too
    const duration first = 100ms + static_cast<int64_t>(count) * 5us;
    const plan p{count, first, first + 1s, seed};
    for (size_t n : p.order)
        who.start(n, p.delays[n]);
    who.result.expired = 0;
    uint64_t clocks = 0;
    duration next = now();
    who.result.polled_before = duration::zero();
    while (who.result.expired < count) {
        while (now() < next)
            rte_pause();
        const duration at = now();
        const uint64_t begin = rte_rdtsc();
        who.poll();
        clocks += rte_rdtsc() - begin;
        who.result.polled_before = at;
        next = std::max(next + poll_every, now());
    }
    into.expire.push_back(static_cast<double>(clocks) / static_cast<double>(count));
    into.both.push_back(into.start.back() + into.expire.back());
}

double median(std::vector<double> values)
{
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

void print_rows(const std::string& title, const contenders& all, const std::vector<costs>& measured,
                std::vector<double> costs::*what)
{
    fmt::print("{}\n  {:<14}{:>12}{:>12}{:>10}\n", title, "", "best", "median", "ratio");
    const double reference = median(measured.front().*what);
    for (size_t c = 0; c < all.size(); ++c) {
        const auto& values = measured[c].*what;
        fmt::print("  {:<14}{:>12.1f}{:>12.1f}{:>10.2f}\n", all[c]->name(),
                   *std::min_element(values.begin(), values.end()), median(values),
                   median(values) / reference);
    }
}

void measure(size_t count, int rounds)
{
    fmt::print("== {} timers, clocks for each\n", count);
    contenders all;
    all.push_back(std::make_unique<weft_wheel>(count));
    all.push_back(std::make_unique<dpdk_timers>(count));
    std::vector<costs> measured(all.size());
    for (int round = 0; round < rounds; ++round)
        for (size_t turn = 0; turn < all.size(); ++turn) {
            const size_t c = (turn + static_cast<size_t>(round)) % all.size(); // alternating
            const auto seed = static_cast<uint64_t>(round) * 10;
            measure_changes(*all[c], count, seed, measured[c]);
            measure_expiry(*all[c], count, seed + 5, measured[c]);
        }
    print_rows("start", all, measured, &costs::start);
    print_rows("move", all, measured, &costs::move);
    print_rows("stop", all, measured, &costs::stop);
    print_rows("expire", all, measured, &costs::expire);
    print_rows("start and expire", all, measured, &costs::both);
    for (const auto& each : all)
        fmt::print("expiries of {}: {} early, {} more than a tick late\n", each->name(),
                   each->result.early, each->result.overdue);
}

bool start_eal()
{
    std::vector<std::string> words{"bench", "--no-huge",      "--no-shconf",   "--no-pci", "-m",
                                   "64",    "--no-telemetry", "--log-level=3", "-l",       "0"};
    std::vector<char*> arguments;
    for (auto& word : words)
        arguments.push_back(word.data());
    return rte_eal_init(static_cast<int>(arguments.size()), arguments.data()) >= 0 &&
           rte_timer_subsystem_init() == 0;
}

} // namespace
} // namespace weft::bench

int main(int count, char** arguments)
{
    using namespace weft::bench;
    if (count != 3 || std::stol(arguments[1]) < 1 || std::stol(arguments[2]) < 1) {
        fmt::print(stderr, "usage: timers_bench TIMERS ROUNDS\n");
        return 1;
    }
    if (!start_eal()) {
        fmt::print(stderr, "timers_bench: DPDK cannot start\n");
        return 1;
    }
    measure(std::stoul(arguments[1]), std::stoi(arguments[2]));
    rte_eal_cleanup();
    return 0;
}
