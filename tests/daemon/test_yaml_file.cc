// SPDX-License-Identifier: Apache-2.0
// YAML files: positions, what is refused and in which words, limits, and a light fuzz.
#include "daemon/yaml_file.hh"

#include <catch2/catch.hpp>

#include <cstdio>
#include <fstream>
#include <random>
#include <unistd.h>

using namespace weft;
using config::value;

namespace {

using strings = std::vector<std::string>;

strings lines(const config::problems& found)
{
    strings all;
    for (const auto& p : found.sorted())
        all.push_back(format_problem("f", p));
    return all;
}

value good(const std::string& text)
{
    config::problems found;
    auto root = parse_yaml(text, "f", found);
    CHECK(lines(found) == strings{});
    REQUIRE(root.has_value());
    return *root;
}

// The problems of a text that leaves no tree; the error must say the same.
strings faults(const std::string& text)
{
    config::problems found;
    const auto root = parse_yaml(text, "f", found);
    const auto all = lines(found);
    REQUIRE_FALSE(root.has_value());
    CHECK(std::find(all.begin(), all.end(), root.error().message) != all.end());
    return all;
}

std::string at(const value& v)
{
    return fmt::format("{}:{} {}", v.at().line, v.at().column, v.path());
}

constexpr const char* sample_config = R"(# a router
cpu: {main: 0, workers: [1, 2]}
memory: {hugepages: false, size: 256M}
interfaces:
  a: &port {device: "net_tap0,iface=weft-a", mtu: 1500, addresses: [10.0.0.1/24]}
  b:
    device: 'net_tap1'
    mtu: "1500"
  c: *port
routes:
  - {to: 16.0.0.0/8, via: 10.0.1.2}
  - to: 17.0.0.0/8
    via: [10.0.0.2, 10.0.1.2]
startup: ["trace add dpdk-input 10"]
)";

struct temporary_file {
    explicit temporary_file(std::string_view contents)
    {
        const int fd = mkstemp(path.data());
        REQUIRE(fd >= 0);
        REQUIRE(write(fd, contents.data(), contents.size()) ==
                static_cast<ssize_t>(contents.size()));
        close(fd);
    }
    ~temporary_file() { std::remove(path.c_str()); }
    std::string path = "/tmp/weft_yaml_XXXXXX";
};

} // namespace

TEST_CASE("values know their path, line and column", "[daemon][yaml]")
{
    const value root = good(sample_config);
    CHECK(at(root) == "2:1 ");
    CHECK(at(root.find("cpu")->find("workers")->items()[1]) == "2:29 cpu.workers[1]");
    const value& b = *root.find("interfaces")->find("b");
    CHECK(at(b) == "7:5 interfaces.b");
    CHECK(at(*b.find("mtu")) == "8:10 interfaces.b.mtu");
    CHECK(b.find("mtu")->as<uint16_t>() == 1500);
    const value& via = *root.find("routes")->items()[1].find("via");
    CHECK(at(via.items()[0]) == "13:11 routes[1].via[0]");
    CHECK(root.find("startup")->items()[0].text() == "trace add dpdk-input 10");
    CHECK(root.entries()[2].key == "interfaces");
    CHECK(root.entries()[2].key_at.line == 4);
    CHECK(root.entries()[2].key_at.column == 1);
}

TEST_CASE("an alias repeats its anchor under its own path", "[daemon][yaml]")
{
    const value root = good(sample_config);
    const value& c = *root.find("interfaces")->find("c");
    CHECK(c.find("mtu")->text() == "1500");
    CHECK(at(*c.find("mtu")) == "5:51 interfaces.c.mtu");
    CHECK(c.find("addresses")->items()[0].path() == "interfaces.c.addresses[0]");
    CHECK(good("a: &n\nb: *n\n").find("b")->what() == value::kind::null);
    CHECK(good("a: &n x\n*n : y\n").find("x")->text() == "y");
}

TEST_CASE("nothing is an empty mapping, and null a null", "[daemon][yaml]")
{
    for (const char* text : {"", "\n\n", "# only words\n", "---\n", "--- ~\n", "{}\n"}) {
        const value root = good(text);
        CHECK(root.what() == value::kind::mapping);
        CHECK(root.entries().empty());
    }
    const value root = good("interfaces:\nroutes: ~\nq: \"\"\nn: \"null\"\n");
    CHECK(root.find("interfaces")->what() == value::kind::null);
    CHECK(at(*root.find("interfaces")) == "1:1 interfaces");
    CHECK(root.find("routes")->what() == value::kind::null);
    CHECK(root.find("q")->what() == value::kind::scalar);
    CHECK(root.find("n")->text() == "null");
}

