// SPDX-License-Identifier: Apache-2.0
// Text forms of MAC and IP addresses and of prefixes, and their strict parsers.
#include "base/net/address.hh"

#include "base/quote.hh"

#include <algorithm>
#include <optional>
#include <vector>

namespace weft::net {
namespace {

// A decimal number without sign, spaces or leading zeros.
std::optional<uint32_t> decimal(std::string_view text, uint32_t highest)
{
    if (text.empty() || text.size() > 3 || (text.size() > 1 && text[0] == '0'))
        return {};
    uint32_t number = 0;
    for (const char c : text) {
        if (c < '0' || c > '9')
            return {};
        number = number * 10 + static_cast<uint32_t>(c - '0');
    }
    if (number > highest)
        return {};
    return number;
}

std::optional<uint8_t> hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return static_cast<uint8_t>(c - '0');
    if (c >= 'a' && c <= 'f')
        return static_cast<uint8_t>(c - 'a' + 10);
    if (c >= 'A' && c <= 'F')
        return static_cast<uint8_t>(c - 'A' + 10);
    return {};
}

// In one pass: files of routes hold a million of them.
std::optional<ip4_address> dotted_quad(std::string_view text)
{
    uint32_t address = 0;
    const char* at = text.data();
    const char* const end = at + text.size();
    for (int part = 0; part < 4; ++part) {
        if (part > 0 && (at == end || *at++ != '.'))
            return {};
        const char* const begin = at;
        while (at < end && *at >= '0' && *at <= '9')
            ++at;
        const auto octet = decimal({begin, static_cast<size_t>(at - begin)}, 255);
        if (!octet)
            return {};
        address = address << 8 | *octet;
    }
    if (at != end)
        return {};
    return ip4_address{address};
}

// Groups of an IPv6 address that stand beside each other, up to eight; false if they are none. The
// last may be an IPv4 address, which is two.
bool read_groups(std::string_view text, std::vector<uint16_t>& groups)
{
    while (!text.empty()) {
        const size_t colon = text.find(':');
        const std::string_view word = text.substr(0, colon);
        if (colon == std::string_view::npos && word.find('.') != std::string_view::npos) {
            const auto last = dotted_quad(word);
            if (last) {
                groups.push_back(static_cast<uint16_t>(last->value >> 16));
                groups.push_back(static_cast<uint16_t>(last->value));
            }
            return last.has_value() && groups.size() <= 8;
        }
        uint32_t group = 0;
        for (const char c : word) {
            const auto digit = hex_digit(c);
            if (!digit)
                return false;
            group = group << 4 | *digit;
        }
        if (word.empty() || word.size() > 4 || groups.size() == 8)
            return false;
        groups.push_back(static_cast<uint16_t>(group));
        if (colon == std::string_view::npos)
            break;
        text.remove_prefix(colon + 1);
        if (text.empty())
            return false; // a colon at the end
    }
    return true;
}

// RFC 4291 section 2.2.
std::optional<ip6_address> colon_separated(std::string_view text)
{
    constexpr size_t longest = 45; // eight groups of four digits, the last two in IPv4's form
    if (text.size() > longest)
        return {};
    const size_t gap = text.find("::");
    std::vector<uint16_t> groups, behind;
    if (!read_groups(text.substr(0, gap), groups))
        return {};
    if (gap != std::string_view::npos) {
        if (!read_groups(text.substr(gap + 2), behind) || groups.size() + behind.size() > 7 ||
            text.substr(0, gap).find('.') != std::string_view::npos)
            return {};
        groups.resize(8 - behind.size());
        groups.insert(groups.end(), behind.begin(), behind.end());
    }
    if (groups.size() != 8)
        return {};
    ip6_address a;
    for (size_t i = 0; i < 4; ++i) {
        a.high = a.high << 16 | groups[i];
        a.low = a.low << 16 | groups[i + 4];
    }
    return a;
}

// Address and length, the host bits as they were given.
result<ip4_interface_address> with_length(std::string_view text, std::string_view what,
                                          std::string_view example)
{
    const size_t slash = text.find('/');
    const auto address = dotted_quad(text.substr(0, slash));
    if (!address)
        return fail(errc::invalid_argument, "{} is not {}; expected the form {}", quote(text), what,
                    example);
    if (slash == std::string_view::npos)
        return fail(errc::invalid_argument, "{} has no prefix length; expected the form {}",
                    quote(text), example);
    const auto length = decimal(text.substr(slash + 1), 32);
    if (!length)
        return fail(errc::invalid_argument,
                    "{} has the prefix length {}; expected a number from 0 to 32", quote(text),
                    quote(text.substr(slash + 1)));
    return ip4_interface_address{*address, static_cast<uint8_t>(*length)};
}

} // namespace

