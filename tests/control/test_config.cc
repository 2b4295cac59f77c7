// SPDX-License-Identifier: Apache-2.0
// Configuration: what the schema accepts, the words for what it refuses, conversions and order.
#include "control/config/config.hh"

#include <catch2/catch.hpp>

using namespace weft;
using namespace weft::config;

namespace {

value word(std::string text, std::string path = "k", position at = {1, 1})
{
    return value::scalar(std::move(text), at, std::move(path));
}

// Builds {key: member, ...} with each member on a line of its own.
value tree(std::vector<std::pair<std::string, value>> members, std::string path = "",
           position at = {1, 1})
{
    std::vector<value::entry> entries;
    for (auto& [key, member] : members)
        entries.push_back({key, {member.at().line, 1}, std::move(member)});
    return value::mapping(std::move(entries), at, std::move(path));
}

std::vector<std::string> lines_of(const problems& found)
{
    std::vector<std::string> all;
    for (const problem& p : found.sorted())
        all.push_back(fmt::format("{}:{} {}: {}", p.at.line, p.at.column, p.key, p.message));
    return all;
}

std::string fault(const type& t, const value& v)
{
    problems found;
    t.check(v, found);
    std::string all;
    for (const problem& p : found.sorted())
        all += (all.empty() ? "" : "; ") + p.message;
    return all;
}

std::vector<key> router_keys()
{
    return {{"interfaces.*.device", text(), "the port", true},
            {"interfaces.*.mtu", number(68, 9216), "the MTU"},
            {"interfaces.*.addresses", list_of(ip4_interface_address()), "addresses"},
            {"interfaces.*.queues", number(1, 16), "queues"},
            {"routes[].to", ip4_prefix(), "the network", true},
            {"routes[].via", one_or_list_of(ip4_address()), "next hops"},
            {"memory.size", size(1 << 20, uint64_t{1} << 34), "memory"}};
}

schema schema_of(std::vector<key> keys)
{
    const section one{"test", std::move(keys)};
    auto made = schema::of({&one, 1});
    REQUIRE(made.has_value());
    return *made;
}

std::vector<std::string> check_router(const value& root)
{
    problems found;
    schema_of(router_keys()).check(root, found);
    return lines_of(found);
}

using strings = std::vector<std::string>;

} // namespace

TEST_CASE("a number is checked against its bounds", "[graph][config]")
{
    const type mtu = number(68, 9216);
    for (const char* good : {"68", "1500", "9216"})
        CHECK(fault(mtu, word(good)) == "");
    CHECK(fault(mtu, word("67")) == "67 is below 68 (a number from 68 to 9216)");
    CHECK(fault(mtu, word("9217")) == "9217 is above 9216 (a number from 68 to 9216)");
    CHECK(fault(mtu, word("-1")) == "-1 is below 68 (a number from 68 to 9216)");
    CHECK(fault(mtu, word("99999999999999999999")) ==
          "99999999999999999999 is above 9216 (a number from 68 to 9216)");
    for (const char* bad : {"", "-", "+80", " 80", "80 ", "0x50", "0100", "1e3", "80.0", "many"})
        CHECK(fault(mtu, word(bad)) ==
              fmt::format("`{}' is not a number (a number from 68 to 9216)", bad));
    CHECK(fault(number(0, UINT64_MAX), word("18446744073709551615")) == "");
    CHECK(fault(number(0, 1), word("0")) == "");
}

TEST_CASE("a size takes K, M and G", "[graph][config]")
{
    const type memory = config::size(1 << 20, uint64_t{1} << 30);
    const std::string allowed = "(a size from 1M to 1G, optionally with the suffix K, M or G)";
    for (const char* good : {"1M", "1024K", "1048576", "256m", "1G"})
        CHECK(fault(memory, word(good)) == "");
    CHECK(fault(memory, word("1023K")) == "1023K is below 1M " + allowed);
    CHECK(fault(memory, word("1025M")) == "1025M is above 1G " + allowed);
    CHECK(fault(memory, word("17179869184G")) == "17179869184G is above 1G " + allowed);
    for (const char* bad : {"", "M", "1T", "1MB", "1.5G", "-1M", "1 M"})
        CHECK(fault(memory, word(bad)) == fmt::format("`{}' is not a size {}", bad, allowed));
}

