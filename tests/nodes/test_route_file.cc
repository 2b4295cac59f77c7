// SPDX-License-Identifier: Apache-2.0
// Files of routes: what they may say, every error with its place, and what applying one changes.
#include "nodes/ip4/route_load.hh"
#include "tests/nodes/node_tester.hh"

#include <cstdio>
#include <cstdlib>
#include <sys/stat.h>
#include <unistd.h>

using namespace weft;
using namespace weft::test;
using ip4::route_change;

namespace {

std::string_view on_ten(net::ip4_address a)
{
    return net::ip4_prefix{ip("10.0.0.0"), 8}.contains(a) ? ""
                                                          : "is on none of the test's networks";
}

// The parser's answer to a text that comes in pieces of so many bytes.
result<ip4::route_list> parsed(std::string_view text, size_t piece = 1u << 20)
{
    ip4::route_parser parser{"f", on_ten};
    parser.expect(text.size());
    size_t done = 0;
    for (size_t end = 0; end < text.size();) {
        end = std::min(end + piece, text.size());
        done += parser.parse(text.substr(done, end - done), end == text.size());
    }
    return parser.finish();
}

const std::string no_network =
    "expected a network such as 10.0.0.0/24, with no bits set beyond its length";
const std::string no_next_hop = "expected a next hop's address, such as 10.0.0.1";

size_t at_once(size_t)
{
    return SIZE_MAX;
}

std::string fault(std::string_view text)
{
    const auto list = parsed(text);
    return list ? "" : list.error().message;
}

// "3 16.0.0.0/8 via 10.0.0.2,10.0.0.3" for each change, with its line.
std::string in_words(const ip4::route_list& list)
{
    std::string words;
    for (const auto& change : list.changes) {
        words += fmt::format("{} {}", change.line, net::to_string(change.prefix));
        if (change.path == route_change::blackhole)
            words += " blackhole";
        else if (change.path == route_change::removal)
            words += " del";
        else
            for (const char* sign = " via "; auto a : list.paths[change.path])
                words += std::exchange(sign, ",") + net::to_string(a);
        words += "; ";
    }
    return words;
}

class file {
public:
    explicit file(std::string_view text)
    {
        const int fd = mkstemp(path.data());
        REQUIRE(write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
        close(fd);
    }
    ~file() { unlink(path.c_str()); }
    std::string path = "/tmp/weft-routes-XXXXXX";
};

constexpr std::string_view sample = "# a comment\n"
                                    "\n"
                                    "16.0.0.0/8 via 10.0.0.2\n"
                                    "  17.0.0.0/8\tvia 10.0.0.2,10.0.0.3  # two paths\r\n"
                                    "18.0.0.0/8 blackhole\n"
                                    "del 16.0.0.0/8\n"
                                    "19.0.0.0/8 via 10.0.0.2"; // no newline
constexpr std::string_view sample_in_words =
    "3 16.0.0.0/8 via 10.0.0.2; 4 17.0.0.0/8 via 10.0.0.2,10.0.0.3; 5 18.0.0.0/8 blackhole; "
    "6 16.0.0.0/8 del; 7 19.0.0.0/8 via 10.0.0.2; ";

} // namespace

TEST_CASE("a route file says what it says, in pieces of any size", "[nodes]")
{
    for (size_t piece : {1u << 20, 1u, 2u, 7u, 24u}) {
        const auto list = parsed(sample, piece);
        REQUIRE(list.has_value());
        CHECK(in_words(*list) == sample_in_words);
        CHECK(list->paths.size() == 2); // each list of next hops once
    }
}

TEST_CASE("every error of a route file has its line and column", "[nodes]")
{
    CHECK(fault("16.0.0.0/8 via 10.0.0.2\n16.0.0/8 via 10.0.0.2\n") == "f:2:1: " + no_network);
    CHECK(fault("16.0.0.1/8 via 10.0.0.2\n") == "f:1:1: " + no_network);
    CHECK(fault("16.0.0.0/33 blackhole\n") == "f:1:1: " + no_network);
    CHECK(fault(" 127.1.0.0/16 blackhole\n") ==
          "f:1:2: a network in loopback (127.0.0.0/8), which is never routed");
    CHECK(fault("16.0.0.0/8\n") == "f:1:11: expected `via' or `blackhole'");
    CHECK(fault("16.0.0.0/8 dev eth0\n") == "f:1:12: expected `via' or `blackhole'");
    CHECK(fault("16.0.0.0/8 via # where?\n") == "f:1:16: " + no_next_hop);
    CHECK(fault("16.0.0.0/8 via 10.0.0.2,10.0.0.300\n") == "f:1:25: " + no_next_hop);
    CHECK(fault("16.0.0.0/8 via 10.0.0.2,\n") == "f:1:25: " + no_next_hop);
    CHECK(fault("16.0.0.0/8 via 10.0.0.2,11.0.0.2\n") ==
          "f:1:25: this next hop is on none of the test's networks");
    CHECK(fault("16.0.0.0/8 via 10.0.0.2 10.0.0.3\n") == "f:1:25: expected the end of the line");
    CHECK(fault("del\n") == "f:1:4: " + no_network);
    CHECK(fault("del 16.0.0.0/8 via 10.0.0.2\n") == "f:1:16: expected the end of the line");
}

TEST_CASE("errors of a route file say nothing of what is in it", "[nodes]")
{
    node_tester t;
    const file foreign{
        "root:$6$secret:1:::\nsecret/8 via 10.0.1.9\n16.0.0.0/8 secret\n16.0.0.0/8 via secret\n"
        "16.0.0.0/8 via 10.0.1.9 secret\n"};
    const auto said = t.command("ip route load " + foreign.path);
    CHECK(std::count(said.begin(), said.end(), '\n') == 4);
    CHECK(said.find("secret") == std::string::npos);
}

TEST_CASE("more paths than a load balance has are an error", "[nodes]")
{
    std::string list = "10.0.0.1";
    for (size_t i = 1; i < fib::forwarding::max_paths; ++i)
        list += fmt::format(",10.0.0.{}", i + 1);
    CHECK(fault("16.0.0.0/8 via " + list) == "");
    CHECK(fault("16.0.0.0/8 via " + list + ",10.0.1.1") ==
          "f:1:16: 65 next hops; expected at most 64");
}

TEST_CASE("a file without a route, or of endless lines, is an error", "[nodes]")
{
    CHECK(fault("") == "f: it contains no route; expected lines like `10.0.0.0/8 via 10.0.0.1'");
    CHECK(fault("# nothing\n\n") != "");
    CHECK(fault("16.0.0.0/8 blackhole" + std::string(ip4::max_route_line, ' ')) ==
          "f:1:1: a line of 4116 bytes; expected at most 4096");
}

TEST_CASE("twenty errors are listed, and that there are more", "[nodes]")
{
    std::string text;
    for (int i = 0; i < 20; ++i)
        text += "nonsense\n";
    const auto twenty = fault(text);
    CHECK(std::count(twenty.begin(), twenty.end(), '\n') == 19);
    CHECK(twenty.find("f:20:1: ") != std::string::npos);
    CHECK(fault(text + "nonsense\nnonsense\n") ==
          twenty + "\nf: only the first 20 errors are listed");
}

TEST_CASE("what is no file of text is refused", "[nodes]")
{
    node_tester t;
    CHECK(t.command("ip route load routes.txt") ==
          "error: `routes.txt' is not an absolute path; the daemon does not know your working "
          "directory");
    CHECK(t.command("ip route load /nonexistent") ==
          "error: /nonexistent: No such file or directory");
    CHECK(t.command("ip route load /tmp") ==
          "error: /tmp: expected a regular file, found a directory");
    CHECK(t.command("ip route load /dev/zero") ==
          "error: /dev/zero: expected a regular file, found a device");
    const file binary{std::string(100'000, '\0')};
    CHECK(t.command("ip route load " + binary.path) ==
          fmt::format("error: {}:1:1: a line of 36864 bytes; expected at most 4096", binary.path));
    const file huge{"16.0.0.0/8 blackhole\n"};
    REQUIRE(truncate(huge.path.c_str(), off_t{1} << 30) == 0);
    CHECK(t.command("ip route load " + huge.path) ==
          fmt::format("error: {}: 1073741824 bytes, more than the limit of 536870912", huge.path));
}

TEST_CASE("a load counts what it added, changed, removed and left", "[nodes]")
{
    node_tester t;
    const file first{"16.0.0.0/8 via 10.0.1.9\n17.0.0.0/8 via 10.0.0.9,10.0.1.9\n"
                     "16.0.0.0/8 via 10.0.0.9\n18.0.0.0/8 blackhole\ndel 99.0.0.0/8\n"};
    CHECK(t.command("ip route load " + first.path)
              .starts_with("5 routes: 3 added, 1 changed, 0 removed, 1 unchanged in "));
    CHECK(t.command("show ip fib 16.0.0.1").ends_with("glean a via 10.0.0.9"));
    CHECK(t.command("show ip fib 18.0.0.1").ends_with("blackhole"));
    CHECK(t.command_json("show ip fib 17.0.0.1")["routes"][0]["buckets"] == 2);
    const file second{"16.0.0.0/8 via 10.0.0.9\ndel 17.0.0.0/8\n"};
    const auto data = t.command_json("ip route load " + second.path);
    CHECK(data["removed"] == 1);
    CHECK(data["unchanged"] == 1);
    CHECK(t.command("show ip fib 17.0.0.0/8") == "error: no route to 17.0.0.0/8");
}

TEST_CASE("a file with an error changes nothing", "[nodes]")
{
    node_tester t;
    const auto before = t.command("show ip fib summary");
    const file wrong{"16.0.0.0/8 via 10.0.0.9\n17.0.0.0/8 via 10.0.0.1\n"};
    CHECK(t.command("ip route load " + wrong.path) ==
          fmt::format("error: {}:2:16: this next hop is an address of this router", wrong.path));
    CHECK(t.command("show ip fib summary") == before);
}

TEST_CASE("a load gives way, and next hops it holds are let go", "[nodes]")
{
    constexpr uint32_t count = 50'000;
    node_tester t;
    std::string text;
    for (uint32_t i = 0; i < count; ++i)
        text += fmt::format("16.{}.{}.0/24 via 10.0.1.{}\n", i >> 8, i & 255, 3 + i % 100);
    const file many{text};
    size_t pauses = 0;
    const auto hops = t.hops().next_hops().size();
    const auto done = ip4::load_routes(
        t.ip4(), many.path, [] { return true; },
        [&](size_t) {
            ++pauses;
            return SIZE_MAX;
        });
    REQUIRE(done.has_value());
    CHECK(done->added == count);
    CHECK(pauses > 20);
    CHECK(t.hops().next_hops().size() == hops + 100);
    for (uint32_t i = 0; i < count; ++i)
        REQUIRE(t.ip4().remove_route({{(16u << 24) + (i << 8)}, 24}));
    CHECK(t.hops().next_hops().size() == hops);
}

TEST_CASE("a load that is ended says how far it came", "[nodes]")
{
    node_tester t;
    const auto list = parsed("16.0.0.0/8 blackhole\n17.0.0.0/8 blackhole\n");
    const auto done =
        ip4::apply_routes(t.ip4(), *list, "f", [](size_t applied) { return size_t{applied == 0}; });
    REQUIRE_FALSE(done.has_value());
    CHECK(done.error().message == "f: the load was interrupted; 1 of 2 routes were applied");
    const file some{"16.0.0.0/8 blackhole\n"};
    CHECK(ip4::load_routes(
              t.ip4(), some.path, [] { return false; }, at_once)
              .error()
              .message == some.path + ": reading it was interrupted");
}

TEST_CASE("a next hop that becomes the router's own during a load ends it with the place",
          "[nodes]")
{
    node_tester t;
    const auto list = parsed("16.0.0.0/8 blackhole\n\n17.0.0.0/8 via 10.0.1.9\n");
    REQUIRE(list.has_value());
    REQUIRE(t.ip4().add_address(1, own_address("10.0.1.9/24")));
    const auto done = ip4::apply_routes(t.ip4(), *list, "f", at_once);
    REQUIRE_FALSE(done.has_value());
    CHECK(done.error().message ==
          "f:3:1: next hop 10.0.1.9 is an address of this router; 1 of 2 routes were applied "
          "before it");
    CHECK(t.command("show ip fib 16.0.0.1").ends_with("blackhole"));
}