std::string to_string(const mac_address& mac)
{
    const auto& b = mac.bytes;
    return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", b[0], b[1], b[2], b[3], b[4],
                       b[5]);
}

std::string to_string(ip4_address a)
{
    return fmt::format("{}.{}.{}.{}", a.value >> 24, a.value >> 16 & 0xff, a.value >> 8 & 0xff,
                       a.value & 0xff);
}

// RFC 5952 section 4: lower case, no leading zeros, the first of the longest runs of two zero
// groups or more as `::'; section 5 for mapped addresses.
std::string to_string(const ip6_address& a)
{
    if (a.is_mapped())
        return fmt::format("::ffff:{}", to_string(ip4_address{static_cast<uint32_t>(a.low)}));
    const auto group = [&](size_t i) {
        return static_cast<uint16_t>((i < 4 ? a.high : a.low) >> (48 - 16 * (i % 4)));
    };
    size_t gap = 8, length = 1;
    for (size_t begin = 0; begin < 8; ++begin) {
        size_t end = begin;
        while (end < 8 && group(end) == 0)
            ++end;
        if (end - begin > length) {
            gap = begin;
            length = end - begin;
        }
    }
    std::string text;
    for (size_t i = 0; i < 8; ++i)
        if (i == gap) {
            text += "::";
            i += length - 1;
        } else {
            text += fmt::format("{}{:x}", text.empty() || text.back() == ':' ? "" : ":", group(i));
        }
    return text;
}

std::string to_string(const ip_address& a)
{
    return a.is_ip4() ? to_string(a.ip4()) : to_string(a.ip6());
}

std::string_view to_string(family f) noexcept
{
    return f == family::ip4 ? "IPv4" : "IPv6";
}

std::string to_string(const ip4_prefix& p)
{
    return fmt::format("{}/{}", to_string(p.network), p.length);
}

std::string to_string(const ip4_interface_address& a)
{
    return fmt::format("{}/{}", to_string(a.address), a.length);
}

template <>
result<mac_address> parse<mac_address>(std::string_view text)
{
    constexpr size_t form_length = 17; // six pairs of digits and five colons
    mac_address mac;
    bool good = text.size() == form_length;
    for (size_t i = 0; good && i < mac.bytes.size(); ++i) {
        const auto high = hex_digit(text[3 * i]);
        const auto low = hex_digit(text[3 * i + 1]);
        good = high && low && (i == 5 || text[3 * i + 2] == ':');
        if (good)
            mac.bytes[i] = static_cast<uint8_t>(*high << 4 | *low);
    }
    if (!good)
        return fail(errc::invalid_argument,
                    "{} is not a MAC address; expected the form 02:00:00:00:0a:01", quote(text));
    return mac;
}

template <>
result<ip4_address> parse<ip4_address>(std::string_view text)
{
    if (const auto address = dotted_quad(text))
        return *address;
    return fail(errc::invalid_argument, "{} is not an IPv4 address; expected the form 10.0.0.1",
                quote(text));
}

template <>
result<ip6_address> parse<ip6_address>(std::string_view text)
{
    if (const auto address = colon_separated(text))
        return *address;
    return fail(errc::invalid_argument, "{} is not an IPv6 address; expected the form 2001:db8::1",
                quote(text));
}

template <>
result<ip_address> parse<ip_address>(std::string_view text)
{
    if (const auto address = dotted_quad(text))
        return ip_address{*address};
    const auto address = colon_separated(text);
    if (!address)
        return fail(errc::invalid_argument,
                    "{} is not an IP address; expected the form 10.0.0.1 or 2001:db8::1",
                    quote(text));
    if (address->is_mapped())
        return fail(errc::invalid_argument, "{} is an IPv4 address; expected the form {}",
                    quote(text), to_string(ip4_address{static_cast<uint32_t>(address->low)}));
    return ip_address{*address};
}

template <>
result<ip4_prefix> parse<ip4_prefix>(std::string_view text)
{
    const auto given = with_length(text, "an IPv4 network", "10.0.0.0/24");
    if (!given)
        return pass(given);
    const ip4_prefix network = given->network();
    if (network.network != given->address)
        return fail(errc::invalid_argument,
                    "{} has bits set beyond its prefix length; expected the network {}",
                    quote(text), to_string(network));
    return network;
}

template <>
result<ip4_interface_address> parse<ip4_interface_address>(std::string_view text)
{
    return with_length(text, "an IPv4 address with a prefix length", "10.0.0.1/24");
}

} // namespace weft::net
