// SPDX-License-Identifier: Apache-2.0
// Measures weft's prefix table beside DPDK's rte_fib and rte_lpm: load, lookup, update, and answers
// under concurrent update.
#include "bench/prefix_table_peers.hh"

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_memory.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <functional>
#include <pthread.h>
#include <random>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <thread>
#include <vector>

// EAL takes shared memory for --no-huge where it can, and that never has huge pages. Without this
// call it takes private memory, which gets the same transparent huge pages as weft's tables.
extern "C" int memfd_create(const char*, unsigned)
{
    return -1;
}

namespace weft::bench {
namespace {

using steady = std::chrono::steady_clock;
using contenders = std::vector<std::unique_ptr<contender>>;

struct route {
    net::ip4_prefix prefix;
    uint32_t value;
};

double seconds_since(steady::time_point start)
{
    return std::chrono::duration<double>(steady::now() - start).count();
}

std::vector<route> read_routes(const char* path)
{
    std::ifstream file{path};
    if (!file)
        give_up(path, "cannot be read");
    std::vector<route> routes;
    for (std::string line; std::getline(file, line);) {
        if (line.find(':') != std::string::npos)
            continue; // IPv6
        if (line.ends_with('\r'))
            line.pop_back();
        const auto prefix = net::parse<net::ip4_prefix>(line);
        if (!prefix)
            give_up(path, prefix.error().message);
        const uint32_t mixed = (prefix->network.value ^ prefix->length) * 0x9e3779b1u;
        routes.push_back({*prefix, 1 + (mixed >> 26)});
    }
    return routes;
}

std::vector<route> every(const std::vector<route>& routes, size_t wanted)
{
    std::vector<route> chosen;
    for (size_t i = 0; i < wanted; ++i)
        chosen.push_back(routes[i * routes.size() / wanted]);
    return chosen;
}

using factory = std::function<std::unique_ptr<contender>()>;

// What to measure; a table is made only where its load is timed, for making one touches its memory.
std::vector<factory> factories(size_t routes, bool with_lpm)
{
    const auto fib = [routes](std::string name, rte_fib_dir24_8_nh_sz size,
                              rte_fib_lookup_type form) {
        return [=] { return std::make_unique<fib_table>(name, routes, size, form); };
    };
    std::vector<factory> all;
    all.push_back([] { return std::make_unique<weft_table>(false); });
    all.push_back([] { return std::make_unique<weft_table>(true); });
    all.push_back(fib("rte_fib 4 B", RTE_FIB_DIR24_8_4B, RTE_FIB_LOOKUP_DIR24_8_SCALAR_MACRO));
    if (__builtin_cpu_supports("avx512f"))
        all.push_back(
            fib("rte_fib 4 B AVX-512", RTE_FIB_DIR24_8_4B, RTE_FIB_LOOKUP_DIR24_8_VECTOR_AVX512));
    all.push_back(fib("rte_fib 8 B", RTE_FIB_DIR24_8_8B, RTE_FIB_LOOKUP_DIR24_8_SCALAR_MACRO));
    if (with_lpm) {
        all.push_back([=] { return std::make_unique<lpm_table>(routes, false); });
        all.push_back([=] { return std::make_unique<lpm_table>(routes, true); });
    }
    return all;
}

struct sample {
    double value;  // what the table prints
    double clocks; // per unit of work
};

// The samples of one contender; `lower_is_better` decides what best means.
void print_row(const std::string& name, std::vector<sample> samples, bool lower_is_better,
               double& reference)
{
    std::sort(samples.begin(), samples.end(), [&](const sample& a, const sample& b) {
        return lower_is_better ? a.value < b.value : a.value > b.value;
    });
    const sample& median = samples[samples.size() / 2];
    if (reference == 0)
        reference = median.value;
    fmt::print("  {:<22}{:>14.3f}{:>14.3f}{:>14.1f}{:>10.2f}\n", name, samples.front().value,
               median.value, median.clocks, median.value / reference);
}

void print_table(const std::string& title, const contenders& all,
                 const std::vector<std::vector<sample>>& samples, bool lower_is_better)
{
    fmt::print("{}\n  {:<22}{:>14}{:>14}{:>14}{:>10}\n", title, "", "best", "median", "clocks",
               "ratio");
    double reference = 0;
    for (size_t i = 0; i < all.size(); ++i)
        print_row(all[i]->name(), samples[i], lower_is_better, reference);
}

// Makes and loads every table, in turns; the tables of the last round stay.
contenders measure_load(const std::vector<route>& routes, bool with_lpm)
{
    constexpr int rounds = 5;
    const auto makers = factories(routes.size(), with_lpm);
    contenders all(makers.size());
    std::vector<std::vector<sample>> samples(makers.size());
    for (int round = 0; round < rounds; ++round) {
        for (size_t c = 0; c < makers.size(); ++c) {
            if (round > 0 && samples[c].front().value > 5000)
                continue; // its load is quadratic, and once has shown it
            all[c].reset();
            const auto start = steady::now();
            const uint64_t clocks = rte_rdtsc();
            all[c] = makers[c]();
            for (const auto& r : routes)
                all[c]->set(r.prefix, r.value);
            const auto spent = static_cast<double>(rte_rdtsc() - clocks);
            samples[c].push_back(
                {seconds_since(start) * 1e3, spent / static_cast<double>(routes.size())});
        }
    }
    print_table("making and loading, ms (clocks for each prefix)", all, samples, true);
    return all;
}

void measure_lookups(contenders& all, const std::string& title,
                     const std::vector<net::ip4_address>& addresses)
{
    constexpr size_t vectors = 128; // a round: short, so that the machine's moods hit all alike
    std::vector<std::vector<sample>> samples(all.size());
    for (size_t at = 0; at + vectors * vector_size <= addresses.size();
         at += vectors * vector_size) {
        for (size_t c = 0; c < all.size(); ++c) {
            const auto start = steady::now();
            const uint64_t clocks = rte_rdtsc();
            for (size_t v = 0; v < vectors; ++v)
                all[c]->lookup(&addresses[at + v * vector_size]);
            const auto spent = static_cast<double>(rte_rdtsc() - clocks);
            samples[c].push_back({seconds_since(start) * 1e9 / (vectors * vector_size),
                                  spent / (vectors * vector_size)});
        }
    }
    print_table(title + ", ns per address", all, samples, true);
}

// Changes, removals and additions of random routes, for a bounded time.
sample update_round(contender& table, const std::vector<route>& routes, std::mt19937& random)
{
    const auto start = steady::now();
    const uint64_t clocks = rte_rdtsc();
    size_t updates = 0;
    do {
        for (int i = 0; i < 16; ++i) {
            const route& r = routes[random() % routes.size()];
            table.set(r.prefix, r.value + 1);
            table.remove(r.prefix);
            table.set(r.prefix, r.value);
            updates += 3;
        }
    } while (seconds_since(start) < 0.03);
    const auto spent = static_cast<double>(rte_rdtsc() - clocks);
    return {static_cast<double>(updates) / seconds_since(start) / 1e3,
            spent / static_cast<double>(updates)};
}

void measure_updates(contenders& all, const std::vector<route>& routes)
{
    std::vector<std::vector<sample>> samples(all.size());
    std::mt19937 random{1};
    for (int round = 0; round < 21; ++round)
        for (size_t c = 0; c < all.size(); ++c)
            samples[c].push_back(update_round(*all[c], routes, random));
    print_table("updates, thousands per second", all, samples, false);
}

std::vector<net::ip4_address> addresses_over(const std::vector<route>& routes, size_t count)
{
    std::mt19937 random{2};
    std::vector<net::ip4_address> addresses;
    for (size_t i = 0; i < count; ++i) {
        const auto& prefix = routes[random() % routes.size()].prefix;
        addresses.push_back({prefix.network.value | (uint32_t(random()) & ~prefix.mask())});
    }
    return addresses;
}

void check_same_answers(contenders& all, const std::vector<net::ip4_address>& addresses)
{
    size_t differences = 0;
    for (size_t at = 0; at + vector_size <= addresses.size(); at += vector_size) {
        for (auto& each : all)
            each->lookup(&addresses[at]);
        for (const auto& each : all)
            for (size_t i = 0; i < vector_size; ++i)
                differences += each->answer(i) != all.front()->answer(i);
    }
    fmt::print("answers that differ from weft's: {}\n", differences);
}

void measure(const std::vector<route>& routes, bool with_lpm)
{
    fmt::print("\n== {} prefixes\n", routes.size());
    auto all = measure_load(routes, with_lpm);
    const size_t bytes = dynamic_cast<const weft_table&>(*all.front()).memory_bytes();
    fmt::print("weft's table takes {:.1f} MiB\n", static_cast<double>(bytes) / (1 << 20));
    const auto spread = addresses_over(routes, size_t{1} << 22);
    check_same_answers(all, spread);
    measure_lookups(all, "lookup of random addresses", spread);
    measure_lookups(all, "lookup of one hot route",
                    std::vector<net::ip4_address>(spread.size(), spread.front()));
    measure_updates(all, routes);
    check_same_answers(all, spread);
}

// A reader on another core checks each answer while this thread adds and removes prefixes of 25
// bits, so that second-stage blocks come and go. Each /24 has its own value, or its cover's, 1.
constexpr uint32_t churned_networks = 8;
constexpr uint32_t churned_base = 0x0a01'0000;

void read_until(contender& table, const std::atomic<bool>& stop, uint64_t& looked_up,
                uint64_t& wrong)
{
    cpu_set_t anywhere;
    std::memset(&anywhere, 0xff, sizeof(anywhere)); // EAL has bound this thread's parent to a core
    pthread_setaffinity_np(pthread_self(), sizeof(anywhere), &anywhere);
    std::mt19937 random{3};
    std::array<net::ip4_address, vector_size> addresses;
    table.grace.reader_starts();
    while (!stop.load(std::memory_order_relaxed)) {
        for (auto& a : addresses)
            a.value = churned_base + uint32_t(random()) % (churned_networks * 256);
        table.lookup(addresses.data());
        for (size_t i = 0; i < vector_size; ++i) {
            const uint32_t own = 2 + (addresses[i].value - churned_base) / 256;
            wrong += table.answer(i) != 1 && table.answer(i) != own;
        }
        looked_up += vector_size;
        table.grace.reader_is_quiescent();
    }
    table.grace.reader_ends();
}

void check_concurrent(contender& table)
{
    table.set({{churned_base}, 16}, 1);
    std::atomic<bool> stop{false};
    uint64_t looked_up = 0;
    uint64_t wrong = 0;
    std::thread reader{[&] { read_until(table, stop, looked_up, wrong); }};
    std::mt19937 random{4};
    uint64_t updates = 0;
    for (const auto start = steady::now(); seconds_since(start) < 3; updates += 2) {
        const uint32_t network = uint32_t(random()) % churned_networks;
        const net::ip4_prefix prefix{{churned_base + network * 256}, 25};
        table.set(prefix, 2 + network);
        table.remove(prefix);
    }
    stop = true;
    reader.join();
    fmt::print("  {:<22}{:>14}{:>14}{:>14}\n", table.name(), updates, looked_up, wrong);
}

void measure_concurrent()
{
    fmt::print("\n== one writer, one reader, 3 s each\n  {:<22}{:>14}{:>14}{:>14}\n", "", "updates",
               "lookups", "wrong");
    for (const auto& make : factories(1024, true))
        check_concurrent(*make());
}

void start_eal()
{
    std::vector<std::string> words{"bench",
                                   "--no-huge",
                                   "--no-shconf",
                                   "--no-pci",
                                   "-m",
                                   "3072",
                                   "--no-telemetry",
                                   "--log-level=3",
                                   "-l",
                                   "0",
                                   "--force-max-simd-bitwidth=512"};
    std::vector<char*> arguments;
    for (auto& word : words)
        arguments.push_back(word.data());
    if (rte_eal_init(static_cast<int>(arguments.size()), arguments.data()) < 0)
        give_up("rte_eal_init");
    rte_memseg_list_walk(
        [](const rte_memseg_list* list, void*) {
            madvise(list->base_va, list->len, MADV_HUGEPAGE);
            return 0;
        },
        nullptr);
}

} // namespace
} // namespace weft::bench

int main(int count, char** arguments)
{
    using namespace weft::bench;
    if (count < 2) {
        std::cerr
            << "usage: prefix_table_bench PREFIXES [LPM_ROUTES] [small-pages]\n"
               "PREFIXES: a text file, one prefix a line. LPM_ROUTES: how many of them rte_lpm "
               "gets (50000;\nits load is quadratic). small-pages: no huge pages for any of "
               "them.\n";
        return 1;
    }
    if (count > 3)
        prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    start_eal();
    const auto routes = read_routes(arguments[1]);
    const size_t lpm_routes = count > 2 ? std::stoul(arguments[2]) : 50'000;
    measure(routes, false);
    measure(every(routes, std::min(lpm_routes, routes.size())), true);
    measure_concurrent();
    rte_eal_cleanup();
    return 0;
}
