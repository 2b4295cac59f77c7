// SPDX-License-Identifier: Apache-2.0
// Trees as YAML text that reads back the same, and the differences of two trees.
#include "control/config/yaml_text.hh"
#include "daemon/yaml_file.hh"

#include <catch2/catch.hpp>
#include <random>

using namespace weft;
using namespace weft::config;

namespace {

value read_text(std::string text)
{
    problems found;
    auto tree = parse_yaml(std::move(text), "test", found);
    for (const auto& p : found.sorted())
        FAIL(format_problem("test", p));
    REQUIRE(tree);
    return std::move(*tree);
}

std::string diff(const char* before, const char* after)
{
    const value a = read_text(before), b = read_text(after);
    return difference_text(a, b);
}

std::string random_text(std::mt19937& random)
{
    constexpr std::string_view letters = "ab0-:#,[]{}'\"\\ &*!|>%@`?~=<.\n\t";
    std::string text;
    for (size_t left = random() % 7; left > 0; --left)
        text += letters[random() % letters.size()];
    return text;
}

value random_tree(std::mt19937& random, int depth)
{
    const auto of = random() % (depth > 0 ? 5 : 2);
    if (of == 0)
        return value::null({}, "");
    if (of == 1 || of == 2)
        return value::scalar(random_text(random), {}, "");
    std::vector<value> items;
    std::vector<value::entry> entries;
    for (size_t n = 0; n < random() % 5; ++n) {
        items.push_back(random_tree(random, depth - 1));
        entries.push_back({fmt::format("{}{}", n, random_text(random)), {}, items.back()});
    }
    return of == 3 ? value::sequence(std::move(items), {}, "")
                   : value::mapping(std::move(entries), {}, "");
}

} // namespace

TEST_CASE("a tree is written as an operator would", "[config]")
{
    const char* text = "cpu: {main: 0, workers: [1, 2]}\n"
                       "interfaces:\n"
                       "  a.100: {vlan: 100, link: a, addresses: [10.0.0.1/24]}\n"
                       "  b: {device: 'null', description: 'to: the #1'}\n"
                       "routes: [{to: 10.0.0.0/8, via: 10.0.0.2}]\n"
                       "vrfs: {blue: {}}\n";
    CHECK(to_yaml(read_text(text)) == "cpu:\n"
                                      "  main: 0\n"
                                      "  workers: [1, 2]\n"
                                      "interfaces:\n"
                                      "  a.100:\n"
                                      "    vlan: 100\n"
                                      "    link: a\n"
                                      "    addresses: [10.0.0.1/24]\n"
                                      "  b:\n"
                                      "    device: \"null\"\n"
                                      "    description: \"to: the #1\"\n"
                                      "routes:\n"
                                      "  - {to: 10.0.0.0/8, via: 10.0.0.2}\n"
                                      "vrfs:\n"
                                      "  blue: {}\n");
    CHECK(to_yaml(read_text("")) == "{}\n");
}

TEST_CASE("what does not fit into a line has lines of its own", "[config]")
{
    const std::string word(50, 'x');
    const auto text = to_yaml(read_text("list: [" + word + ", " + word + "]\nmaps: [{one: " + word +
                                        ", two: [" + word + "]}]\n"));
    CHECK(text == "list:\n  - " + word + "\n  - " + word + "\nmaps:\n  - one: " + word +
                      "\n    two: [" + word + "]\n");
}

TEST_CASE("every tree reads back as it was", "[config]")
{
    std::mt19937 random{17};
    for (int round = 0; round < 3000; ++round) {
        std::vector<value::entry> entries;
        for (size_t n = 0; n < random() % 4; ++n)
            entries.push_back({fmt::format("k{}", n), {}, random_tree(random, 4)});
        const value tree = value::mapping(std::move(entries), {}, "");
        const auto text = to_yaml(tree);
        CAPTURE(text);
        REQUIRE(difference_text(tree, read_text(text)).empty());
    }
}

TEST_CASE("differences are shown with the keys that lead to them", "[config]")
{
    CHECK(diff("a: {x: 1, y: 2}\nb: 3\n", "b: 3\na: {y: 2, x: 1}\n").empty());
    CHECK(diff("interfaces: {wan: {mtu: 1500, state: up}, old: {device: x}}\nlog: {level: info}",
               "interfaces: {wan: {mtu: 9000, state: up}, lab: {vlan: 7, link: wan}}\n"
               "log: {level: info}") == " interfaces:\n"
                                        "   wan:\n"
                                        "-    mtu: 1500\n"
                                        "+    mtu: 9000\n"
                                        "-  old:\n"
                                        "-    device: x\n"
                                        "+  lab:\n"
                                        "+    vlan: 7\n"
                                        "+    link: wan\n");
    CHECK(diff("a: [1, 2]", "a: [2, 1]") == "-a: [1, 2]\n+a: [2, 1]\n");
    CHECK(diff("a: 1", "a: {b: 1}") == "-a: 1\n+a:\n+  b: 1\n");
}

TEST_CASE("lists of mappings differ by their items", "[config]")
{
    CHECK(diff("routes: [{to: a, via: x}, {to: b, via: x}, {to: c, via: x}]",
               "routes: [{to: d, via: x}, {to: c, via: x}, {to: b, via: y}, {to: a, via: x}]") ==
          " routes:\n"
          "-  - {to: b, via: x}\n"
          "+  - {to: d, via: x}\n"
          "+  - {to: b, via: y}\n");
    CHECK(diff("r: [{a: 1}, {a: 1}]", "r: [{a: 1}]") == " r:\n-  - {a: 1}\n");
    CHECK(diff("r: [{a: 1}, {a: 2}]", "r: [{a: 2}, {a: 1}]") ==
          "-r:\n-  - {a: 1}\n-  - {a: 2}\n+r:\n+  - {a: 2}\n+  - {a: 1}\n");
}

TEST_CASE("differences name their places", "[config]")
{
    const value a = read_text("i: {x: {mtu: 1}}\nr: [{a: 1}]\ngone: 1");
    const value b = read_text("i: {x: {mtu: 2}}\nr: [{a: 2}]");
    const auto found = differences(a, b);
    REQUIRE(found.size() == 4);
    CHECK(found[0].path == "i.x.mtu");
    CHECK(found[0].before->text() + found[0].after->text() == "12");
    CHECK((found[1].path == "r" && found[1].after == nullptr));
    CHECK((found[2].path == "r" && found[2].before == nullptr));
    CHECK((found[3].path == "gone" && found[3].after == nullptr));
}
