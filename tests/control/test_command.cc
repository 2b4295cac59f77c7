// SPDX-License-Identifier: Apache-2.0
// Tests of the command table: grammar, errors, completion, help.
#include "control/command/command.hh"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <array>
#include <cstddef>
#include <sstream>
#include <stdexcept>

namespace {

using weft::argument_type_registration;
using weft::command_context;
using weft::command_registration;
using weft::command_table;
using json = nlohmann::ordered_json;

// Commands under test never touch the engine.
weft::engine& no_engine()
{
    alignas(64) static std::array<std::byte, 64> storage{};
    return reinterpret_cast<weft::engine&>(storage);
}

// Answers with what the parser understood: `max worker=3`.
weft::result<json> tell(command_context& context)
{
    std::string text;
    for (const auto* name : {"max", "summary", "worker", "port", "state", "prefix", "via", "rate",
                             "mac", "name", "text", "only"}) {
        if (!context.arguments.has(name))
            continue;
        text += fmt::format("{}{}", text.empty() ? "" : " ", name);
        if (const auto& texts = context.arguments.all(name); !texts.empty())
            text += fmt::format("={}", fmt::join(texts, ","));
    }
    return json(text);
}

std::vector<std::string> ports(weft::engine&)
{
    return {"eth0", "eth1", "uplink"};
}

const argument_type_registration port_names{
    {.name = "test-port", .help = "a port of these tests", .names = ports}};

// Registered only while it lives: other tests look at all registered commands.
struct sample_commands {
    std::array<command_registration, 9> list{{
        {"show runtime [max] [summary] [worker <worker:number>]", "Show runtime", tell},
        {"show interface [<port:test-port>]", "Show interfaces", tell},
        {"show ip fib", "Show the FIB", tell},
        {"show ip fibre", "Show fibres", tell},
        {"set port <port:test-port> state <state:up|down>", "Set a port's state", tell},
        {"route add <prefix:prefix> via <via:address>... [rate <rate:number>]", "Add routes", tell},
        {"name <name:word>", "Take a name", tell},
        {"note <text:rest>", "Take the rest", tell},
        {"mac <mac:mac>", "Take a MAC address", tell},
    }};

    [[nodiscard]] command_table table() const
    {
        std::vector<const command_registration*> pointers;
        for (const auto& one : list)
            pointers.push_back(&one);
        return command_table::of(pointers).value();
    }
};

// The answer, or `! ` and the error.
std::string run(std::string_view line, bool as_json = false)
{
    const sample_commands samples;
    const auto answer = samples.table().run(no_engine(), line, as_json);
    return answer ? *answer : "! " + answer.error().message;
}

std::string completions(std::string_view partial)
{
    const sample_commands samples;
    std::string text;
    for (const auto& one : samples.table().complete(no_engine(), partial))
        text += (text.empty() ? "" : " ") + one.word;
    return text;
}

std::string refusal(const std::vector<const command_registration*>& list)
{
    const auto table = command_table::of(list);
    return table ? "accepted" : table.error().message;
}

std::string refusal(std::string_view syntax, std::string_view help = "Help")
{
    const command_registration one{syntax, help, tell};
    return refusal({&one});
}

} // namespace

TEST_CASE("words may be shortened to any unique prefix", "[graph][command]")
{
    CHECK(run("show runtime max") == "max");
    CHECK(run("sh r m") == "max");
    CHECK(run("  sh \t ru   max  ") == "max");
    CHECK(run("show ip fib") == "");
    CHECK(run("se p eth0 st d") == "port=eth0 state=down");
}

TEST_CASE("an exact word wins over a longer one", "[graph][command]")
{
    CHECK(run("show ip fib") == "");
    CHECK(run("show ip fi") == "! `fi' is ambiguous: it could be fib or fibre");
    CHECK(run("show i") == "! `i' is ambiguous: it could be interface or ip");
}

TEST_CASE("optional groups come in any order, each once", "[graph][command]")
{
    CHECK(run("show runtime") == "");
    CHECK(run("show runtime summary max") == "max summary");
    CHECK(run("show runtime worker 3 max") == "max worker=3");
    CHECK(run("show runtime max worker 3 summary") == "max summary worker=3");
    CHECK(run("show runtime max max") == "! unknown input `max', expected summary or worker");
    CHECK(run("show runtime max worker 3 summary x") ==
          "! unknown input `x', expected the end of the command");
}