TEST_CASE("words and truth values", "[graph][config]")
{
    const type level = one_of({"debug", "info", "error"});
    CHECK(fault(level, word("info")) == "");
    CHECK(fault(level, word("inof")) ==
          "`inof' is not one of the allowed values; did you mean `info'? (debug, info or error)");
    CHECK(fault(level, word("zzzzzz")) ==
          "`zzzzzz' is not one of the allowed values (debug, info or error)");
    for (const char* good : {"true", "False", "YES", "no", "on", "Off"})
        CHECK(fault(boolean(), word(good)) == "");
    CHECK(fault(boolean(), word("1")) == "`1' is not a boolean (true or false)");
    CHECK(fault(text(), word("any thing")) == "");
    CHECK(fault(text("a path"), word("")) == "the text is empty (a path)");
    CHECK(fault(text(), word(std::string("a\0b", 3))) ==
          "`a?b' contains a control character (a text)");
}

TEST_CASE("addresses in a configuration", "[graph][config]")
{
    const std::string station = "(a unicast MAC address, such as 02:00:00:00:0a:01)";
    CHECK(fault(config::mac_address(), word("02:00:00:00:0a:01")) == "");
    CHECK(fault(config::mac_address(), word("01:00:5e:00:00:01")) ==
          "01:00:5e:00:00:01 is a multicast address " + station);
    CHECK(fault(config::mac_address(), word("00:00:00:00:00:00")) ==
          "00:00:00:00:00:00 is the all-zeros address " + station);
    CHECK(fault(config::mac_address(), word("02:00")) ==
          "`02:00' is not a MAC address; expected the form 02:00:00:00:0a:01");
    CHECK(fault(config::ip4_address(), word("10.0.0.1")) == "");
    CHECK(fault(config::ip4_address(), word("10.0.0")) ==
          "`10.0.0' is not an IPv4 address; expected the form 10.0.0.1");
    CHECK(fault(config::ip4_interface_address(), word("10.0.0.1/24")) == "");
    CHECK(fault(config::ip4_prefix(), word("10.0.0.1/24")) ==
          "`10.0.0.1/24' has bits set beyond its prefix length; expected the network 10.0.0.0/24");
}

TEST_CASE("a wrong kind of value says what was found", "[graph][config]")
{
    const value list = value::sequence({word("1", "k[0]"), word("x", "k[1]")}, {1, 1}, "k");
    const value map = tree({{"a", word("1", "k.a")}}, "k");
    const value nothing = value::null({1, 1}, "k");
    const type n = number(0, 9);
    CHECK(fault(n, list) == "expected a single value, found a list (a number from 0 to 9)");
    CHECK(fault(n, map) == "expected a single value, found a mapping (a number from 0 to 9)");
    CHECK(fault(n, nothing) == "no value (a number from 0 to 9)");
    CHECK(fault(list_of(n), list) == "`x' is not a number (a number from 0 to 9)");
    CHECK(fault(list_of(n), word("1")) ==
          "expected a list, found `1' (a list, each item a number from 0 to 9)");
    CHECK(fault(list_of(n), map) ==
          "expected a list, found a mapping (a list, each item a number from 0 to 9)");
    CHECK(fault(list_of(n), nothing) == "");
    CHECK(fault(one_or_list_of(n), word("1")) == "");
    CHECK(fault(one_or_list_of(n), word("10")) == "10 is above 9 (a number from 0 to 9)");
    CHECK(fault(one_or_list_of(n), list) == "`x' is not a number (a number from 0 to 9)");
    CHECK(fault(one_or_list_of(n), map) == "expected a single value or a list, found a mapping (a "
                                           "number from 0 to 9, or a list of these)");
    CHECK(fault(mapping(), map) == "");
    CHECK(fault(mapping(), nothing) == "");
    CHECK(fault(mapping(), word("1")) == "expected a mapping of keys, found `1'");
    CHECK(fault(mapping(), list) == "expected a mapping of keys, found a list");
}

