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
    "  -c, --config FILE     the router's configuration (docs/configuration.md)\n"
    "      --check           check the configuration and exit\n"
    "      --replay CAPTURE  run the vectors of a capture (`capture dispatch on')\n"
    "                        through the graph of this configuration, on one thread\n"
    "                        and without its devices, and print what happened to\n"
    "                        them (docs/capture.md)\n"
    "      --page NAME       print a page of the documentation: commands,\n"
    "                        configuration, or weft.yaml.5 (a man page)\n"
    "  -h, --help            print this help\n"
    "  -V, --version         print the version\n"
    "\n"
    "Exit status:\n"
    "  0   stopped by SIGTERM or SIGINT; or --check found no errors\n"
    "  1   could not start or continue for a reason that may be temporary (a device,\n"
    "      memory, another daemon); or the capture could not be replayed\n"
    "  2   wrong usage\n"
    "  70  did not stop in time and was ended by force\n"
    "  78  the configuration is wrong; a restart does not help\n"
    "\n"
    "Use weftctl to control the running daemon.\n";

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
            status = exit_status::fine;
            return {};
        } else if (c == 'V') {
            fmt::print("weftd {}\n", WEFT_VERSION);
            status = exit_status::fine;
            return {};
        } else {
            fmt::print(stderr, "{}", usage);
            status = exit_status::wrong_command_line;
            return {};
        }
    }
    if ((!found.file.empty() || !found.page.empty()) && optind == count)
        return found;
    if (optind < count)
        fmt::print(stderr, "weftd: unexpected argument `{}'\n\n", words[optind]);
    else
        fmt::print(stderr, "weftd: no configuration file given\n\n");
    fmt::print(stderr, "{}", usage);
    status = exit_status::wrong_command_line;
    return {};
}

} // namespace weft
