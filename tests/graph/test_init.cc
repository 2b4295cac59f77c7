// SPDX-License-Identifier: Apache-2.0
// Init functions: their order, the faults in it, and what a failing one stops.
#include "graph/init.hh"
#include "tests/graph/graph_tester.hh"

#include <catch2/catch.hpp>

using namespace weft;

namespace {

result<void> nothing(engine&)
{
    return {};
}

// A copy registers nothing, so the daemon's own functions stay as they are.
init_registration function(std::string_view name, std::vector<std::string_view> after = {},
                           std::vector<std::string_view> before = {},
                           std::source_location where = std::source_location::current())
{
    init_registration made{*init_order(init_phase::start)->front()};
    made.name = name;
    made.function = nothing;
    made.after = std::move(after);
    made.before = std::move(before);
    made.where = where;
    return made;
}

// The names in order, or the error.
std::string order_of(const std::vector<init_registration>& functions)
{
    std::vector<const init_registration*> pointers;
    for (const auto& each : functions)
        pointers.push_back(&each);
    const auto order = init_order(pointers);
    if (!order)
        return order.error().message;
    std::string text;
    for (const auto* each : *order)
        text += (text.empty() ? "" : " ") + std::string{each->name};
    return text;
}

// What the registered functions below do; quiet unless a test asks.
struct script {
    std::string log;
    std::string failing;
    bool active = false;
} asked;

template <char name>
result<void> step(engine&)
{
    if (!asked.active)
        return {};
    asked.log += name;
    if (asked.failing.find(name) != std::string::npos)
        return fail(errc::io, "no luck in {}", name);
    return {};
}

const init_registration early_b{"test-b", init_phase::early, step<'b'>, {"test-a"}};
const init_registration early_a{"test-a", init_phase::early, step<'a'>};
const init_registration early_c{"test-c", init_phase::early, step<'c'>, {"test-b"}};
const init_registration exit_y{"test-y", init_phase::exit, step<'y'>, {"test-x"}};
const init_registration exit_x{"test-x", init_phase::exit, step<'x'>};
const init_registration exit_z{"test-z", init_phase::exit, step<'z'>, {"test-y"}};

// A phase's log and error.
std::pair<std::string, std::string> run_phase(init_phase phase, std::string failing)
{
    graph_tester tester{{source("source", {"sink"}), sink("sink")}};
    asked = {.log = "", .failing = std::move(failing), .active = true};
    const auto done = run_init(phase, tester.host);
    asked.active = false;
    return {asked.log, done ? "" : done.error().message};
}

} // namespace

TEST_CASE("init functions run by name where nothing else decides", "[graph][init]")
{
    CHECK(order_of({function("c"), function("a"), function("b")}) == "a b c");
    CHECK(order_of({}).empty());
}

TEST_CASE("after and before decide the order, also along a chain", "[graph][init]")
{
    CHECK(order_of({function("a", {"b"}), function("b")}) == "b a");
    CHECK(order_of({function("a"), function("b", {}, {"a"})}) == "b a");
    CHECK(order_of({function("a", {"b"}), function("b", {"c"}), function("c")}) == "c b a");
    CHECK(order_of({function("a", {"d"}), function("b"), function("c"),
                    function("d", {"b"}, {"c"})}) == "b d a c");
}

TEST_CASE("a cycle of init functions is printed", "[graph][init]")
{
    const auto error = order_of(
        {function("a", {"b"}), function("b", {"c"}), function("c", {"b"}), function("free")});
    CHECK(error.find("wait for each other") != std::string::npos);
    CHECK((error.ends_with("b after c after b") || error.ends_with("c after b after c")));
    CHECK(error.find("free") == std::string::npos);
}

TEST_CASE("an init function cannot wait for itself", "[graph][init]")
{
    CHECK(order_of({function("a", {"a"})}).ends_with("a after a"));
}

TEST_CASE("an order with a function that does not exist names both", "[graph][init]")
{
    for (const auto& error :
         {order_of({function("a", {"ghost"})}), order_of({function("a", {}, {"ghost"})})}) {
        CHECK(error.find("`a'") != std::string::npos);
        CHECK(error.find("`ghost' does not exist") != std::string::npos);
    }
}

TEST_CASE("two init functions of one name are told with both places", "[graph][init]")
{
    const auto first = function("twin");
    const auto second = function("twin");
    const auto error = order_of({first, second});
    CHECK(error.find("`twin'") != std::string::npos);
    for (const auto& each : {first, second})
        CHECK(error.find(fmt::format("test_init.cc:{}", each.where.line())) != std::string::npos);
}

TEST_CASE("a phase runs its own functions in order", "[graph][init]")
{
    CHECK(run_phase(init_phase::early, "").first == "abc");
    CHECK(run_phase(init_phase::exit, "").first == "zyx"); // what began first ends last
}

TEST_CASE("the first init function that fails stops its phase", "[graph][init]")
{
    const auto [log, error] = run_phase(init_phase::early, "b");
    CHECK(log == "ab");
    CHECK(error == "test-b: no luck in b");
}

TEST_CASE("at exit all functions run and the first failure is told", "[graph][init]")
{
    const auto [log, error] = run_phase(init_phase::exit, "xy");
    CHECK(log == "zyx");
    CHECK(error == "test-y: no luck in y");
}

TEST_CASE("the registered init functions of each phase can be ordered", "[graph][init]")
{
    for (const auto phase : {init_phase::early, init_phase::start, init_phase::exit})
        CHECK(init_order(phase).has_value());
}
