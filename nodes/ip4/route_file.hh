// SPDX-License-Identifier: Apache-2.0
// A text file of changes of routes, one a line: PREFIX via ADDRESS[,ADDRESS...], PREFIX blackhole,
// del PREFIX.
#pragma once

#include "base/input_file.hh"
#include "base/net/address.hh"
#include "base/result.hh"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace weft::ip4 {

inline constexpr size_t max_route_file = size_t{512} << 20; // bytes: some 16 million routes
inline constexpr size_t max_route_line = 4096;              // bytes
inline constexpr size_t max_route_errors = 20;              // listed of one file

struct route_change {
    static constexpr uint32_t blackhole = ~uint32_t{0};
    static constexpr uint32_t removal = blackhole - 1;

    net::ip4_prefix prefix;
    uint32_t path; // index into route_list::paths, or one of the above
    uint32_t line;
};

// What a file says, in its order.
struct route_list {
    std::vector<route_change> changes;
    std::vector<std::vector<net::ip4_address>> paths; // each list of next hops once
};

// Why an address is no next hop's; empty if it may be one.
using next_hop_check = std::function<std::string_view(net::ip4_address)>;

// Parses a file that comes in pieces. `name` stands for it in errors.
class route_parser {
public:
    route_parser(std::string name, next_hop_check why_not);

    // Memory for all that so many bytes can say, so that no list is moved while it grows.
    void expect(size_t bytes);
    // Parses the whole lines of `text`, and with `last` the rest without a newline too; returns how
    // many bytes that were. Does nothing more once route_error_limit is passed.
    size_t parse(std::string_view text, bool last);
    // The list, or all that is wrong with it, an error a line: "NAME:LINE:COLUMN: ...", columns
    // counted in bytes from 1. A file without any change is an error too.
    [[nodiscard]] result<route_list> finish();

private:
    struct cursor;
    struct text_hash : std::hash<std::string_view> {
        using is_transparent = void;
    };

    void parse_line(std::string_view line);
    [[nodiscard]] std::optional<net::ip4_prefix> prefix_of(cursor& at, std::string_view word);
    [[nodiscard]] bool find_path(cursor& at, std::string_view list, uint32_t& path);
    void wrong(const cursor& at, std::string_view word, std::string_view message);

    std::string name_;
    next_hop_check why_not_;
    route_list found_;
    std::vector<std::string> errors_;
    uint32_t line_ = 0;
    // Paths by their text; most lines have that of the line before.
    std::unordered_map<std::string, uint32_t, text_hash, std::equal_to<>> paths_;
    std::string last_list_;
    uint32_t last_path_ = 0;
};

// Reads a regular file. Any thread. Errors: those of the parser and of input_file.
[[nodiscard]] result<route_list> read_route_file(const std::string& path, next_hop_check why_not,
                                                 const input_file::pause& go_on);

} // namespace weft::ip4