TEST_CASE("a parameter repeats with and without its word", "[graph][command]")
{
    const std::string both = "prefix=10.0.0.0/8 via=1.1.1.1,2.2.2.2";
    CHECK(run("route add 10.0.0.0/8 via 1.1.1.1 via 2.2.2.2") == both);
    CHECK(run("route add 10.0.0.0/8 via 1.1.1.1 2.2.2.2") == both);
    CHECK(run("route add 10.0.0.0/8 via 1.1.1.1 v 2.2.2.2 rate 5") == both + " rate=5");
    CHECK(run("route add 10.0.0.0/8 via 1.1.1.1 via") == "! incomplete command: expected <via>");
    CHECK(run("route add 10.0.0.0/8 via 1.1.1.1 rate 5 via 2.2.2.2") ==
          "! unknown input `via', expected the end of the command");
}

TEST_CASE("typed parameters are checked", "[graph][command]")
{
    CHECK(run("show runtime worker x") == "! worker: `x' is not a number");
    CHECK(run("show runtime worker -1") == "! worker: `-1' is not a number");
    CHECK(run("show runtime worker 1x") == "! worker: `1x' is not a number");
    CHECK(run("show runtime worker 18446744073709551615") == "worker=18446744073709551615");
    CHECK(run("show runtime worker 18446744073709551616") ==
          "! worker: 18446744073709551616 is above 18446744073709551615");
    CHECK_THAT(run("route add 10.0.0.0 via 1.1.1.1"), Catch::StartsWith("! prefix: "));
    CHECK_THAT(run("route add 10.0.0.0/8 via 1.1.1"), Catch::StartsWith("! via: "));
    CHECK_THAT(run("mac 02:00"), Catch::StartsWith("! mac: "));
    CHECK(run("mac 02:00:00:00:00:01") == "mac=02:00:00:00:00:01");
}

TEST_CASE("names are matched exactly and unknown ones are told with the known", "[graph][command]")
{
    CHECK(run("show interface eth0") == "port=eth0");
    CHECK(run("show interface up") == "! no test-port `up', expected eth0, eth1 or uplink");
    CHECK(run("set port eth state up") == "! no test-port `eth', expected eth0, eth1 or uplink");
    CHECK(run("set port eth0 state sideways") == "! unknown input `sideways', expected down or up");
}

TEST_CASE("an error says what was found and what was expected", "[graph][command]")
{
    CHECK(run("foo") == "! unknown input `foo', expected mac, name, note, route, set or show");
    CHECK(run("show foo") == "! unknown input `foo', expected interface, ip or runtime");
    CHECK(run("show") == "! incomplete command: expected interface, ip or runtime");
    CHECK(run("set port") == "! incomplete command: expected <port>");
    CHECK(run("") == "! incomplete command: expected mac, name, note, route, set or show");
}

