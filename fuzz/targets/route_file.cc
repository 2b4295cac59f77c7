// SPDX-License-Identifier: Apache-2.0
// A route file, which must be understood alike in one piece and in several.
//
// Input: one byte, the size of the pieces; the file.
#include "nodes/ip4/route_file.hh"
#include "fuzz/input.hh"

#include <string>

using namespace weft;
using namespace weft::fuzz;

namespace {

std::string words_of(const result<ip4::route_list>& found)
{
    if (!found)
        return found.error().message;
    std::string words;
    for (const auto& c : found->changes) {
        words += fmt::format("{} {}:", c.line, to_string(c.prefix));
        if (c.path < ip4::route_change::removal)
            for (const auto& hop : found->paths.at(c.path))
                words += fmt::format(" {}", to_string(hop));
        else
            words += c.path == ip4::route_change::removal ? " removal" : " blackhole";
        words += '\n';
    }
    return words;
}

std::string parsed(std::string_view text, size_t piece)
{
    ip4::route_parser parser{"routes", [](net::ip4_address hop) -> std::string_view {
                                 return hop.value >> 24 == 10 ? "" : "is not here";
                             }};
    parser.expect(text.size());
    std::string held;
    while (!text.empty()) {
        const size_t taken = std::min(piece, text.size());
        held += text.substr(0, taken);
        text.remove_prefix(taken);
        held.erase(0, parser.parse(held, false));
        if (held.size() > ip4::max_route_line)
            return ""; // a line without an end is the reader's to find
    }
    static_cast<void>(parser.parse(held, true));
    return words_of(parser.finish());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    input in{data, size};
    const size_t piece = 1 + in.u8();
    const auto text = text_of(in.rest());
    const auto whole = parsed(text, std::max<size_t>(text.size(), 1));
    const auto pieces = parsed(text, piece);
    REQUIRE((pieces.empty() || whole.empty() || pieces == whole));
    return 0;
}
