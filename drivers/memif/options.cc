// SPDX-License-Identifier: Apache-2.0
#include "drivers/memif/options.hh"

#include "base/quote.hh"

#include <algorithm>
#include <charconv>
#include <grp.h>
#include <map>
#include <pwd.h>
#include <sys/un.h>

namespace weft::drivers::memif {

namespace {

using setter = result<void> (*)(memif_options& options, std::string_view text);

template <class Number>
result<Number> number(std::string_view text, uint64_t least, uint64_t most)
{
    uint64_t value = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (code != std::errc{} || end != text.data() + text.size() || value < least || value > most)
        return fail(errc::invalid_argument, "expected a number from {} to {}, found {}", least,
                    most, quote(text));
    return static_cast<Number>(value);
}

// One of two words.
result<bool> choice(std::string_view text, std::string_view yes, std::string_view no)
{
    if (text != yes && text != no)
        return fail(errc::invalid_argument, "expected `{}' or `{}', found {}", yes, no,
                    quote(text));
    return text == yes;
}

template <class T, class Member>
result<void> set(T& options, Member T::*member, const auto& value)
{
    if (!value)
        return pass(value);
    options.*member = *value;
    return {};
}

// A user's or group's number, given as such or by name.
template <class Entry>
result<uint32_t> number_of(std::string_view text, const char* what, Entry* (*find)(const char*),
                           uint32_t Entry::*id)
{
    if (const auto given = number<uint32_t>(text, 0, UINT32_MAX - 1))
        return given;
    const Entry* const found = find(std::string{text}.c_str());
    if (found == nullptr)
        return fail(errc::not_found, "there is no {} {}", what, quote(text));
    return found->*id;
}

result<mode_t> mode_of(std::string_view text)
{
    mode_t value = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value, 8);
    if (code != std::errc{} || end != text.data() + text.size() || value > 0777)
        return fail(errc::invalid_argument, "expected an octal number from 0 to 777, found {}",
                    quote(text));
    return value;
}

const std::map<std::string_view, setter> setters{
    {"id",
     [](memif_options& o, std::string_view text) {
         return set(o, &memif_options::id, number<uint32_t>(text, 0, UINT32_MAX));
     }},
    {"role",
     [](memif_options& o, std::string_view text) -> result<void> {
         const auto server = text == "master" || text == "slave" ? result<bool>{text == "master"}
                                                                 : choice(text, "server", "client");
         if (!server)
             return pass(server);
         o.end = *server ? role::server : role::client;
         return {};
     }},
    {"socket",
     [](memif_options& o, std::string_view text) -> result<void> {
         constexpr size_t most = sizeof(sockaddr_un{}.sun_path) - 1;
         if (text.empty() || text.size() > most)
             return fail(errc::invalid_argument, "expected a path of 1 to {} bytes, found {}", most,
                         quote(text));
         o.socket = text;
         return {};
     }},
    {"socket-abstract",
     [](memif_options& o, std::string_view text) {
         return set(o, &memif_options::abstract, choice(text, "yes", "no"));
     }},
    {"socket-owner",
     [](memif_options& o, std::string_view text) {
         return set(o.access, &socket_access::owner,
                    number_of(text, "user", getpwnam, &passwd::pw_uid));
     }},
    {"socket-group",
     [](memif_options& o, std::string_view text) {
         return set(o.access, &socket_access::group,
                    number_of(text, "group", getgrnam, &group::gr_gid));
     }},
    {"socket-mode",
     [](memif_options& o, std::string_view text) {
         return set(o.access, &socket_access::mode, mode_of(text));
     }},
    {"region-limit",
     [](memif_options& o, std::string_view text) -> result<void> {
         const auto mib = number<uint64_t>(text, 1, uint64_t{1} << 20);
         if (!mib)
             return pass(mib);
         o.max_region = *mib << 20;
         return {};
     }},
    {"rsize",
     [](memif_options& o, std::string_view text) {
         return set(o, &memif_options::log2, number<uint8_t>(text, 1, max_log2));
     }},
    {"bsize",
     [](memif_options& o, std::string_view text) {
         return set(o, &memif_options::buffer_bytes, number<uint32_t>(text, 64, UINT16_MAX));
     }},
    {"secret",
     [](memif_options& o, std::string_view text) -> result<void> {
         if (text.size() > secret_bytes)
             return fail(errc::invalid_argument, "expected at most {} bytes, found {}",
                         secret_bytes, text.size());
         o.secret = text;
         return {};
     }},
    {"mac",
     [](memif_options& o, std::string_view text) {
         return set(o, &memif_options::mac, net::parse<net::mac_address>(text));
     }},
    {"zero-copy",
     [](memif_options&, std::string_view text) -> result<void> {
         const auto wanted = choice(text, "yes", "no");
         if (!wanted)
             return pass(wanted);
         if (*wanted)
             return fail(
                 errc::unsupported,
                 "not supported: weft copies frames, so that its peer can no longer change them");
         return {};
     }},
};

} // namespace

bool is_memif(std::string_view device) noexcept
{
    constexpr std::string_view driver = "net_memif";
    const auto name = device.substr(0, device.find(','));
    return name.starts_with(driver) &&
           name.find_first_not_of("0123456789", driver.size()) == std::string_view::npos;
}

std::string without_secret(std::string_view device)
{
    constexpr std::string_view key = ",secret=";
    std::string shown{device};
    for (size_t at = shown.find(key); at != std::string::npos; at = shown.find(key, at + 1)) {
        const size_t begin = at + key.size();
        shown.replace(begin, std::min(shown.find(',', begin), shown.size()) - begin, "...");
    }
    return shown;
}

result<memif_options> parse_options(std::string_view device)
{
    memif_options options;
    size_t at = device.find(',');
    while (at != std::string_view::npos) {
        const size_t end = device.find(',', at + 1);
        const auto argument =
            device.substr(at + 1, end == std::string_view::npos ? end : end - at - 1);
        at = end;
        const auto key = argument.substr(0, argument.find('='));
        const auto found = setters.find(key);
        if (found == setters.end()) {
            std::string known;
            for (const auto& [name, function] : setters)
                known += fmt::format("{}{}", known.empty() ? "" : ", ", name);
            return fail(errc::invalid_argument, "a memif has no argument {}; expected one of {}",
                        quote(key), known);
        }
        const auto text =
            key.size() < argument.size() ? argument.substr(key.size() + 1) : std::string_view{};
        if (auto done = found->second(options, text); !done)
            return fail(done.error().code, "argument `{}': {}", key, done.error().message);
    }
    return options;
}

} // namespace weft::drivers::memif
