// SPDX-License-Identifier: Apache-2.0
// Parses and reads files of changes of routes.
#include "nodes/ip4/route_file.hh"

#include "nodes/ip4/ip4.hh"

#include <fcntl.h>
#include <fmt/ranges.h>

namespace weft::ip4 {

namespace {

constexpr size_t shortest_line = sizeof "del 0.0.0.0/0\n" - 1;

bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

} // namespace

struct route_parser::cursor {
    std::string_view line;
    size_t at = 0;

    // The next word, empty at the end of the line.
    std::string_view word()
    {
        while (at < line.size() && is_blank(line[at]))
            ++at;
        const size_t begin = at;
        while (at < line.size() && !is_blank(line[at]))
            ++at;
        return line.substr(begin, at - begin);
    }
};

route_parser::route_parser(std::string name, next_hop_check why_not)
    : name_{std::move(name)}, why_not_{std::move(why_not)}
{}

void route_parser::expect(size_t bytes)
{
    found_.changes.reserve(bytes / shortest_line + 1);
}

size_t route_parser::parse(std::string_view text, bool last)
{
    size_t done = 0;
    while (done < text.size() && errors_.size() <= max_route_errors) {
        const size_t end = text.find('\n', done);
        if (end == std::string_view::npos && !last)
            break;
        const auto line = text.substr(done, end - done);
        done += line.size() + (end == std::string_view::npos ? 0 : 1);
        ++line_;
        parse_line(line);
    }
    return done;
}

void route_parser::wrong(const cursor& at, std::string_view word, std::string_view message)
{
    const auto column = static_cast<size_t>(word.data() - at.line.data()) + 1;
    if (errors_.size() < max_route_errors)
        errors_.push_back(fmt::format("{}:{}:{}: {}", name_, line_, column, message));
    else
        errors_.push_back(
            fmt::format("{}: only the first {} errors are listed", name_, max_route_errors));
}

std::optional<net::ip4_prefix> route_parser::prefix_of(cursor& at, std::string_view word)
{
    const auto prefix = net::parse<net::ip4_prefix>(word);
    if (!prefix) {
        wrong(at, word,
              "expected a network such as 10.0.0.0/24, with no bits set beyond its length");
        return {};
    }
    if (const auto range = unroutable(*prefix); !range.empty()) {
        wrong(at, word, fmt::format("a network in {}, which is never routed", range));
        return {};
    }
    return *prefix;
}

bool route_parser::find_path(cursor& at, std::string_view list, uint32_t& path)
{
    if (list == last_list_ && !last_list_.empty()) {
        path = last_path_;
        return true;
    }
    if (const auto known = paths_.find(list); known != paths_.end()) {
        path = known->second;
    } else {
        std::vector<net::ip4_address> via;
        for (size_t begin = 0; begin <= list.size();) {
            const auto word = list.substr(begin, list.find(',', begin) - begin);
            const auto address = net::parse<net::ip4_address>(word);
            if (!address) {
                wrong(at, word, "expected a next hop's address, such as 10.0.0.1");
                return false;
            }
            if (const auto why = why_not_(*address); !why.empty()) {
                wrong(at, word, fmt::format("this next hop {}", why));
                return false;
            }
            via.push_back(*address);
            begin += word.size() + 1;
        }
        if (via.size() > forwarding::max_paths) {
            wrong(at, list,
                  fmt::format("{} next hops; expected at most {}", via.size(),
                              forwarding::max_paths));
            return false;
        }
        path = static_cast<uint32_t>(found_.paths.size());
        found_.paths.push_back(std::move(via));
        paths_.emplace(list, path);
    }
    last_list_ = list;
    last_path_ = path;
    return true;
}

void route_parser::parse_line(std::string_view line)
{
    cursor at{line.substr(0, line.find('#'))};
    const auto first = at.word();
    if (line.size() > max_route_line)
        return wrong(
            at, at.line.substr(0, 0),
            fmt::format("a line of {} bytes; expected at most {}", line.size(), max_route_line));
    if (first.empty())
        return;
    const bool removal = first == "del";
    const auto prefix = prefix_of(at, removal ? at.word() : first);
    if (!prefix)
        return;
    uint32_t path = route_change::removal;
    if (!removal) {
        const auto verb = at.word();
        if (verb == "blackhole")
            path = route_change::blackhole;
        else if (verb != "via")
            return wrong(at, verb, "expected `via' or `blackhole'");
        else if (!find_path(at, at.word(), path))
            return;
    }
    if (const auto rest = at.word(); !rest.empty())
        return wrong(at, rest, "expected the end of the line");
    found_.changes.push_back({*prefix, path, line_});
}

result<route_list> route_parser::finish()
{
    if (!errors_.empty())
        return fail(errc::invalid_argument, "{}", fmt::join(errors_, "\n"));
    if (found_.changes.empty())
        return fail(errc::invalid_argument,
                    "{}: it contains no route; expected lines like `10.0.0.0/8 via 10.0.0.1'",
                    name_);
    return std::move(found_);
}

result<route_list> read_route_file(const std::string& path, next_hop_check why_not,
                                   const input_file::pause& go_on)
{
    auto file = input_file::open(path, max_route_file);
    if (!file)
        return pass(file);
    posix_fadvise(file->get(), 0, 0, POSIX_FADV_WILLNEED);
    route_parser parser{path, std::move(why_not)};
    parser.expect(file->size());
    const auto take = [&](std::string_view text, bool last) { return parser.parse(text, last); };
    if (auto done = file->read_pieces(max_route_line, go_on, take); !done)
        return pass(done);
    return parser.finish();
}

} // namespace weft::ip4
