// SPDX-License-Identifier: Apache-2.0
// The types of parameters that belong to no folder in particular.
#include "base/net/address.hh"
#include "control/command/command.hh"

#include <charconv>

namespace weft {

namespace {

template <class T>
result<void> check_address(std::string_view word)
{
    const auto parsed = net::parse<T>(word);
    return parsed ? result<void>{} : pass(parsed);
}

result<void> check_number(std::string_view word)
{
    uint64_t value = 0;
    const auto* end = word.data() + word.size();
    const auto [stop, code] = std::from_chars(word.data(), end, value);
    if (code == std::errc::result_out_of_range)
        return fail(errc::invalid_argument, "{} is above {}", word, UINT64_MAX);
    if (code != std::errc{} || stop != end)
        return fail(errc::invalid_argument, "`{}' is not a number", word);
    return {};
}

const argument_type_registration word_type{{.name = "word", .help = "a word"}};
const argument_type_registration number_type{
    {.name = "number", .help = "a number", .check = check_number}};
const argument_type_registration address_type{
    {.name = "address", .help = "an IPv4 address", .check = check_address<net::ip4_address>}};
const argument_type_registration prefix_type{
    {.name = "prefix", .help = "an IPv4 prefix", .check = check_address<net::ip4_prefix>}};
const argument_type_registration mac_type{
    {.name = "mac", .help = "a MAC address", .check = check_address<net::mac_address>}};
const argument_type_registration rest_type{
    {.name = "rest", .help = "the rest of the line", .takes_rest = true}};

} // namespace

} // namespace weft
