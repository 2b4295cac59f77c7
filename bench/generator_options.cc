// SPDX-License-Identifier: Apache-2.0
// Reads memif_generator's command line.
#include "bench/generator_options.hh"

#include "bench/memif_port.hh"
#include "bench/traffic.hh"

#include <charconv>
#include <functional>
#include <getopt.h>
#include <string_view>
#include <vector>

namespace weft::bench {
namespace {

constexpr std::string_view usage =
    "usage: memif_generator [OPTION...] SOCKET_A SOCKET_B\n"
    "       memif_generator [--core N] --busy-loop SECONDS\n"
    "       memif_generator --core N --line-trips OTHER\n"
    "\n"
    "Sends IPv4 frames into a router behind memif socket A, receives them behind socket B, checks\n"
    "them, and prints one line of JSON. The router's ports are 02:00:00:00:0a:01 (A) and\n"
    "02:00:00:00:0b:01 (B), its next hops 02:00:00:00:0a:02 and 02:00:00:00:0b:02. Frames into A\n"
    "come from 10.0.0.2, frames into B from 10.0.1.2.\n"
    "\n"
    "  --core N                core to run on\n"
    "  --seconds S             how long to measure (10)\n"
    "  --warm-up S             how long to send before that (1)\n"
    "  --wait S                how long to wait for sockets and forwarding (20)\n"
    "  --size BYTES            of a frame without its check sequence: 60 to 1514 (60)\n"
    "  --rate PPS              frames per second in each direction (as many as possible)\n"
    "  --ring LOG2             size of the rings: 7 to 14 (10)\n"
    "  --to ADDRESS            first destination (16.0.0.1)\n"
    "  --count N               so many destinations in its /8 (1), or random ones of --prefixes\n"
    "  --addresses FILE        destinations, one per line\n"
    "  --prefixes FILE         random addresses in these prefixes (first word of each line)\n"
    "  --both-ways             send into B as well\n"
    "  --back-to ADDRESS       first destination of that (48.0.0.1)\n"
    "  --expect unchanged      frames come back as they were sent; else TTL - 1 and new MACs\n"
    "  --check-every N         check every Nth frame (1024)\n"
    "  --check-next-hops FILE  check each frame's MAC: lines `PREFIX MAC[,MAC...]` say which ones\n"
    "                          the longest prefix of a destination allows\n"
    "  --latency               measure latency; needs --rate or --repeat\n"
    "  --repeat                measure once for each line of standard input, until its end; a\n"
    "                          number on it stands for --rate this time, 0: as many as possible\n"
    "  --busy-loop SECONDS     no traffic: how evenly does the core run?\n"
    "  --line-trips OTHER      no traffic: how long does a cache line take to that core?\n"
    "\n"
    "Exit status: 0 success, 1 bad frames, 2 wrong usage, 3 no link or nothing forwarded.\n";

constexpr double max_rate = 1e9;

template <class Number>
Number number(std::string_view name, std::string_view text, Number lowest, Number highest)
{
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < lowest ||
        value > highest)
        give_up(exit_wrong_usage, "{} must be a number from {} to {}, found `{}'", name, lowest,
                highest, text);
    return value;
}

struct named_option {
    const char* name;
    bool has_argument;
    std::function<void(std::string_view)> take;
};

std::vector<named_option> options_into(generator_options& o)
{
    constexpr double hour = 3600;
    return {
        {"core", true, [&o](auto text) { o.core = number("--core", text, 0, 1023); }},
        {"seconds", true, [&o](auto text) { o.seconds = number("--seconds", text, 0.1, hour); }},
        {"warm-up", true, [&o](auto text) { o.warm_up = number("--warm-up", text, 0.0, hour); }},
        {"wait", true, [&o](auto text) { o.wait = number("--wait", text, 0u, 3600u); }},
        {"size", true, [&o](auto text) { o.size = number("--size", text, min_frame, max_frame); }},
        {"rate", true, [&o](auto text) { o.rate = number("--rate", text, 1.0, max_rate); }},
        {"ring", true, [&o](auto text) { o.ring_log2 = number("--ring", text, 7u, 14u); }},
        {"to", true, [&o](auto text) { o.to = text; }},
        {"count", true, [&o](auto text) { o.count = number("--count", text, 1u, 1u << 24); }},
        {"addresses", true, [&o](auto text) { o.addresses = text; }},
        {"prefixes", true, [&o](auto text) { o.prefixes = text; }},
        {"both-ways", false, [&o](auto) { o.both_ways = true; }},
        {"back-to", true, [&o](auto text) { o.back_to = text; }},
        {"expect", true,
         [&o](auto text) {
             o.unchanged = text == "unchanged";
             if (!o.unchanged && text != "routed")
                 give_up(exit_wrong_usage, "--expect must be routed or unchanged, found `{}'",
                         text);
         }},
        {"check-every", true,
         [&o](auto text) { o.check_every = number("--check-every", text, 1u, 1u << 30); }},
        {"check-next-hops", true,
         [&o](auto text) {
             o.next_hops = text;
             o.check_every = 1;
         }},
        {"latency", false, [&o](auto) { o.latency = true; }},
        {"repeat", false, [&o](auto) { o.repeat = true; }},
        {"busy-loop", true,
         [&o](auto text) { o.busy_loop = number("--busy-loop", text, 0.1, hour); }},
        {"line-trips", true,
         [&o](auto text) { o.line_trips = number("--line-trips", text, 0, 1023); }},
        {"help", false, [](auto) {
             fmt::print("{}", usage);
             std::exit(0);
         }}};
}

} // namespace

generator_options parse_generator_options(int count, char** words)
{
    generator_options asked;
    const auto known = options_into(asked);
    std::vector<option> table;
    for (const auto& one : known)
        table.push_back({one.name, one.has_argument ? required_argument : no_argument, nullptr,
                         static_cast<int>(table.size())});
    table.push_back({});
    for (int which = 0; (which = getopt_long(count, words, "", table.data(), nullptr)) != -1;) {
        if (which == '?')
            give_up(exit_wrong_usage, "see memif_generator --help");
        known[static_cast<size_t>(which)].take(optarg == nullptr ? "" : optarg);
    }
    const int sockets = count - optind;
    const bool no_traffic = asked.busy_loop > 0 || asked.line_trips >= 0;
    const int expected = no_traffic ? 0 : 2;
    if (sockets != expected)
        give_up(exit_wrong_usage, "expected {} sockets, found {}", expected, sockets);
    if (asked.line_trips >= 0 && (asked.core < 0 || asked.core == asked.line_trips))
        give_up(exit_wrong_usage, "--line-trips needs another core in --core");
    if (asked.latency && asked.rate == 0 && !asked.repeat)
        give_up(exit_wrong_usage, "--latency needs --rate or --repeat");
    for (int i = 0; i < sockets; ++i)
        asked.sockets[i] = words[optind + i];
    return asked;
}

double rate_of(const std::string& line)
{
    return number("a line of --repeat", line, 0.0, max_rate);
}

} // namespace weft::bench