TEST_CASE("quotes make one word, the rest is taken as it is", "[graph][command]")
{
    CHECK(run("name \"a b\"") == "name=a b");
    CHECK(run(R"(name "a \"b\" \\")") == R"(name=a "b" \)");
    CHECK(run("name \"\"") == "name=");
    CHECK(run("name \"a b") == "! a quote (\") is not closed");
    CHECK(run("note  say \"a  b\"  now ") == "text=say \"a  b\"  now");
    CHECK(run("note") == "! incomplete command: expected <text>");
}

TEST_CASE("a line is bounded, UTF-8 and without control characters", "[graph][command]")
{
    const std::string head = "note ";
    const std::string fits(weft::max_command_line - head.size(), 'x');
    CHECK(run(head + fits) == "text=" + fits);
    CHECK(run(head + fits + "x") == "! the line is longer than 4096 bytes");
    CHECK(run("name \x01") == "! byte 6 of the line is a control character (0x01)");
    CHECK(run("name \u0085") == "! byte 6 of the line is a control character (0x85)");
    CHECK(run("name \xff") == "! byte 6 of the line (0xff) is not UTF-8");
    CHECK(run("name \xc0\xaf") == "! byte 6 of the line (0xc0) is not UTF-8");
    CHECK(run("name \xe0\x80\xaf") == "! byte 6 of the line (0xe0) is not UTF-8");
    CHECK(run("name \xf4\x90\x80\x80") == "! byte 6 of the line (0xf4) is not UTF-8");
    CHECK(run("name \xed\xa0\x80") == "! byte 6 of the line (0xed) is not UTF-8");
    CHECK(run("name \xe2\x82") == "! byte 6 of the line (0xe2) is not UTF-8");
    CHECK(run("name \u00e9\U0001f600") == "name=\u00e9\U0001f600");
}

TEST_CASE("no bytes at all make the parser fail", "[graph][command]")
{
    uint32_t random = 12345;
    const std::string alphabet = "shorup <>[]\"\\|:.0129/\xff\x01mxviae";
    for (int i = 0; i < 5000; ++i) {
        std::string line;
        for (uint32_t length = (random >> 8) % 40; line.size() < length;) {
            random = random * 1664525 + 1013904223;
            line += alphabet[(random >> 16) % alphabet.size()];
        }
        random += 77;
        static_cast<void>(run(line));
        if (i % 100 == 0)
            static_cast<void>(completions(line));
    }
    SUCCEED();
}

TEST_CASE("the data of a command has a text and a JSON view", "[graph][command]")
{
    const command_registration number{
        "count", "Count",
        [](command_context&) -> weft::result<json> {
            return json{{"n", 3}};
        },
        [](const json& data) { return fmt::format("n is {}", data["n"].get<int>()); }};
    const auto table = command_table::of(std::vector{&number}).value();
    CHECK(table.run(no_engine(), "count", false).value() == "n is 3");
    CHECK(json::parse(table.run(no_engine(), "count", true).value()) == json{{"n", 3}});
    CHECK(run("show runtime max", true) == "\"max\"");
}

TEST_CASE("a command that throws fails alone", "[graph][command]")
{
    const command_registration throws{"break", "Break", [](command_context&) -> weft::result<json> {
                                          throw std::runtime_error{"broken"};
                                      }};
    const command_registration memory{
        "fill", "Fill", [](command_context&) -> weft::result<json> { throw std::bad_alloc{}; }};
    const auto table = command_table::of(std::vector{&throws, &memory}).value();
    CHECK(table.run(no_engine(), "break", false).error().message ==
          "the command failed with an internal error: broken");
    CHECK(table.run(no_engine(), "fill", false).error().code == weft::errc::exhausted);
}

TEST_CASE("completion tells what may stand next", "[graph][command]")
{
    CHECK(completions("") == "mac name note route set show");
    CHECK(completions("s") == "set show");
    CHECK(completions("show ") == "interface ip runtime");
    CHECK(completions("sh ru") == "runtime");
    CHECK(completions("show runtime ") == "<cr> max summary worker");
    CHECK(completions("show runtime max s") == "summary");
    CHECK(completions("show runtime worker ") == "<worker>");
    CHECK(completions("show interface e") == "eth0 eth1");
    CHECK(completions("set port eth0 state ") == "down up");
    CHECK(completions("route add 10.0.0.0/8 via 1.1.1.1 ") == "<cr> <via> rate via");
    CHECK(completions("foo ") == "");
    CHECK(completions("name \"a") == "");
}

TEST_CASE("a completion helps", "[graph][command]")
{
    const sample_commands samples;
    const auto table = samples.table();
    const auto list = table.complete(no_engine(), "");
    REQUIRE(list.size() == 6);
    CHECK(list[0].help == "Take a MAC address");
    CHECK(list[5].help == "interface, ip, runtime");
    CHECK(table.complete(no_engine(), "mac ")[0].help == "a MAC address");
}

TEST_CASE("a malformed syntax is refused with its place", "[graph][command]")
{
    CHECK_THAT(refusal("show <x"), Catch::Contains("test_command.cc:") &&
                                       Catch::Contains("command `show <x': `<x' without `>'"));
    CHECK_THAT(refusal("show [max"), Catch::EndsWith("`[' without `]'"));
    CHECK_THAT(refusal("show max]"),
               Catch::EndsWith("`]' is not a word (letters, digits, - and _)"));
    CHECK_THAT(refusal("show [a [b]]"), Catch::EndsWith("a group within a group"));
    CHECK_THAT(refusal("show []"), Catch::EndsWith("an empty group `[]'"));
    CHECK_THAT(refusal("show <x>"), Catch::EndsWith("`<x>' is not of the form <name:type>"));
    CHECK_THAT(refusal("show <x:unheard>"), Catch::EndsWith("unknown type `unheard' of <x>"));
    CHECK_THAT(refusal("show <x:a||b>"), Catch::EndsWith("`a||b' is not a list of choices"));
    CHECK_THAT(refusal("show <x:rest> more"), Catch::EndsWith("<x:rest> is not the last"));
    CHECK_THAT(refusal("show <x:rest>..."), Catch::EndsWith("<x:rest> is not the last"));
    CHECK_THAT(refusal("show [max <x:rest>]"), Catch::EndsWith("<x:rest> is not the last"));
    CHECK_THAT(refusal("show <x:word> <x:word>"), Catch::EndsWith("two parameters <x>"));
    CHECK_THAT(refusal("show [a] [a]"), Catch::EndsWith("two groups `[a'"));
    CHECK_THAT(refusal("<x:word>"), Catch::EndsWith("it does not begin with a word"));
    CHECK_THAT(refusal("show", "two\nlines"), Catch::EndsWith("its help is not one line"));
    CHECK(refusal("show <x:a|b>... [c <d:number>] end") == "accepted");
}

TEST_CASE("two types of one name are refused with both places", "[graph][command]")
{
    const argument_type_registration one{{.name = "number", .help = "a number of mine"}};
    const auto text = refusal("show");
    CHECK_THAT(text, Catch::StartsWith("two types of parameters are called `number': "));
    CHECK_THAT(text, Catch::Contains("argument_types.cc:"));
    CHECK_THAT(text, Catch::EndsWith(fmt::format("test_command.cc:{}", one.where.line())));
}

TEST_CASE("a type is known as long as its registration lives", "[graph][command]")
{
    const auto even = [](std::string_view word) -> weft::result<void> {
        if (!word.empty() && (word.back() - '0') % 2 == 0)
            return {};
        return weft::fail(weft::errc::invalid_argument, "`{}' is odd, expected an even number",
                          word);
    };
    {
        const argument_type_registration type{
            {.name = "even", .help = "an even number", .check = even}};
        const command_registration one{"take <port:even> [max]", "Takes an even number", tell};
        const std::array list{&one};
        const auto table = command_table::of(list);
        REQUIRE(table);
        CHECK(table->run(no_engine(), "take 12 max", false).value() == "max port=12");
        CHECK(table->run(no_engine(), "take 13", false).error().message ==
              "port: `13' is odd, expected an even number");
        CHECK(table->complete(no_engine(), "take ")[0].word == "<port>");
        CHECK(table->complete(no_engine(), "take ")[0].help == "an even number");
    }
    CHECK_THAT(refusal("take <port:even>"), Catch::EndsWith("unknown type `even' of <port>"));
}

TEST_CASE("a type without a help of one line is refused", "[graph][command]")
{
    const argument_type_registration mute{{.name = "mute", .help = ""}};
    CHECK_THAT(refusal("show"), Catch::EndsWith("type `mute' of parameters: its help is not one "
                                                "line"));
}

TEST_CASE("two commands of one syntax are refused with both places", "[graph][command]")
{
    const command_registration first{"show <a:number>", "First", tell};
    const command_registration second{"show <b:number>", "Second", tell};
    const auto text = refusal({&first, &second});
    CHECK_THAT(text, Catch::StartsWith("two commands have the same syntax: `show <a:number>'"));
    CHECK_THAT(text, Catch::Contains(fmt::format("test_command.cc:{}", first.where.line())));
    CHECK_THAT(text, Catch::Contains(fmt::format("test_command.cc:{}", second.where.line())));
}

TEST_CASE("help lists commands, all or those that begin so", "[graph][command]")
{
    const auto table = command_table::registered();
    REQUIRE(table);
    const auto all = table->run(no_engine(), "help", false).value();
    CHECK_THAT(all, Catch::Contains("Ends the session"));
    const auto some = json::parse(table->run(no_engine(), "help show runt", true).value());
    REQUIRE(some.size() == 2);
    CHECK_THAT(some[1]["syntax"].get<std::string>(), Catch::StartsWith("show runtime cluster"));
    CHECK_THAT(some[0]["syntax"].get<std::string>(), Catch::StartsWith("show runtime"));
    CHECK_FALSE(some[0]["help"].get<std::string>().empty());
    CHECK(table->run(no_engine(), "help nothing", false).error().message ==
          "no command begins with `nothing'");
}

TEST_CASE("help fits 80 columns and shows parameters as they are typed", "[graph][command]")
{
    const auto table = command_table::registered();
    REQUIRE(table);
    const auto all = table->run(no_engine(), "help", false).value();
    std::istringstream lines{all};
    for (std::string line; std::getline(lines, line);) {
        CAPTURE(line);
        CHECK(line.size() <= 80);
        CHECK(line.find(":number>") == std::string::npos);
    }
    CHECK_THAT(all, Catch::Contains("\nhelp <command>\n    Lists the commands that begin"));
    CHECK_THAT(all, Catch::Contains("\nset interface state <interface> up|down\n"));
}

TEST_CASE("every registered command has a help of one line", "[graph][command]")
{
    for (const auto* one : command_table::registered().value().all()) {
        CAPTURE(one->syntax);
        CHECK(!one->help.empty());
        CHECK(one->help.size() <= 76);
    }
}