TEST_CASE("a byte order mark and CRLF line ends are read", "[daemon][yaml]")
{
    CHECK(good("\xef\xbb\xbf"
               "a: 1\n")
              .find("a")
              ->text() == "1");
    const value root = good("a: 1\r\nb:\r\n  c: x\r\n");
    CHECK(root.find("a")->text() == "1");
    CHECK(at(*root.find("b")->find("c")) == "3:6 b.c");
}

TEST_CASE("a key given twice names both lines", "[daemon][yaml]")
{
    config::problems found;
    const auto root = parse_yaml("a: {mtu: 1}\nb:\n  mtu: 1\n  x: 2\n  mtu: 3\na: 4\n", "f", found);
    CHECK(lines(found) ==
          strings{"f:5:3: b.mtu: given on line 3 and again on line 5; expected once",
                  "f:6:1: a: given on line 1 and again on line 6; expected once"});
    REQUIRE(root.has_value());
    CHECK(root->entries().size() == 2);
    CHECK(root->find("b")->find("mtu")->text() == "1");
    CHECK(root->find("b")->find("x")->text() == "2");
}

TEST_CASE("keys that are no words are a problem each", "[daemon][yaml]")
{
    config::problems found;
    const std::string key(256, 'k');
    const auto root = parse_yaml("? [a]\n: 1\n~: 2\n" + key + ": 3\nb: 4\n", "f", found);
    const auto all = lines(found);
    REQUIRE(all.size() == 3);
    CHECK(all[0] == "f:1:3: the key is not a scalar; expected `key: value'");
    CHECK(all[1] == "f:3:1: the key is not a scalar; expected `key: value'");
    CHECK_THAT(all[2], Catch::StartsWith("f:4:1: the key `kkk") &&
                           Catch::EndsWith("has 256 bytes; at most 255 are allowed"));
    REQUIRE(root.has_value());
    CHECK(root->entries().size() == 1);
}

TEST_CASE("tags of other programs are a problem", "[daemon][yaml]")
{
    config::problems found;
    CHECK(parse_yaml("a: !secret x\nb: !!str 5\n", "f", found).has_value());
    CHECK(lines(found) == strings{"f:1:4: a: the tag `!secret' is not supported"});
}

TEST_CASE("malformed YAML has a place", "[daemon][yaml]")
{
    CHECK(
        faults("a: {b: 1\n") ==
        strings{"f:1:9: malformed YAML: end of map flow not found (in a, which starts on line 1)"});
    CHECK(faults("a: 1\n b: 2\n") == strings{"f:2:3: malformed YAML: illegal map value"});
    CHECK(faults("a: *x\n") == strings{"f:1:4: malformed YAML: the referenced anchor is not "
                                       "defined (in a, which starts on line 1)"});
    for (const char* bad : {"a: [1\n", "a: \"x\n", "a: b: c\n", "a:\n\t- 1\n", "a: @x\n", "]", "}",
                            "a: &\n", "%YAML 9.9\n---\na: 1\n", "a: 1\n- b\n"}) {
        INFO(bad);
        CHECK_THAT(faults(bad).at(0), Catch::Contains("malformed YAML: "));
    }
}

TEST_CASE("a quote that is never closed does not swallow the file", "[daemon][yaml]")
{
    const std::string tail = "\n  mtu: 1500\n\nroutes: []\n\n";
    for (const std::string quote : {"\"", "'"})
        CHECK(faults("interfaces:\n  device: " + quote + "net_tap0" + tail) ==
              strings{"f:5:11: malformed YAML: illegal EOF in scalar "
                      "(in interfaces.device, which starts on line 2)"});
}

TEST_CASE("a problem before the malformed place is reported too", "[daemon][yaml]")
{
    CHECK(
        faults("a: {b: 1, b: 2}\nc: {d: 1\n") ==
        strings{"f:1:11: a.b: given on line 1 and again on line 1; expected once",
                "f:2:9: malformed YAML: end of map flow not found (in c, which starts on line 2)"});
}

TEST_CASE("a root that is no mapping and a second document are refused", "[daemon][yaml]")
{
    CHECK(faults("- a\n") ==
          strings{"f:1:1: a list is the whole file; expected a mapping of keys"});
    CHECK(faults("\nhello\n") ==
          strings{"f:2:1: `hello' is the whole file; expected a mapping of keys"});
    CHECK(faults("a: 1\n---\nb: 2\n") ==
          strings{"f:2:1: a second document, or a value outside the mapping; "
                  "expected one mapping in the file"});
    CHECK(good("---\na: 1\n...\n").entries().size() == 1);
}

