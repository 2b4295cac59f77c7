// SPDX-License-Identifier: Apache-2.0
// Filters of answers, by POSIX regular expressions.
#include "cli/filter.hh"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <regex.h>

namespace weftctl {
namespace {

constexpr std::string_view blanks = " \t";

std::string_view trimmed(std::string_view text)
{
    const size_t begin = text.find_first_not_of(blanks);
    if (begin == std::string_view::npos)
        return {};
    return text.substr(begin, text.find_last_not_of(blanks) + 1 - begin);
}

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
    const size_t end = std::min(text.find_first_of(blanks), text.size());
    const auto word = text.substr(0, end);
    std::vector<size_t> found;
    for (size_t i = 0; i < filter_words().size(); ++i)
        if (!word.empty() && filter_words()[i].word.starts_with(word))
            found.push_back(i);
    if (found.size() != 1)
        return fmt::format("expected include, exclude, begin or count after `|', found `{}'", word);
    into.what = static_cast<filter::kind>(found.front());
    auto pattern = trimmed(text.substr(end));
    if (pattern.size() >= 2 && pattern.front() == '"' && pattern.back() == '"')
        pattern = pattern.substr(1, pattern.size() - 2);
    into.pattern = pattern;
    if (pattern.empty() && into.what != filter::kind::count)
        return fmt::format("`| {}' needs a regular expression", filter_words()[found.front()].word);
    if (const auto fault = regex{into.pattern}.fault(); !fault.empty())
        return fmt::format("`{}' is not a regular expression: {}", into.pattern, fault);
    return {};
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

std::string filtered(const filter& f, std::string_view text)
{
    const regex wanted{f.pattern};
    std::string left;
    size_t count = 0;
    bool begun = false;
    while (!text.empty()) {
        const size_t end = std::min(text.find('\n'), text.size());
        const std::string line{text.substr(0, end)};
        text.remove_prefix(std::min(end + 1, text.size()));
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

} // namespace weftctl