TEST_CASE("a right tree has no problems", "[graph][config]")
{
    const value hop = value::sequence({word("10.0.0.2", "routes[0].via[0]")}, {5, 9}, "");
    const value route = tree({{"to", word("16.0.0.0/8")}, {"via", hop}}, "routes[0]", {5, 3});
    const value a = tree({{"device", word("net_tap0")}, {"mtu", word("1500")}}, "interfaces.a");
    CHECK(check_router(tree({{"interfaces", tree({{"a", a}}, "interfaces")},
                             {"routes", value::sequence({route}, {5, 1}, "routes")}})) ==
          strings{});
    CHECK(check_router(tree({})) == strings{});
    CHECK(check_router(tree({{"interfaces", value::null({1, 1}, "interfaces")},
                             {"routes", value::null({2, 1}, "routes")}})) == strings{});
    CHECK(check_router(value::null({1, 1}, "")) == strings{});
}

TEST_CASE("all problems of a file are found at once, in its order", "[graph][config]")
{
    const value a = tree({{"mtu", word("20", "interfaces.a.mtu", {9, 10})},
                          {"mut", word("1500", "interfaces.a.mut", {3, 8})}},
                         "interfaces.a", {3, 5});
    const value route = tree({{"to", word("10.0.0.1/8", "routes[0].to", {12, 8})}}, "routes[0]");
    const value root = tree({{"routes", value::sequence({route}, {12, 3}, "routes")},
                             {"interfaces", tree({{"a", a}}, "interfaces", {2, 3})}});
    CHECK(check_router(root) ==
          strings{"3:1 interfaces.a.mut: unknown key; did you mean `mtu'? "
                  "(allowed: addresses, device, mtu, queues)",
                  "3:5 interfaces.a.device: missing; expected a text",
                  "9:10 interfaces.a.mtu: 20 is below 68 (a number from 68 to 9216)",
                  "12:8 routes[0].to: `10.0.0.1/8' has bits set beyond its prefix length; "
                  "expected the network 10.0.0.0/8"});
}

TEST_CASE("implied parents refuse another kind", "[graph][config]")
{
    const value list = value::sequence({word("x", "interfaces[0]")}, {2, 3}, "interfaces");
    CHECK(check_router(tree({{"interfaces", list}})) ==
          strings{"2:3 interfaces: expected a mapping of keys, found a list"});
    CHECK(check_router(tree({{"memory", word("256M", "memory", {1, 9})}})) ==
          strings{"1:9 memory: expected a mapping of keys, found `256M' (allowed: size)"});
    CHECK(check_router(tree({{"routes", word("none", "routes", {1, 9})}})) ==
          strings{"1:9 routes: expected a list, found `none'"});
    CHECK(check_router(tree({{"routes", tree({{"to", word("1")}}, "routes", {4, 3})}})) ==
          strings{"4:3 routes: expected a list, found a mapping; start each item with `- '"});
}

TEST_CASE("an unknown key is told where one of its name belongs", "[graph][config]")
{
    CHECK(check_router(tree({{"mtu", word("1500", "mtu", {7, 6})}})) ==
          strings{"7:1 mtu: unknown key; did you mean `interfaces.*.mtu'? "
                  "(allowed: interfaces, memory, routes)"});
    CHECK(check_router(tree({{"vlan", word("1", "vlan", {7, 7})}})) ==
          strings{"7:1 vlan: unknown key (allowed: interfaces, memory, routes)"});
    const value nameless = tree({{"", tree({}, "interfaces.")}}, "interfaces");
    CHECK(check_router(tree({{"interfaces", nameless}})) ==
          strings{"1:1 interfaces.: the name is empty"});
}

