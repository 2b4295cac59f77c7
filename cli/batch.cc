// SPDX-License-Identifier: Apache-2.0
// Runs one command or a file of them.
#include "cli/batch.hh"

#include "cli/text.hh"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace weftctl {
namespace {

exit_status finish(const answer& got, std::string_view where)
{
    switch (got.what) {
    case answer::kind::good:
        return print(got.text) ? exit_good : exit_failed;
    case answer::kind::failed:
        complain(where, got.text);
        return exit_failed;
    case answer::kind::lost:
        break;
    }
    complain("weftctl: ", got.text);
    return exit_unreachable;
}

struct close_file {
    void operator()(std::FILE* file) const noexcept
    {
        if (file != stdin)
            std::fclose(file);
    }
};

// Reads lines of any length without the newline.
class line_reader {
public:
    explicit line_reader(std::FILE* file) : file_{file} {}
    line_reader(const line_reader&) = delete;
    line_reader& operator=(const line_reader&) = delete;
    ~line_reader() { std::free(line_); }

    [[nodiscard]] bool next(std::string_view& line)
    {
        const ssize_t length = ::getline(&line_, &room_, file_);
        if (length < 0)
            return false;
        line = {line_, static_cast<size_t>(length)};
        return true;
    }

private:
    std::FILE* file_;
    char* line_ = nullptr;
    size_t room_ = 0;
};

} // namespace

void complain(std::string_view where, std::string_view text)
{
    fmt::print(stderr, "{}{}\n", where, trimmed(text));
}

std::string request_of(const options& wanted, std::string_view command)
{
    return fmt::format("{}{}", wanted.json ? "@json " : "", command);
}

bool is_quit(std::string_view command) noexcept
{
    return command == "quit" || command == "q" || command == "exit";
}

bool print(std::string_view text)
{
    const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
    if ((written && std::fflush(stdout) == 0) || errno == EPIPE)
        return true;
    fmt::print(stderr, "weftctl: cannot write the answer: {}\n", std::strerror(errno));
    return false;
}

exit_status run_one(const options& wanted, connection& daemon)
{
    return finish(daemon.ask(request_of(wanted, wanted.command)), "");
}

exit_status run_complete(const options& wanted, connection& daemon)
{
    return finish(daemon.ask(fmt::format("@complete {}", wanted.command)), "");
}

exit_status run_batch(const options& wanted, connection& daemon)
{
    const bool standard = wanted.file.empty() || wanted.file == "-";
    const std::string name = standard ? "stdin" : wanted.file;
    const std::unique_ptr<std::FILE, close_file> file{standard ? stdin
                                                               : std::fopen(name.c_str(), "re")};
    if (!file) {
        fmt::print(stderr, "weftctl: cannot read {}: {}\n", name, std::strerror(errno));
        return exit_failed;
    }
    line_reader lines{file.get()};
    std::string_view line;
    for (size_t number = 1; lines.next(line); ++number) {
        const auto command = trimmed(line);
        if (command.empty() || command.front() == '#')
            continue;
        if (is_quit(command))
            return exit_good;
        const auto status =
            finish(daemon.ask(request_of(wanted, command)), fmt::format("{}:{}: ", name, number));
        if (status != exit_good)
            return status;
    }
    if (std::ferror(file.get()) != 0) {
        fmt::print(stderr, "weftctl: cannot read {}: {}\n", name, std::strerror(errno));
        return exit_failed;
    }
    return exit_good;
}

} // namespace weftctl
