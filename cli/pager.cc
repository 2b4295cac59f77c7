// SPDX-License-Identifier: Apache-2.0
// Pages through $PAGER, less, or a prompt as VPP's.
#include "cli/pager.hh"

#include "cli/batch.hh"
#include "cli/text.hh"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <vector>

namespace weftctl {
namespace {

struct screen {
    size_t rows = 0; // 0: not a terminal
    size_t columns = 0;
};

screen screen_size()
{
    winsize size{};
    if (::isatty(STDOUT_FILENO) == 0 || ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
        return {};
    return {size.ws_row, size.ws_col};
}

std::vector<std::string_view> lines_of(std::string_view text)
{
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const size_t end = std::min(text.find('\n'), text.size() - 1);
        lines.push_back(text.substr(0, end + 1));
        text.remove_prefix(end + 1);
    }
    return lines;
}

// How many rows a line takes, more than one where it wraps. Characters are one column wide.
size_t rows_of(std::string_view line, size_t columns)
{
    if (line.ends_with('\n'))
        line.remove_suffix(1);
    const auto width = static_cast<size_t>(
        std::count_if(line.begin(), line.end(), [](char c) { return !is_inside_character(c); }));
    return columns > 0 && width > 0 ? 1 + (width - 1) / columns : 1;
}

bool fits(const std::vector<std::string_view>& lines, const screen& size)
{
    size_t rows = 0;
    for (const auto line : lines)
        rows += rows_of(line, size.columns);
    return rows < size.rows;
}

bool in_path(std::string_view program)
{
    const char* path = std::getenv("PATH");
    for (std::string_view rest = path != nullptr ? path : ""; !rest.empty();) {
        const size_t end = std::min(rest.find(':'), rest.size());
        const auto file = fmt::format("{}/{}", rest.substr(0, end), program);
        if (::access(file.c_str(), X_OK) == 0)
            return true;
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return false;
}

// Empty: the pager of our own.
std::string pager_command()
{
    const char* wanted = std::getenv("PAGER");
    if (wanted != nullptr && *wanted != '\0')
        return wanted;
    return in_path("less") ? "less -FRSX" : "";
}

bool page_through(const std::string& command, std::string_view text)
{
    std::FILE* pager = ::popen(command.c_str(), "w");
    if (pager == nullptr)
        return false;
    // A pager that is left early closes the pipe, which is no error.
    std::fwrite(text.data(), 1, text.size(), pager);
    constexpr int not_found = 127;
    const int status = ::pclose(pager);
    return !(WIFEXITED(status) && WEXITSTATUS(status) == not_found);
}

// Keys arrive at once and are not echoed while it lives: from before the prompt, so that a quick
// key is not either.
class key_mode {
public:
    key_mode()
    {
        if (::tcgetattr(STDIN_FILENO, &before_) != 0)
            return;
        termios raw = before_;
        raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
        is_set_ = ::tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
    }
    ~key_mode()
    {
        if (is_set_)
            ::tcsetattr(STDIN_FILENO, TCSADRAIN, &before_);
    }
    key_mode(const key_mode&) = delete;
    key_mode& operator=(const key_mode&) = delete;

    [[nodiscard]] char read() const
    {
        char key = 'q';
        return is_set_ && ::read(STDIN_FILENO, &key, 1) == 1 ? key : 'q';
    }

private:
    termios before_{};
    bool is_set_ = false;
};

void page_ourselves(const std::vector<std::string_view>& lines, const screen& size)
{
    const size_t page = std::max<size_t>(size.rows, 2) - 1; // rows; the prompt takes the last one
    const key_mode keys;
    size_t shown = 0;
    for (size_t left = page;;) {
        for (bool first = true; shown < lines.size(); ++shown, first = false) {
            const size_t rows = rows_of(lines[shown], size.columns);
            if (!first && rows > left)
                break;
            if (!print(lines[shown]))
                return;
            left -= std::min(rows, left);
        }
        if (shown == lines.size())
            return;
        if (!print(fmt::format("-- more -- ({}/{})", shown, lines.size())))
            return;
        const char key = keys.read();
        if (!print("\r\033[K") || key == 'q' || key == 'Q')
            return;
        left = key == '\n' || key == '\r' ? 1 : page;
    }
}

} // namespace

void show(std::string_view text)
{
    const auto size = screen_size();
    const auto lines = lines_of(text);
    if (size.rows == 0 || fits(lines, size)) {
        static_cast<void>(print(text));
        return;
    }
    const auto command = pager_command();
    if (command.empty() || !page_through(command, text))
        page_ourselves(lines, size);
}

} // namespace weftctl