TEST_CASE("required keys are asked for where their parent is given", "[graph][config]")
{
    const value empty_item = value::null({6, 3}, "routes[0]");
    CHECK(check_router(tree({{"routes", value::sequence({empty_item}, {6, 3}, "routes")}})) ==
          strings{"6:3 routes[0].to: missing; expected an IPv4 network, such as 10.0.0.0/24"});
    problems found;
    schema_of({{"main", number(0, 9), "", true}, {"cores[]", number(0, 9), "", true}})
        .check(tree({{"cores", value::sequence({}, {2, 8}, "cores")}}), found);
    CHECK(lines_of(found) == strings{"1:1 main: missing; expected a number from 0 to 9",
                                     "2:8 cores: the list is empty; expected at least one item "
                                     "(a number from 0 to 9)"});
}

TEST_CASE("one value may be the short form of a mapping", "[graph][config]")
{
    const auto check = [](value item) {
        problems found;
        std::vector<value> items;
        items.push_back(std::move(item));
        schema_of({{"w[]", or_mapping(number(0, 7)), ""}, {"w[].core", number(0, 7), "", true}})
            .check(tree({{"w", value::sequence(std::move(items), {1, 1}, "w")}}), found);
        return lines_of(found);
    };
    CHECK(check(word("3", "w[0]")).empty());
    CHECK(check(tree({{"core", word("3", "w[0].core")}}, "w[0]")).empty());
    CHECK(check(word("9", "w[0]")) == strings{"1:1 w[0]: 9 is above 7 (a number from 0 to 7)"});
    CHECK(check(tree({{"core", word("9", "w[0].core")}}, "w[0]")) ==
          strings{"1:1 w[0].core: 9 is above 7 (a number from 0 to 7)"});
    CHECK(check(tree({}, "w[0]")) ==
          strings{"1:1 w[0].core: missing; expected a number from 0 to 7"});
    CHECK(check(value::null({1, 1}, "w[0]")) ==
          strings{"1:1 w[0]: no value (a number from 0 to 7, or a mapping of keys)"});
    CHECK(check(value::sequence({}, {1, 1}, "w[0]")) ==
          strings{"1:1 w[0]: expected a single value or a mapping, found a list (a number from 0 "
                  "to 7, or a mapping of keys)"});
}

TEST_CASE("a section's check waits until the keys that it reads are right", "[graph][config]")
{
    section s{"test", {{"mtu", number(68, 9216), ""}}};
    s.check = [](const value& root, problems& found) {
        if (root.get<uint16_t>("mtu", 0) == 1501)
            found.add(*root.find("mtu"), "{} is odd", 1501);
    };
    const auto made = schema::of({&s, 1});
    REQUIRE(made.has_value());
    problems odd, small;
    made->check(tree({{"mtu", word("1501", "mtu", {1, 6})}}), odd);
    CHECK(lines_of(odd) == strings{"1:6 mtu: 1501 is odd"});
    s.check = [](const value& root, problems& found) { found.add(root, "checked"); };
    schema::of({&s, 1})->check(tree({{"mtu", word("20", "mtu")}}), small);
    CHECK(lines_of(small) == strings{"1:1 mtu: 20 is below 68 (a number from 68 to 9216)"});
}

namespace {
std::string applied;
template <char name>
result<void> note(const value&, engine&)
{
    applied += name;
    return {};
}
result<void> refuse(const value&, engine&)
{
    return fail(errc::io, "no port");
}
} // namespace

TEST_CASE("a fault in one part of a file does not hide another part's check", "[graph][config]")
{
    const auto complain = [](const value& root, problems& found) { found.add(root, "checked"); };
    std::vector<section> sections{
        {"memory", {{"memory.size", number(1, 9), ""}}, complain},
        {"cpu", {{"cpu.main", number(0, 1), ""}}, complain},
        {"log", {{"log.level", number(0, 1), ""}}, complain, nullptr, {"cpu"}}};
    const auto checked = [&](std::string text) {
        problems found;
        const auto cpu = value::mapping(
            {{"main", {1, 6}, value::scalar(std::move(text), {1, 6}, "cpu.main")}}, {1, 1}, "cpu");
        schema::of(sections)->check(tree({{"cpu", cpu}}), found);
        return found.sorted().size();
    };
    CHECK(checked("1") == 3);
    CHECK(checked("7") == 2); // the number itself and the check of memory
}

