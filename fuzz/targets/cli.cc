// SPDX-License-Identifier: Apache-2.0
// Command lines on a router: each is completed after every word, and run in both views. An answer
// in JSON parses.
//
// Input: lines.
#include "fuzz/commands.hh"
#include "fuzz/input.hh"
#include "tests/nodes/node_tester.hh"

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

using namespace weft;
using namespace weft::fuzz;

namespace {

constexpr size_t max_lines = 8;
constexpr size_t max_words = 12;
constexpr unsigned lines_of_one_router = 20'000; // commands leave routes and neighbours behind

engine& router_engine()
{
    static std::unique_ptr<test::node_tester> router;
    static unsigned used = 0;
    if (router == nullptr || used++ == lines_of_one_router) {
        router.reset();
        router = std::make_unique<test::node_tester>();
        used = 0;
    }
    router->run();
    return router->engine;
}

void check_line(engine& on, std::string_view line)
{
    const auto& commands = safe_commands();
    size_t words = 0;
    for (size_t end = 0; end <= line.size() && words < max_words; ++end)
        if (end == line.size() || line[end] == ' ') {
            ++words;
            for (const auto& one : commands.complete(on, line.substr(0, end)))
                REQUIRE(!one.word.empty());
        }
    const auto text = commands.run(on, line, false);
    REQUIRE((text || !text.error().message.empty()));
    const auto json = commands.run(on, line, true);
    if (json && !json->empty())
        REQUIRE(nlohmann::ordered_json::accept(*json));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    auto text = text_of({data, size});
    for (size_t lines = 0; !text.empty() && lines < max_lines; ++lines) {
        const size_t end = std::min(text.find('\n'), text.size());
        check_line(router_engine(), text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return 0;
}
