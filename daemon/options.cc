// SPDX-License-Identifier: Apache-2.0
// Parses weftd's command line.
#include "daemon/options.hh"

#include <cstdio>
#include <fmt/format.h>
#include <getopt.h>

namespace weft {

namespace {

constexpr const char* usage =
    "usage: weftd -c FILE [--check | --replay CAPTURE]\n"
    "       weftd --page NAME\n"
    "\n"
    "  -c, --config FILE  the router's configuration (YAML, see docs/configuration.md)\n"
    "      --check        say what is wrong with it, and exit: 0 if nothing is\n"
    "      --replay CAPTURE\n"
    "                     run the vectors of a capture (`capture dispatch on') through the graph of this\n"
    "                     configuration, on one thread and without its devices, and say what became\n"
    "                     of them (see docs/capture.md)\n"
    "      --page NAME    print a page of the documentation: configuration, commands\n"
    "  -h, --help         this text\n"
    "  -V, --version      the version\n"
    "\n"
    "Exit status: 0 after SIGTERM or SIGINT, 1 if the configuration is wrong or cannot be brought\n"
    "to life or a capture cannot be replayed, 2 if the command line is wrong. weftctl looks into the running daemon.\n";

} // namespace

std::optional<options> parse_options(int count, char** words, int& status)
{
    constexpr int check_option = 256;
    constexpr int page_option = 257;
    constexpr int replay_option = 258;
    static const option known[] = {{"config", required_argument, nullptr, 'c'},
                                   {"check", no_argument, nullptr, check_option},
                                   {"replay", required_argument, nullptr, replay_option},
                                   {"page", required_argument, nullptr, page_option},
                                   {"help", no_argument, nullptr, 'h'},
                                   {"version", no_argument, nullptr, 'V'},
                                   {nullptr, 0, nullptr, 0}};
    options found;
    for (int c = 0; (c = getopt_long(count, words, "c:hV", known, nullptr)) != -1;) {
        if (c == 'c') {
            found.file = optarg;
        } else if (c == check_option) {
            found.check = true;
        } else if (c == replay_option) {
            found.replay = optarg;
        } else if (c == page_option) {
            found.page = optarg;
        } else if (c == 'h') {
            fmt::print("{}", usage);
            status = 0;
            return {};
        } else if (c == 'V') {
            fmt::print("weftd {}\n", WEFT_VERSION);
            status = 0;
            return {};
        } else {
            fmt::print(stderr, "{}", usage);
            status = 2;
            return {};
        }
    }
    if ((!found.file.empty() || !found.page.empty()) && optind == count)
        return found;
    if (optind < count)
        fmt::print(stderr, "weftd: unexpected argument `{}'\n\n", words[optind]);
    else
        fmt::print(stderr, "weftd: no configuration file is given\n\n");
    fmt::print(stderr, "{}", usage);
    status = 2;
    return {};
}

} // namespace weft
