// SPDX-License-Identifier: Apache-2.0
// The interactive session, on readline.
#include "cli/interactive.hh"

#include "cli/batch.hh"
#include "cli/connection.hh"
#include "cli/filter.hh"
#include "cli/history.hh"
#include "cli/pager.hh"
#include "cli/text.hh"
#include "cli/watch.hh"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

// After <cstdio>, whose FILE it uses.
#include <readline/readline.h>

namespace weftctl {
namespace {

constexpr const char* prompt = "weft# ";

volatile std::sig_atomic_t interrupted = 0;
connection* session = nullptr; // readline's callbacks take no argument

struct candidate {
    std::string word;
    std::string help;
};

// What may stand behind a `|`.
std::vector<candidate> filter_candidates(std::string_view partial)
{
    const auto typed = partial.substr(partial.find_last_of(" \t") + 1);
    std::vector<candidate> list;
    if (partial.substr(0, partial.size() - typed.size()).find_last_not_of(" \t") ==
        partial.rfind('|'))
        for (const auto& one : filter_words())
            if (one.word.starts_with(typed))
                list.push_back({std::string{one.word}, std::string{one.help}});
    return list;
}

// What may stand after `partial`, as the daemon says it. Silent about a daemon that is away: the
// next command tells.
std::vector<candidate> candidates(std::string_view partial)
{
    if (has_filter(partial))
        return filter_candidates(partial);
    double interval = 0;
    std::string ignored; // the command that is missing yet
    if (partial.find_last_of(" \t") != partial.npos)
        static_cast<void>(take_watch(partial, interval, ignored));
    const auto got = session->ask(fmt::format("@complete {}", partial));
    std::vector<candidate> list;
    if (got.what != answer::kind::good)
        return list;
    for (std::string_view rest = got.text; !rest.empty();) {
        const auto line = take_line(rest);
        const size_t tab = std::min(line.find('\t'), line.size());
        list.push_back({std::string{line.substr(0, tab)},
                        std::string{line.substr(std::min(tab + 1, line.size()))}});
    }
    return list;
}

std::string_view line_to_cursor()
{
    return {rl_line_buffer, static_cast<size_t>(rl_point)};
}

// readline calls it again and again, and frees what it gives.
char* next_match(const char* text, int again)
{
    static std::vector<std::string> words;
    static size_t at = 0;
    if (again == 0) {
        words.clear();
        at = 0;
        for (auto& one : candidates(line_to_cursor()))
            if (!one.word.starts_with('<') && one.word.starts_with(text))
                words.push_back(std::move(one.word));
    }
    return at < words.size() ? ::strdup(words[at++].c_str()) : nullptr;
}

char** complete(const char* text, int, int)
{
    rl_attempted_completion_over = 1; // never names of files
    return rl_completion_matches(text, next_match);
}

// `?` prints what may follow and leaves the line as it is; within quotes it is a character.
int help_key(int count, int key)
{
    const auto before = line_to_cursor();
    if (std::ranges::count(before, '"') % 2 != 0)
        return rl_insert(count, key);
    const auto list = candidates(before);
    size_t width = 0;
    for (const auto& one : list)
        width = std::max(width, one.word.size());
    std::string text = list.empty() ? "  nothing known can follow here\n" : "";
    for (const auto& one : list)
        text += fmt::format("  {:<{}}  {}\n", one.word, width, one.help);
    rl_crlf();
    static_cast<void>(print(text));
    rl_on_new_line();
    return 0;
}

// Ctrl-C drops the line that is being typed.
int drop_line()
{
    if (interrupted == 0)
        return 0;
    interrupted = 0;
    rl_crlf();
    rl_replace_line("", 0);
    rl_on_new_line();
    rl_redisplay();
    return 0;
}

void catch_interrupts()
{
    struct sigaction action {};
    action.sa_handler = [](int) { interrupted = 1; };
    sigemptyset(&action.sa_mask);
    ::sigaction(SIGINT, &action, nullptr); // without SA_RESTART: it ends the wait for an answer
}

void set_up_terminal()
{
    rl_readline_name = "weftctl";
    rl_attempted_completion_function = complete;
    rl_basic_word_break_characters = " \t";
    rl_completer_word_break_characters = " \t";
    rl_basic_quote_characters = "";
    rl_signal_event_hook = drop_line;
    rl_bind_key('?', help_key);
    catch_interrupts();
}

void run(const options& wanted, std::string_view typed)
{
    interrupted = 0;
    options asked = wanted;
    std::string problem;
    if (take_watch(typed, asked.interval, problem)) {
        if (problem.empty())
            static_cast<void>(watch(asked, typed, *session, interrupted));
        else
            complain("", problem);
        interrupted = 0;
        return;
    }
    const auto line = read_filters(typed);
    if (!line.problem.empty()) {
        complain("", line.problem);
        return;
    }
    auto got = session->ask(request_of(wanted, line.command));
    interrupted = 0;
    if (got.what == answer::kind::good)
        show(filtered(line.filters, std::move(got.text)));
    else
        complain("", got.text);
}

struct free_line {
    void operator()(char* line) const noexcept { std::free(line); }
};

} // namespace

exit_status run_watch(const options& wanted)
{
    catch_interrupts();
    connection daemon{wanted.socket, &interrupted};
    return watch(wanted, wanted.command, daemon, interrupted);
}

exit_status run_interactive(const options& wanted)
{
    connection daemon{wanted.socket, &interrupted};
    if (const auto problem = daemon.open(); !problem.empty()) {
        fmt::print(stderr, "weftctl: {}\n", problem);
        return exit_unreachable;
    }
    session = &daemon;
    set_up_terminal();
    const history kept;
    for (;;) {
        const std::unique_ptr<char, free_line> line{readline(prompt)};
        if (!line) {
            static_cast<void>(print("\n"));
            return exit_good;
        }
        const auto text = trimmed(line.get());
        if (text.empty())
            continue;
        kept.add(line.get());
        if (is_quit(text))
            return exit_good;
        run(wanted, text);
    }
}

} // namespace weftctl