TEST_CASE("what is not text is refused", "[daemon][yaml]")
{
    CHECK(faults("a: 1\nb: \xff\n") == strings{"f:2:4: byte 0xff is not UTF-8; expected text"});
    CHECK(faults(std::string("a: \0", 4)) ==
          strings{"f:1:4: byte 0x00 is a control character; expected text"});
    for (const char* bad : {"\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc3",
                            "\x80", "\xf0\x9f\x98", "\xff\xfe\x61\x3a", "\xe2\x28\xa1"})
        CHECK_THAT(faults(bad).at(0), Catch::Contains("is not UTF-8"));
    CHECK(faults("a: \x7f").at(0) == "f:1:4: byte 0x7f is a control character; expected text");
    for (const char* fine : {"\u00e4", "\u20ac", "\U0001f600", "\ud7ff", "\ue000", "\U0010ffff"})
        CHECK(good(std::string("a: ") + fine).find("a")->text() == fine);
}

TEST_CASE("the depth of a file is bounded", "[daemon][yaml]")
{
    const auto nested = [](size_t depth) {
        return "a: " + std::string(depth, '[') + std::string(depth, ']') + "\n";
    };
    CHECK(good(nested(max_yaml_depth - 1)).entries().size() == 1);
    CHECK_THAT(faults(nested(max_yaml_depth)).at(0),
               Catch::StartsWith("f:1:67: a[0][0]") &&
                   Catch::EndsWith(": more than 64 nested lists and mappings"));
    CHECK_THAT(faults(nested(100'000)).at(0), Catch::Contains("nested lists and mappings"));
    std::string chain = "x0: &x0 1\n";
    for (int i = 1; i < 80; ++i)
        chain += fmt::format("x{}: &x{} [*x{}]\n", i, i, i - 1);
    CHECK_THAT(faults(chain).at(0), Catch::Contains("nested lists and mappings"));
}

TEST_CASE("aliases cannot blow up a file", "[daemon][yaml]")
{
    std::string bomb = "l0: &l0 [x, x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i < 16; ++i) {
        bomb += fmt::format("l{}: &l{} [*l{}", i, i, i - 1);
        for (int j = 0; j < 8; ++j)
            bomb += fmt::format(", *l{}", i - 1);
        bomb += "]\n";
    }
    const auto all = faults(bomb);
    REQUIRE(all.size() == 1);
    CHECK_THAT(all[0], Catch::Contains("anchors and aliases repeat more than 100000 values"));

    std::string edge = "a: &a [1"; // 100 values, repeated once for the anchor
    for (int i = 0; i < 98; ++i)
        edge += ", 1";
    edge += "]\nb: [*a";
    for (size_t i = 2; i < max_yaml_aliases / 100; ++i)
        edge += ", *a";
    CHECK(good(edge + "]\n").find("b")->items().size() == max_yaml_aliases / 100 - 1);
    CHECK(faults(edge + ", *a]\n").size() == 1);
}

TEST_CASE("aliases of a mapping count with the text in it", "[daemon][yaml]")
{
    const auto repeated = [](int times) {
        std::string text = "a: &a {k: " + std::string(100'000, 'x') + "}\nb: [*a";
        for (int i = 1; i < times; ++i)
            text += ", *a";
        config::problems found;
        const auto tree = parse_yaml(text + "]\n", "f", found, 1 << 20);
        return tree ? "" : tree.error().message;
    };
    CHECK(repeated(5) == ""); // seven copies with the anchor and what it remembers
    CHECK_THAT(repeated(12),
               Catch::Contains("a.k: the values up to here take more than 1 MiB of memory"));
}

TEST_CASE("an alias within its own anchor is refused", "[daemon][yaml]")
{
    CHECK(faults("a: &a [1, *a]\n") ==
          strings{"f:1:11: a[1]: the alias is part of the value that it refers to"});
    CHECK(faults("a: &a {b: *a}\n").at(0) ==
          "f:1:11: a.b: the alias is part of the value that it refers to");
}

TEST_CASE("a file dense with brackets is refused before it takes memory", "[daemon][yaml]")
{
    CHECK(faults(std::string(max_yaml_signs + 1, '[')) ==
          strings{"f: 12000001 brackets, commas and other YAML indicators; at most 12000000 are "
                  "allowed"});
}

TEST_CASE("a file is read, or the reason is given", "[daemon][yaml]")
{
    config::problems found;
    const temporary_file file{sample_config};
    const auto root = read_yaml(file.path, found);
    REQUIRE(root.has_value());
    CHECK(root->entries().size() == 5);

    const auto absent = read_yaml("/nonexistent/router.yaml", found);
    REQUIRE_FALSE(absent.has_value());
    CHECK(absent.error().code == errc::not_found);
    CHECK(absent.error().message == "/nonexistent/router.yaml: No such file or directory");
    const auto folder = read_yaml("/tmp", found);
    REQUIRE_FALSE(folder.has_value());
    CHECK(folder.error().message == "/tmp: expected a regular file, found a directory");
    CHECK(found.empty());
}

TEST_CASE("a file over the limit is refused", "[daemon][yaml]")
{
    const temporary_file file{""};
    REQUIRE(truncate(file.path.c_str(), static_cast<off_t>(max_yaml_file + 1)) == 0);
    config::problems found;
    const auto root = read_yaml(file.path, found);
    REQUIRE_FALSE(root.has_value());
    CHECK(root.error().message == file.path + ": 67108865 bytes, more than the limit of 67108864");
    CHECK(found.empty());
}

TEST_CASE("a problem is one line", "[daemon][yaml]")
{
    CHECK(format_problem(
              "router.yaml",
              {{14, 10}, "interfaces.eth0.mtu", "20 is below 68 (a number from 68 to 9216)"}) ==
          "router.yaml:14:10: interfaces.eth0.mtu: 20 is below 68 (a number from 68 to 9216)");
    CHECK(format_problem("f", {{}, "k", "m"}) == "f: k: m");
    CHECK(format_problem("f", {{1, 2}, "", "m"}) == "f:1:2: m");
    CHECK(format_problem("f", {{1, 2}, "a\nb", "m\x1b"}) == "f:1:2: a?b: m?");
}

TEST_CASE("the schema's problems carry the file's lines and columns", "[daemon][yaml]")
{
    using namespace config;
    const section ports{"ports",
                        {{"interfaces.*.device", text("a port"), "", true},
                         {"interfaces.*.mtu", number(68, 9216), ""},
                         {"routes[].via", one_or_list_of(config::ip4_address()), ""}}};
    const auto all = schema::of({&ports, 1});
    REQUIRE(all.has_value());
    problems found;
    all->check(good("interfaces:\n  a:\n    mut: 1500\n    mtu: 20\nroutes:\n"
                    "  - via: [10.0.0.1, 10.0.0]\n  - {via: {x: 1}}\n"),
               found);
    CHECK(lines(found) ==
          strings{"f:3:5: interfaces.a.mut: unknown key; did you mean `mtu'? "
                  "(allowed: device, mtu)",
                  "f:3:5: interfaces.a.device: missing; expected a port",
                  "f:4:10: interfaces.a.mtu: 20 is below 68 (a number from 68 to 9216)",
                  "f:6:21: routes[0].via[1]: `10.0.0' is not an IPv4 address; expected the form "
                  "10.0.0.1",
                  "f:7:11: routes[1].via: expected a single value or a list, found a mapping (an "
                  "IPv4 address, such as 10.0.0.1, or a list of these)"});
}

TEST_CASE("mutated files neither crash nor hang", "[daemon][yaml][fuzz]")
{
    std::mt19937 random{20240607}; // one seed: a failure can be repeated
    const std::string pieces = "[]{}:,-*&!|>'\"%@`#?\n\t ~\\0\xc3\x80";
    const auto below = [&random](size_t n) { return static_cast<size_t>(random() % n); };
    size_t trees = 0;
    for (int round = 0; round < 2000; ++round) {
        std::string text = sample_config;
        for (size_t change = 0, changes = 1 + below(6); change < changes; ++change) {
            const size_t where = below(text.size());
            switch (below(4)) {
            case 0:
                text[where] = pieces[below(pieces.size())];
                break;
            case 1:
                text.insert(where, 1 + below(3), pieces[below(pieces.size())]);
                break;
            case 2:
                text.erase(where, 1 + below(12));
                break;
            case 3:
                text.insert(below(text.size()), text.substr(where, below(80)));
                break;
            }
        }
        config::problems found;
        const auto root = parse_yaml(text, "f", found);
        if (root)
            CHECK(root->what() == value::kind::mapping);
        else
            CHECK_FALSE(found.empty());
        trees += root.has_value();
    }
    CHECK(trees > 100); // the mutations reach beyond the parser's first error
    CHECK(trees < 1990);
}