TEST_CASE("sections are applied behind those that they name, else by name", "[graph][config]")
{
    std::vector<section> sections{{.name = "b", .apply = note<'b'>, .after = {"z", "not-there"}},
                                  {.name = "z", .apply = note<'z'>},
                                  {.name = "a", .apply = note<'a'>, .after = {"z"}},
                                  {.name = "c", .apply = note<'c'>, .before = {"b", "not-there"}},
                                  {.name = "none"}};
    alignas(16) char memory[16]; // an engine that nobody looks at
    auto& engine = reinterpret_cast<weft::engine&>(memory);
    std::sort(sections.begin(), sections.end(),
              [](const auto& x, const auto& y) { return x.name < y.name; });
    do {
        applied.clear();
        CHECK(schema::of(sections)->apply(tree({}), engine).has_value());
        CHECK(applied == "czab"); // whatever order they were linked in
    } while (std::next_permutation(sections.begin(), sections.end(),
                                   [](const auto& x, const auto& y) { return x.name < y.name; }));

    sections.push_back({.name = "aa", .apply = refuse, .after = {"a"}, .before = {"b"}});
    applied.clear();
    const auto stopped = schema::of(sections)->apply(tree({}), engine);
    REQUIRE_FALSE(stopped.has_value());
    CHECK(stopped.error().message == "no port");
    CHECK(applied == "cza");
}

TEST_CASE("sections that wait for each other are told with their places", "[graph][config]")
{
    const registration one{{.name = "test-one", .after = {"test-three"}}};
    const registration two{{.name = "test-two", .after = {"test-one"}}};
    const registration three{{.name = "test-three", .after = {"test-two"}}};
    const auto made = schema::registered();
    REQUIRE_FALSE(made.has_value());
    const auto told = [](const registration& r) {
        return fmt::format("{} ({}:{})", r.what.name, __FILE__, r.what.where.line());
    };
    CHECK(made.error().message ==
          fmt::format("configuration sections depend on each other: {} after {} after {} "
                      "after {}",
                      told(one), told(three), told(two), told(one)));
}

TEST_CASE("two sections of one name are told with both places", "[graph][config]")
{
    const registration one{{.name = "test-twice"}};
    const registration two{{.name = "test-twice"}};
    const auto made = schema::registered();
    REQUIRE_FALSE(made.has_value());
    CHECK(made.error().message ==
          fmt::format("two configuration sections are called `test-twice': {}:{} and {}:{}",
                      __FILE__, one.what.where.line(), __FILE__, two.what.where.line()));
}

TEST_CASE("a schema refuses keys that cannot stand together", "[graph][config]")
{
    const auto fault_of = [](std::vector<section> sections) {
        const auto made = schema::of(sections);
        return made ? "accepted" : made.error().message;
    };
    const type n = number(0, 9);
    CHECK(fault_of({{"one", {{"a.b", n, ""}}}, {"two", {{"a.b", n, ""}}}}) ==
          "the key a.b is claimed twice: by section one and by section two");
    CHECK(fault_of({{"one", {{"a.*.b", n, ""}, {"a.*", mapping(), ""}}},
                    {"two", {{"a.*.c", n, ""}}}}) == "accepted");
    CHECK_THAT(fault_of({{"one", {{"a[].b", n, ""}}}, {"two", {{"a.c", n, ""}}}}),
               Catch::StartsWith(
                   "section two: the key a.c conflicts with another key: one makes it a list"));
    for (const char* bad : {"", ".", "a.", ".a", "a..b", "a[", "a[0]", "[]", "a[]b"})
        CHECK_THAT(fault_of({{"one", {{bad, n, ""}}}}), Catch::Contains("is not a valid key path"));
}

TEST_CASE("keys are listed by path", "[graph][config]")
{
    const schema all = schema_of({{"b", text(), ""}, {"a.c", text(), ""}, {"a.b", text(), ""}});
    strings paths;
    for (const key* k : all.keys())
        paths.push_back(k->path);
    CHECK(paths == strings{"a.b", "a.c", "b"});
}

