// SPDX-License-Identifier: Apache-2.0
// Filters of answers, by POSIX regular expressions.
#include "cli/filter.hh"

#include "cli/text.hh"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <regex.h>

namespace weftctl {
namespace {

// Where the next `|` stands that is a word of its own.
size_t next_bar(std::string_view text)
{
    bool quoted = false;
    for (size_t i = 0; i < text.size(); ++i) {
        if (quoted && text[i] == '\\')
            ++i;
        else if (text[i] == '"')
            quoted = !quoted;
        else if (!quoted && text[i] == '|' && i > 0 && blanks.find(text[i - 1]) != blanks.npos &&
                 (i + 1 == text.size() || blanks.find(text[i + 1]) != blanks.npos))
            return i;
    }
    return text.npos;
}

class regex {
public:
    explicit regex(const std::string& pattern)
        : status_{::regcomp(&compiled_, pattern.c_str(), REG_EXTENDED | REG_NOSUB)}
    {}
    ~regex()
    {
        if (status_ == 0)
            ::regfree(&compiled_);
    }
    regex(const regex&) = delete;
    regex& operator=(const regex&) = delete;

    [[nodiscard]] std::string fault() const
    {
        if (status_ == 0)
            return {};
        char text[128];
        ::regerror(status_, &compiled_, text, sizeof text);
        return text;
    }
    [[nodiscard]] bool matches(const std::string& line) const
    {
        return ::regexec(&compiled_, line.c_str(), 0, nullptr, 0) == 0;
    }

private:
    regex_t compiled_{};
    const int status_;
};

// One filter of `text`, without its bar; an error is a sentence.
std::string read_filter(std::string_view text, filter& into)
{
    const auto word = take_word(text);
    std::vector<size_t> found;
    for (size_t i = 0; i < filter_words().size(); ++i)
        if (!word.empty() && filter_words()[i].word.starts_with(word))
            found.push_back(i);
    if (found.size() != 1)
        return fmt::format("expected include, exclude, begin or count after `|', found `{}'", word);
    into.what = static_cast<filter::kind>(found.front());
    auto pattern = trimmed(text);
    if (pattern.size() >= 2 && pattern.front() == '"' && pattern.back() == '"')
        pattern = pattern.substr(1, pattern.size() - 2);
    into.pattern = pattern;
    if (pattern.empty() && into.what != filter::kind::count)
        return fmt::format("`| {}' needs a regular expression", filter_words()[found.front()].word);
    if (const auto fault = regex{into.pattern}.fault(); !fault.empty())
        return fmt::format("`{}' is not a regular expression: {}", into.pattern, fault);
    return {};
}

std::string left_by(const filter& f, std::string_view text)
{
    const regex wanted{f.pattern};
    std::string left;
    size_t count = 0;
    bool begun = false;
    while (!text.empty()) {
        const std::string line{take_line(text)};
        const bool matches = wanted.matches(line);
        begun = begun || matches;
        count += matches ? 1 : 0;
        if (f.what == filter::kind::include   ? matches
            : f.what == filter::kind::exclude ? !matches
            : f.what == filter::kind::begin   ? begun
                                              : false)
            left += line + '\n';
    }
    return f.what == filter::kind::count ? fmt::format("{}\n", count) : left;
}

} // namespace

const std::vector<filter_word>& filter_words() noexcept
{
    // by the numbers of filter::kind
    static const std::vector<filter_word> words{
        {"include", "only lines that match a regular expression"},
        {"exclude", "only lines that do not match a regular expression"},
        {"begin", "everything from the first line that matches a regular expression"},
        {"count", "the number of lines, or of those that match a regular expression"},
    };
    return words;
}

filtered_line read_filters(std::string_view line)
{
    filtered_line found;
    size_t bar = next_bar(line);
    found.command = trimmed(line.substr(0, std::min(bar, line.size())));
    while (bar != line.npos && found.problem.empty()) {
        line.remove_prefix(bar + 1);
        bar = next_bar(line);
        found.problem = read_filter(trimmed(line.substr(0, std::min(bar, line.size()))),
                                    found.filters.emplace_back());
    }
    return found;
}

bool has_filter(std::string_view line)
{
    return next_bar(line) != line.npos;
}

std::string filtered(const std::vector<filter>& filters, std::string text)
{
    for (const auto& f : filters)
        text = left_by(f, text);
    return text;
}

} // namespace weftctl
