// SPDX-License-Identifier: Apache-2.0
// Shell patterns of nodes' names.
#include "graph/node_patterns.hh"

#include "base/quote.hh"

#include <algorithm>
#include <cctype>
#include <fnmatch.h>

namespace weft {

namespace {

bool is_exclusion(std::string_view pattern) noexcept
{
    return pattern.starts_with('!');
}

bool may_stand_in_pattern(unsigned char c) noexcept
{
    return std::isalnum(c) != 0 ||
           std::string_view{"-_.*?[]!^"}.find(static_cast<char>(c)) != std::string_view::npos;
}

} // namespace

bool matches(const std::string& pattern, const std::string& name) noexcept
{
    return fnmatch(pattern.c_str(), name.c_str(), FNM_NOESCAPE) == 0;
}

node_patterns::node_patterns(std::vector<std::string> patterns) : patterns_{std::move(patterns)} {}

bool node_patterns::take(const std::string& node) const noexcept
{
    bool asked = false; // for some nodes by name
    bool found = false;
    for (const auto& pattern : patterns_) {
        if (!is_exclusion(pattern)) {
            asked = true;
            found = found || matches(pattern, node);
        } else if (fnmatch(pattern.c_str() + 1, node.c_str(), FNM_NOESCAPE) == 0) {
            return false;
        }
    }
    return found || !asked;
}

std::string node_patterns::text() const
{
    std::string all;
    for (const auto& pattern : patterns_)
        all += fmt::format("{}`{}'", all.empty() ? "" : ", ", pattern);
    return all;
}

result<void> node_patterns::check(std::string_view text)
{
    const std::string_view body = text.substr(is_exclusion(text) ? 1 : 0);
    if (body.empty())
        return fail(errc::invalid_argument, "the pattern is empty");
    if (text.size() > longest)
        return fail(errc::invalid_argument,
                    "a pattern can have at most {} characters, this one has {}", longest,
                    text.size());
    if (!std::all_of(text.begin(), text.end(), may_stand_in_pattern))
        return fail(errc::invalid_argument,
                    "{} is not a pattern of node names (letters, digits, `-', `_', `.', and `*', "
                    "`?', `[...]'; with `!' in front, to exclude)",
                    quote(text));
    bool open = false;
    for (const char c : body)
        open = c == '[' || (open && c != ']');
    if (open)
        return fail(errc::invalid_argument, "{}: a `[' is not closed", quote(text));
    return {};
}

} // namespace weft