TEST_CASE("registered sections are part of the schema", "[graph][config]")
{
    const registration test_only{
        {"test_config", {{"test_config.key", text(), "only in this test"}}}};
    const auto all = schema::registered();
    REQUIRE(all.has_value());
    const auto keys = all->keys();
    CHECK(std::any_of(keys.begin(), keys.end(),
                      [](const key* k) { return k->path == "test_config.key"; }));
}

TEST_CASE("scalars are read as what they are asked for", "[graph][config]")
{
    CHECK(word("yes").as<bool>());
    CHECK_FALSE(word("off").as<bool>());
    CHECK(word("65535").as<uint16_t>() == 65535);
    CHECK(word("4294967295").as<uint32_t>() == 4294967295u);
    CHECK(word("2147483647").as<int>() == 2147483647);
    CHECK(word("18446744073709551615").as<uint64_t>() == UINT64_MAX);
    CHECK(word("256M").as<uint64_t>() == uint64_t{256} << 20);
    CHECK(word("2k").as<uint64_t>() == 2048);
    CHECK(word("net_tap0").as<std::string>() == "net_tap0");
    CHECK(word("10.0.0.1").as<net::ip4_address>().value == 0x0a000001);
    CHECK(word("10.0.0.0/8").as<net::ip4_prefix>().length == 8);
    CHECK(word("10.0.0.1/8").as<net::ip4_interface_address>().address.value == 0x0a000001);
    CHECK(word("02:00:00:00:0a:01").as<net::mac_address>().bytes[5] == 1);
}

TEST_CASE("reading what was not checked is a programming error", "[graph][config]")
{
    CHECK_THROWS_AS(word("x").as<bool>(), std::logic_error);
    CHECK_THROWS_AS(word("65536").as<uint16_t>(), std::logic_error);
    CHECK_THROWS_AS(word("4294967296").as<uint32_t>(), std::logic_error);
    CHECK_THROWS_AS(word("2147483648").as<int>(), std::logic_error);
    CHECK_THROWS_AS(word("18446744073709551616").as<uint64_t>(), std::logic_error);
    CHECK_THROWS_AS(word("1K").as<uint32_t>(), std::logic_error);
    CHECK_THROWS_AS(word("10.0.0").as<net::ip4_address>(), std::logic_error);
    CHECK_THROWS_AS(tree({}).as<std::string>(), std::logic_error);
    CHECK_THROWS_AS(value::null({}, "").as<std::string>(), std::logic_error);
}

TEST_CASE("members are read with a fallback and as lists", "[graph][config]")
{
    const value list = value::sequence({word("1"), word("2")}, {1, 1}, "cores");
    const value root =
        tree({{"mtu", word("1500")}, {"cores", list}, {"none", value::null({}, "")}});
    CHECK(root.get<uint16_t>("mtu", 9000) == 1500);
    CHECK(root.get<uint16_t>("absent", 9000) == 9000);
    CHECK(root.get<std::string>("none", "fallback") == "fallback");
    CHECK(root.list<uint32_t>("cores") == std::vector<uint32_t>{1, 2});
    CHECK(root.list<uint32_t>("mtu") == std::vector<uint32_t>{1500});
    CHECK(root.list<uint32_t>("absent").empty());
    CHECK(root.list<uint32_t>("none").empty());
    CHECK(root.find("absent") == nullptr);
    CHECK(word("1").find("x") == nullptr);
}

TEST_CASE("problems are sorted, stable and bounded", "[graph][config]")
{
    problems found;
    CHECK(found.empty());
    found.add({2, 1}, "second", "b");
    found.add({1, 9}, "first", "a");
    found.add({2, 1}, "third", "c");
    CHECK(lines_of(found) == strings{"1:9 first: a", "2:1 second: b", "2:1 third: c"});
    for (int i = 0; i < 2000; ++i)
        found.add({3 + i, 1}, "many", "m");
    const auto all = found.sorted();
    REQUIRE(all.size() == problems::limit + 1);
    CHECK(all.back().message == "only the first 1000 problems are listed");
    CHECK(all[problems::limit - 1].key == "many");
}
