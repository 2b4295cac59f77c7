// SPDX-License-Identifier: Apache-2.0
// Init functions: their order, the faults in it, and what a failing one stops.
#include "graph/init.hh"
#include "tests/graph/graph_tester.hh"

#include <catch2/catch.hpp>
#include <map>
#include <mutex>
#include <pthread.h>

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
    init_registration made{*init_order(init_phase::start)->front().what};
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
    for (const auto& step : *order)
        text += (text.empty() ? "" : " ") + std::string{step.what->name};
    return text;
}

// What placed each: `b<a` waited for a by its own wish, `b<<a` because a asked for it.
std::string reasons_of(const std::vector<init_registration>& functions)
{
    std::vector<const init_registration*> pointers;
    for (const auto& each : functions)
        pointers.push_back(&each);
    const auto order = init_order(pointers);
    std::string text;
    for (const auto& step : *order) {
        text += (text.empty() ? "" : " ") + std::string{step.what->name};
        if (step.waited_for != nullptr)
            text += (step.asked_by_other ? "<<" : "<") + std::string{step.waited_for->name};
    }
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

// What each worker's thread did, and in what order.
struct worker_script {
    std::mutex mutex; // workers begin at once
    std::map<unsigned, std::string> log;
    std::map<unsigned, pthread_t> threads;
    bool active = false;
    unsigned failing = 0;
} asked_of_workers;

template <char name>
result<void> worker_step(graph_thread& self)
{
    const std::lock_guard lock{asked_of_workers.mutex};
    if (!asked_of_workers.active)
        return {};
    CHECK(self.loops() == 0);
    asked_of_workers.log[self.index()] += name;
    asked_of_workers.threads[self.index()] = pthread_self();
    if (asked_of_workers.failing == self.index())
        return fail(errc::io, "no luck in {}", name);
    return {};
}

const init_registration worker_b{"test-b", worker_step<'b'>, {"test-a"}};
const init_registration worker_c{"test-c", worker_step<'c'>, {}, {"test-a"}};
const init_registration worker_a{"test-a", worker_step<'a'>};

// A phase's log and error.
std::pair<std::string, std::string> run_phase(init_phase phase, std::string failing)
{
    graph_tester tester{{source("source", {"sink"}), sink("sink")}};
    asked = {.log = "", .failing = std::move(failing), .active = true};
    const auto done = run_init(phase, tester.engine);
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
    const std::string place = " \\(.*test_init.cc:[0-9]+\\)";
    const auto cycle = [&](std::string one, std::string other) {
        return Catch::Matches(
            fmt::format("init functions depend on each other: {0}{2} after {1}{2} "
                        "after {0}{2}",
                        one, other, place));
    };
    CHECK_THAT(error, cycle("b", "c") || cycle("c", "b"));
    CHECK(error.find("free") == std::string::npos);
}

TEST_CASE("an init function cannot wait for itself", "[graph][init]")
{
    CHECK_THAT(order_of({function("a", {"a"})}), Catch::Matches(".*: a \\(.*\\) after a \\(.*\\)"));
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
    CHECK(check_init_order().has_value());
}

TEST_CASE("a phase that cannot be ordered is a start-up error that names it", "[graph][init]")
{
    const init_registration lost{"test-lost", init_phase::exit, nothing, {"ghost"}};
    const auto checked = check_init_order();
    REQUIRE_FALSE(checked.has_value());
    CHECK(checked.error().message.starts_with("phase exit: "));
    CHECK(checked.error().message.find("`ghost' does not exist") != std::string::npos);
}

TEST_CASE("an init function that is taken back runs no more", "[graph][init]")
{
    {
        const init_registration brief{"test-brief", init_phase::early, step<'!'>};
        CHECK(run_phase(init_phase::early, "").first == "ab!c");
    }
    CHECK(run_phase(init_phase::early, "").first == "abc");
}

TEST_CASE("what placed an init function is known", "[graph][init]")
{
    CHECK(reasons_of({function("a"), function("b")}) == "a b");
    CHECK(reasons_of({function("a", {"b"}), function("b")}) == "b a<b");
    CHECK(reasons_of({function("a"), function("b", {}, {"a"})}) == "b a<<b");
    // the last of those that it waited for
    CHECK(reasons_of({function("a", {"b", "c"}), function("b"), function("c")}) == "b c a<c");
}

TEST_CASE("each worker does its init functions on its own thread before it loops",
          "[graph][init][thread]")
{
    asked_of_workers.active = true;
    {
        graph_tester tester{{source("source", {"sink"}), sink("sink")}, {0, 0}};
        tester.start();
    }
    asked_of_workers.active = false;
    CHECK(asked_of_workers.log == std::map<unsigned, std::string>{{1, "cab"}, {2, "cab"}});
    CHECK(pthread_equal(asked_of_workers.threads[1], asked_of_workers.threads[2]) == 0);
    CHECK(pthread_equal(asked_of_workers.threads[1], pthread_self()) == 0);
    asked_of_workers.log.clear();
}

TEST_CASE("a worker that cannot begin is a start-up error", "[graph][init][thread]")
{
    graph_tester tester{{source("source", {"sink"}), sink("sink")}, {0, 0}};
    tester.publish();
    asked_of_workers.active = true;
    asked_of_workers.failing = 2;
    const auto started = tester.engine.start();
    asked_of_workers.active = false;
    asked_of_workers.failing = 0;
    REQUIRE_FALSE(started.has_value());
    CHECK(started.error().message == "worker-2: test-c: no luck in c");
    CHECK(asked_of_workers.log == std::map<unsigned, std::string>{{1, "cab"}, {2, "c"}});
    asked_of_workers.log.clear();
}

TEST_CASE("show init-function gives the order and the reasons", "[graph][init]")
{
    graph_tester tester{{source("source", {"sink"}), sink("sink")}};
    const auto text = tester.command("show init-function");
    CHECK(text.find("worker-start:\n  [0]: crash-report\n  [1]: test-c\n  [2]: test-a\n  [3]: "
                    "test-b\n  [4]: thread-core\n") != std::string::npos);
    const auto verbose = tester.command("show init-function verbose");
    CHECK(verbose.find("), after `test-c' [1], which must come before it\n") != std::string::npos);
    CHECK(verbose.find("), after `test-a' [2], as it requires\n       after 'test-a' [2]") !=
          std::string::npos);
    const auto data = tester.json("show init-function");
    REQUIRE(data["phases"].size() == 5);
    const auto& last = data["phases"][4];
    CHECK(last["phase"] == "exit");
    const auto of = [&](std::string_view name) {
        return *std::find_if(last["functions"].begin(), last["functions"].end(),
                             [&](const auto& f) { return f["name"] == name; });
    };
    CHECK(of("test-z")["index"] < of("test-y")["index"]); // what began first ends last
    CHECK(of("test-z")["reason"].get<std::string>().starts_with("before `test-y' ["));
}
