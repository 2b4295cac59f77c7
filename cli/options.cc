// SPDX-License-Identifier: Apache-2.0
// Reads weftctl's command line.
#include "cli/options.hh"

#include "cli/watch.hh"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <getopt.h>
#include <span>
#include <string_view>

namespace weftctl {
namespace {

constexpr std::string_view default_socket = "/run/weft/cli.sock";

constexpr std::string_view usage =
    "usage: weftctl [-s SOCKET] [-j] [-f FILE] [COMMAND...]\n"
    "       weftctl [-s SOCKET] [-j] watch [-n SECONDS] COMMAND...\n"
    "\n"
    "Sends commands to a running weftd. Without COMMAND, weftctl is interactive on a\n"
    "terminal; otherwise it reads commands from standard input, one per line, and\n"
    "stops at the first that fails. `watch' repeats a command and marks changes.\n"
    "\n"
    "  -s, --socket SOCKET  the daemon's socket (default: $WEFT_SOCKET, otherwise\n"
    "                       {})\n"
    "  -j, --json           print answers as JSON\n"
    "  -f, --file FILE      read commands from FILE, one per line; - is standard\n"
    "                       input\n"
    "  -c, --complete LINE  print what can follow LINE, for shell completion\n"
    "  -h, --help           print this help\n"
    "  -V, --version        print the version\n"
    "\n"
    "Exit status: 0 success, 1 a command failed, 2 wrong usage, 3 no daemon.\n";

const option long_options[] = {{"socket", required_argument, nullptr, 's'},
                               {"json", no_argument, nullptr, 'j'},
                               {"file", required_argument, nullptr, 'f'},
                               {"complete", required_argument, nullptr, 'c'},
                               {"help", no_argument, nullptr, 'h'},
                               {"version", no_argument, nullptr, 'V'},
                               {nullptr, 0, nullptr, 0}};

[[noreturn]] void refuse(std::string_view why)
{
    fmt::print(stderr, "weftctl: {}\nTry `weftctl --help'.\n", why);
    std::exit(exit_usage);
}

// The daemon splits the line at blanks again; a word that the shell kept whole stays whole.
std::string joined(std::span<char* const> words)
{
    if (words.size() == 1)
        return words.front();
    std::string line;
    for (const std::string_view word : words) {
        if (!line.empty())
            line += ' ';
        if (!word.empty() && word.find_first_of(" \t\"") == std::string_view::npos) {
            line += word;
            continue;
        }
        line += '"';
        for (const char c : word) {
            if (c == '"' || c == '\\')
                line += '\\';
            line += c;
        }
        line += '"';
    }
    return line;
}

std::string socket_by_default()
{
    const char* given = std::getenv("WEFT_SOCKET");
    return given != nullptr && *given != '\0' ? given : std::string{default_socket};
}

} // namespace

options read_options(int count, char** words)
{
    options wanted;
    wanted.socket = socket_by_default();
    opterr = 0;
    // `+`: what follows the first word of the command is the command's.
    for (int c = 0; (c = getopt_long(count, words, "+:s:jf:c:hV", long_options, nullptr)) != -1;) {
        switch (c) {
        case 's':
            wanted.socket = optarg;
            break;
        case 'j':
            wanted.json = true;
            break;
        case 'f':
            wanted.file = optarg;
            break;
        case 'c':
            wanted.complete = true;
            wanted.command = optarg;
            return wanted;
        case 'h':
            fmt::print(usage, default_socket);
            std::exit(exit_good);
        case 'V':
            fmt::print("weftctl {}\n", WEFT_VERSION);
            std::exit(exit_good);
        case ':':
            refuse(fmt::format("option `{}' needs a value", words[optind - 1]));
        default:
            refuse(fmt::format("unknown option `{}'", words[optind - 1]));
        }
    }
    const std::span<char* const> rest{words + optind, static_cast<size_t>(count - optind)};
    if (!rest.empty() && !wanted.file.empty())
        refuse("COMMAND and -f FILE are mutually exclusive");
    if (!rest.empty())
        wanted.command = joined(rest);
    if (!rest.empty() && wanted.command.find_first_not_of(" \t") == std::string::npos)
        refuse("the COMMAND is empty");
    std::string_view watched{wanted.command};
    std::string problem;
    wanted.watch = take_watch(watched, wanted.interval, problem);
    if (!problem.empty())
        refuse(problem);
    wanted.command = std::string{watched};
    return wanted;
}

} // namespace weftctl
