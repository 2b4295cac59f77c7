// SPDX-License-Identifier: Apache-2.0
// What configuration keys may hold: the checks with their words, and the conversions of scalars.
#include "control/config/config.hh"

#include "base/nearest.hh"
#include "base/quote.hh"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <stdexcept>

namespace weft::config {
namespace {

constexpr std::string_view truths[] = {"true", "True", "TRUE", "yes", "Yes",
                                       "YES",  "on",   "On",   "ON"};
constexpr std::string_view untruths[] = {"false", "False", "FALSE", "no", "No",
                                         "NO",    "off",   "Off",   "OFF"};

bool all_digits(std::string_view text)
{
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Decimal digits only. A leading zero is refused: YAML 1.1 reads such a number as octal.
bool is_number(std::string_view text)
{
    return all_digits(text) && (text.size() == 1 || text[0] != '0');
}

// Empty if it is beyond 64 bits; `text` is_number().
std::optional<uint64_t> to_number(std::string_view text)
{
    uint64_t number = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (status != std::errc{})
        return {};
    return number;
}

struct unit {
    char upper;
    char lower;
    unsigned shift;
};
constexpr unit units[] = {{'G', 'g', 30}, {'M', 'm', 20}, {'K', 'k', 10}};

// Splits "256M" into its digits and how far they are shifted; a plain number is shifted by 0.
std::pair<std::string_view, unsigned> split_size(std::string_view text)
{
    for (const unit& u : units)
        if (!text.empty() && (text.back() == u.upper || text.back() == u.lower))
            return {text.substr(0, text.size() - 1), u.shift};
    return {text, 0};
}

// Empty if it is beyond 64 bits; the digits of `text` are is_number().
std::optional<uint64_t> to_size(std::string_view text)
{
    const auto [digits, shift] = split_size(text);
    const auto number = to_number(digits);
    if (!number || *number > std::numeric_limits<uint64_t>::max() >> shift)
        return {};
    return *number << shift;
}

std::string size_text(uint64_t bytes)
{
    for (const unit& u : units)
        if (bytes != 0 && bytes % (uint64_t{1} << u.shift) == 0)
            return fmt::format("{}{}", bytes >> u.shift, u.upper);
    return std::to_string(bytes);
}

bool read(std::string_view text, bool& out)
{
    out = std::ranges::find(truths, text) != std::end(truths);
    return out || std::ranges::find(untruths, text) != std::end(untruths);
}

bool read(std::string_view text, uint64_t& out)
{
    if (!is_number(split_size(text).first))
        return false;
    const auto number = to_size(text);
    out = number.value_or(0);
    return number.has_value();
}

template <std::integral T>
bool read(std::string_view text, T& out)
{
    const auto number = is_number(text) ? to_number(text) : std::nullopt;
    if (!number || *number > static_cast<uint64_t>(std::numeric_limits<T>::max()))
        return false;
    out = static_cast<T>(*number);
    return true;
}

bool read(std::string_view text, std::string& out)
{
    out = text;
    return true;
}

template <class Address>
bool read(std::string_view text, Address& out)
{
    const auto parsed = net::parse<Address>(text);
    if (parsed)
        out = *parsed;
    return parsed.has_value();
}

// Adds a problem and answers false unless `v` is one scalar.
bool expect_scalar(const value& v, std::string_view allowed, problems& found)
{
    switch (v.what()) {
    case value::kind::scalar:
        return true;
    case value::kind::null:
        found.add(v, "no value ({})", allowed);
        break;
    case value::kind::sequence:
        found.add(v, "expected a single value, found a list ({})", allowed);
        break;
    case value::kind::mapping:
        found.add(v, "expected a single value, found a mapping ({})", allowed);
        break;
    }
    return false;
}

// A type that is one scalar; `check` gets only scalars, and the words for what is allowed.
template <class Check>
type scalar_type(std::string allowed, Check check)
{
    return {allowed, [allowed, check](const value& v, problems& found) {
                if (expect_scalar(v, allowed, found))
                    check(v, allowed, found);
            }};
}

// A number of any length as a message shows it.
std::string shown_number(std::string_view text)
{
    return text.size() <= 24 ? std::string{text} : quote(text);
}

void check_range(const value& v, std::optional<uint64_t> number, uint64_t lowest, uint64_t highest,
                 bool as_size, std::string_view allowed, problems& found)
{
    const auto bound = [as_size](uint64_t b) { return as_size ? size_text(b) : std::to_string(b); };
    if (number && *number < lowest)
        found.add(v, "{} is below {} ({})", v.text(), bound(lowest), allowed);
    else if (!number || *number > highest)
        found.add(v, "{} is above {} ({})", shown_number(v.text()), bound(highest), allowed);
}

template <class Address>
type address_type(std::string allowed)
{
    return scalar_type(std::move(allowed), [](const value& v, const std::string&, problems& found) {
        const auto parsed = net::parse<Address>(v.text());
        if (!parsed)
            found.add(v, "{}", parsed.error().message);
    });
}

bool has_control_character(std::string_view text)
{
    return std::any_of(text.begin(), text.end(),
                       [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

} // namespace

type boolean()
{
    return scalar_type("true or false",
                       [](const value& v, const std::string& allowed, problems& found) {
                           bool ignored;
                           if (!read(v.text(), ignored))
                               found.add(v, "{} is not a boolean ({})", quote(v.text()), allowed);
                       });
}

type number(uint64_t lowest, uint64_t highest)
{
    return scalar_type(
        fmt::format("a number from {} to {}", lowest, highest),
        [lowest, highest](const value& v, const std::string& allowed, problems& found) {
            const std::string& text = v.text();
            if (text.size() > 1 && text[0] == '-' && is_number(text.substr(1)))
                found.add(v, "{} is below {} ({})", shown_number(text), lowest, allowed);
            else if (!is_number(text))
                found.add(v, "{} is not a number ({})", quote(text), allowed);
            else
                check_range(v, to_number(text), lowest, highest, false, allowed, found);
        });
}

type size(uint64_t lowest, uint64_t highest)
{
    return scalar_type(
        fmt::format("a size from {} to {}, optionally with the suffix K, M or G", size_text(lowest),
                    size_text(highest)),
        [lowest, highest](const value& v, const std::string& allowed, problems& found) {
            if (!is_number(split_size(v.text()).first))
                found.add(v, "{} is not a size ({})", quote(v.text()), allowed);
            else
                check_range(v, to_size(v.text()), lowest, highest, true, allowed, found);
        });
}

type text(std::string allowed)
{
    return scalar_type(
        std::move(allowed), [](const value& v, const std::string& words, problems& found) {
            if (v.text().empty())
                found.add(v, "the text is empty ({})", words);
            else if (has_control_character(v.text()))
                found.add(v, "{} contains a control character ({})", quote(v.text()), words);
        });
}

type one_of(std::vector<std::string> words)
{
    std::string allowed;
    for (size_t i = 0; i < words.size(); ++i)
        allowed += (i == 0 ? "" : i + 1 < words.size() ? ", " : " or ") + words[i];
    return scalar_type(
        std::move(allowed),
        [words = std::move(words)](const value& v, const std::string& choices, problems& found) {
            if (std::ranges::find(words, v.text()) != words.end())
                return;
            const std::string near = nearest(v.text(), words);
            if (near.empty())
                found.add(v, "{} is not one of the allowed values ({})", quote(v.text()), choices);
            else
                found.add(v, "{} is not one of the allowed values; did you mean `{}'? ({})",
                          quote(v.text()), near, choices);
        });
}

type mac_address()
{
    return scalar_type("a unicast MAC address, such as 02:00:00:00:0a:01",
                       [](const value& v, const std::string& allowed, problems& found) {
                           const auto mac = net::parse<net::mac_address>(v.text());
                           if (!mac)
                               found.add(v, "{}", mac.error().message);
                           else if (mac->is_group())
                               found.add(v, "{} is a multicast address ({})", v.text(), allowed);
                           else if (mac->is_zero())
                               found.add(v, "{} is the all-zeros address ({})", v.text(), allowed);
                       });
}

type ip4_address()
{
    return address_type<net::ip4_address>("an IPv4 address, such as 10.0.0.1");
}

type ip4_prefix()
{
    return address_type<net::ip4_prefix>("an IPv4 network, such as 10.0.0.0/24");
}

type ip4_interface_address()
{
    return address_type<net::ip4_interface_address>(
        "an IPv4 address with its prefix length, such as 10.0.0.1/24");
}

type list_of(type item)
{
    std::string allowed = "a list, each item " + item.allowed;
    return {allowed, [allowed, check = std::move(item.check)](const value& v, problems& found) {
                if (v.what() == value::kind::scalar)
                    found.add(v, "expected a list, found {} ({})", quote(v.text()), allowed);
                else if (v.what() == value::kind::mapping)
                    found.add(v, "expected a list, found a mapping ({})", allowed);
                for (const value& each : v.items())
                    check(each, found);
            }};
}

type one_or_list_of(type item)
{
    std::string allowed = item.allowed + ", or a list of these";
    return {allowed, [allowed, check = std::move(item.check)](const value& v, problems& found) {
                if (v.what() == value::kind::scalar)
                    check(v, found);
                else if (v.what() == value::kind::mapping)
                    found.add(v, "expected a single value or a list, found a mapping ({})",
                              allowed);
                for (const value& each : v.items())
                    check(each, found);
            }};
}

type mapping()
{
    return {"a mapping of keys", [](const value& v, problems& found) {
                if (v.what() == value::kind::scalar)
                    found.add(v, "expected a mapping of keys, found {}", quote(v.text()));
                else if (v.what() == value::kind::sequence)
                    found.add(v, "expected a mapping of keys, found a list");
            }};
}

type or_mapping(type scalar)
{
    std::string allowed = scalar.allowed + ", or a mapping of keys";
    return {allowed, [allowed, check = std::move(scalar.check)](const value& v, problems& found) {
                if (v.what() == value::kind::scalar)
                    check(v, found);
                else if (v.what() != value::kind::mapping)
                    found.add(v, "{} ({})",
                              v.what() == value::kind::null
                                  ? "no value"
                                  : "expected a single value or a mapping, found a list",
                              allowed);
            }};
}

template <class T>
T value::as() const
{
    T converted{};
    if (kind_ != kind::scalar || !read(text_, converted))
        throw std::logic_error{
            fmt::format("configuration key {} was read before it was checked", path_)};
    return converted;
}

template <class T>
T value::get(std::string_view key, T fallback) const
{
    const value* member = find(key);
    return member == nullptr || member->what() == kind::null ? std::move(fallback)
                                                             : member->as<T>();
}

template <class T>
std::vector<T> value::list(std::string_view key) const
{
    std::vector<T> all;
    const value* member = find(key);
    if (member == nullptr)
        return all;
    if (member->what() == kind::scalar || member->what() == kind::mapping)
        all.push_back(member->as<T>());
    all.reserve(member->items().size());
    for (const value& item : member->items())
        all.push_back(item.as<T>());
    return all;
}

#define WEFT_READABLE(T)                                                                           \
    template T value::as<T>() const;                                                               \
    template T value::get<T>(std::string_view, T) const;                                           \
    template std::vector<T> value::list<T>(std::string_view) const

WEFT_READABLE(bool);
WEFT_READABLE(int);
WEFT_READABLE(uint16_t);
WEFT_READABLE(uint32_t);
WEFT_READABLE(uint64_t);
WEFT_READABLE(std::string);
WEFT_READABLE(net::mac_address);
WEFT_READABLE(net::ip4_address);
WEFT_READABLE(net::ip4_prefix);
WEFT_READABLE(net::ip4_interface_address);

#undef WEFT_READABLE

} // namespace weft::config
