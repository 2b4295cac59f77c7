// SPDX-License-Identifier: Apache-2.0
// Draws the answers of a command one over the other.
#include "cli/watch.hh"

#include "cli/batch.hh"
#include "cli/filter.hh"
#include "cli/text.hh"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <sys/ioctl.h>
#include <unistd.h>
#include <utility>

namespace weftctl {
namespace {

constexpr std::string_view reverse = "\033[7m", normal = "\033[0m", home = "\033[H",
                           to_end_of_line = "\033[K", to_end_of_screen = "\033[J";

// The bytes of the first `columns` characters.
size_t bytes_of(std::string_view line, size_t columns)
{
    size_t at = 0;
    for (; at < line.size(); ++at)
        if (!is_inside_character(line[at]) && columns-- == 0)
            break;
    return at;
}

std::string marked(std::string_view line, std::string_view before)
{
    std::string out;
    bool is_reversed = false;
    for (size_t at = 0; at < line.size();) {
        size_t end = at + 1;
        while (end < line.size() && is_inside_character(line[end]))
            ++end;
        const bool differs =
            line.substr(at, end - at) != before.substr(std::min(at, before.size()), end - at);
        if (differs != is_reversed)
            out += differs ? reverse : normal;
        is_reversed = differs;
        out += line.substr(at, end - at);
        at = end;
    }
    return is_reversed ? out.append(normal) : out;
}

// What fits on the screen, from its first row on.
std::string screen_of(std::string_view head, std::string_view text, std::string_view before,
                      const winsize& size, bool mark)
{
    std::string out{home};
    for (unsigned row = 0; row < std::max<unsigned>(size.ws_row, 2); ++row) {
        if (row > 1 && text.empty())
            break;
        const auto line = row == 0 ? head : row == 1 ? std::string_view{} : take_line(text);
        const auto old = row > 1 ? take_line(before) : std::string_view{};
        const auto cut = line.substr(0, bytes_of(line, size.ws_col));
        out += row > 0 ? "\r\n" : "";
        out += row > 1 && mark ? marked(cut, old) : std::string{cut};
        out += to_end_of_line;
    }
    return out.append(to_end_of_screen);
}

std::string header(const options& wanted, std::string_view command)
{
    return fmt::format("Every {} s: {}    {:%F %T}", wanted.interval, command,
                       fmt::localtime(std::time(nullptr)));
}

// False where it was interrupted.
bool wait(double seconds, const volatile std::sig_atomic_t& interrupted)
{
    timespec left{
        static_cast<time_t>(seconds),
        static_cast<long>((seconds - static_cast<double>(static_cast<time_t>(seconds))) * 1e9)};
    while (interrupted == 0 && ::clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
        continue;
    return interrupted == 0;
}

} // namespace

bool take_watch(std::string_view& command, double& interval, std::string& problem)
{
    std::string_view rest = command;
    if (take_word(rest) != "watch")
        return false;
    std::string_view behind = rest;
    if (take_word(behind) == "-n") {
        const std::string seconds{take_word(behind)};
        char* end = nullptr;
        interval = std::strtod(seconds.c_str(), &end);
        constexpr double least = 0.1, most = 86400;
        if (seconds.empty() || *end != '\0' || !(interval >= least && interval <= most))
            problem =
                fmt::format("`{}' is not a number of seconds from {} to {}", seconds, least, most);
        rest = behind;
    }
    command = rest;
    if (problem.empty() && command.empty())
        problem = "usage: watch [-n SECONDS] COMMAND";
    return true;
}

exit_status watch(const options& wanted, std::string_view command, connection& daemon,
                  const volatile std::sig_atomic_t& interrupted)
{
    winsize size{};
    const bool on_screen =
        ::isatty(STDOUT_FILENO) != 0 && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
    const char* no_colour = std::getenv("NO_COLOR");
    const bool mark = no_colour == nullptr || *no_colour == '\0';
    const auto line = read_filters(command);
    if (!line.problem.empty()) {
        complain("", line.problem);
        return exit_usage;
    }
    std::string before;
    if (on_screen && !print("\033[2J"))
        return exit_failed;
    for (bool first = true;; first = false) {
        auto got = daemon.ask(request_of(wanted, line.command));
        if (interrupted != 0)
            break;
        if (got.what != answer::kind::good) {
            complain(on_screen ? "\n" : "", got.text);
            return got.what == answer::kind::failed ? exit_failed : exit_unreachable;
        }
        got.text = filtered(line.filters, std::move(got.text));
        ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
        const auto head = header(wanted, command);
        const bool written =
            print(on_screen ? screen_of(head, got.text, first ? got.text : before, size, mark)
                            : fmt::format("{}{}\n\n{}", first ? "" : "\n", head, got.text));
        if (!written)
            return exit_failed;
        before = got.text;
        if (!wait(wanted.interval, interrupted))
            break;
    }
    if (on_screen)
        static_cast<void>(print("\n"));
    return exit_good;
}

} // namespace weftctl
