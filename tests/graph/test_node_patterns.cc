// SPDX-License-Identifier: Apache-2.0
// Patterns of nodes: what they take, which are refused, and the plans of workers that have some.
#include "graph/node_patterns.hh"
#include "tests/graph/graph_tester.hh"

#include <catch2/catch.hpp>

using namespace weft;
using Catch::Contains;

namespace {

std::vector<std::string> taken(std::vector<std::string> patterns)
{
    const node_patterns made{std::move(patterns)};
    std::vector<std::string> found;
    for (const char* name :
         {"dpdk-input-a-0", "dpdk-input-a-1", "dpdk-input-b-0", "drop", "ip4-input"})
        if (made.take(name))
            found.emplace_back(name);
    return found;
}

using list = std::vector<std::string>;

std::string refusal(std::string_view pattern)
{
    const auto done = node_patterns::check(pattern);
    return done ? "" : done.error().message;
}

// A port's template and a worker for each list of patterns.
struct pattern_graph {
    graph_tester tester;

    explicit pattern_graph(std::vector<node_patterns> workers)
        : tester{{port(), source("in", {"a"}), relay("a", {"b"}), sink("b")},
                 std::vector<unsigned>(workers.size(), 0),
                 workers}
    {}
    static node_descriptor port()
    {
        auto made = source("port", {"a"});
        made.is_template = true;
        return made;
    }
    [[nodiscard]] list nodes_of(unsigned thread)
    {
        list names;
        const auto data = tester.json(fmt::format("show plan worker {}", thread));
        for (const auto& n : data["plans"][0]["nodes"])
            names.push_back(n["name"]);
        return names;
    }
    [[nodiscard]] std::string fault()
    {
        const auto done = tester.engine.publish_plans();
        return done ? "" : done.error().message;
    }
};

} // namespace

TEST_CASE("no pattern takes every node, some take what one of them matches", "[graph][patterns]")
{
    CHECK(taken({}).size() == 5);
    CHECK(taken({"*"}).size() == 5);
    CHECK(taken({"dpdk-input-a-*", "ip4-*"}) ==
          list{"dpdk-input-a-0", "dpdk-input-a-1", "ip4-input"});
    CHECK(taken({"dpdk-input-?-0"}) == list{"dpdk-input-a-0", "dpdk-input-b-0"});
    CHECK(taken({"dpdk-input-[!a]-*"}) == list{"dpdk-input-b-0"});
    CHECK(taken({"dpdk-input-a"}).empty()); // the whole name
    CHECK(taken({"dpdk-input-a-*", "*"}).size() == 5);
}

TEST_CASE("a pattern with ! leaves out, wherever it stands", "[graph][patterns]")
{
    CHECK(taken({"!dpdk-*"}) == list{"drop", "ip4-input"});
    CHECK(taken({"*", "!dpdk-input-a-*"}) == list{"dpdk-input-b-0", "drop", "ip4-input"});
    CHECK(taken({"!dpdk-input-a-1", "dpdk-*"}) == list{"dpdk-input-a-0", "dpdk-input-b-0"});
}

TEST_CASE("what is no pattern is refused in words", "[graph][patterns]")
{
    for (const char* right :
         {"*", "ip4-*", "!a", "a[0-9]", "[!a]b", "[^a]", "dpdk-input-eth0.5-0", "a_b"})
        CHECK(refusal(right) == "");
    CHECK(refusal("") == "the pattern is empty");
    CHECK(refusal("!") == "the pattern is empty");
    CHECK(refusal("a[0-9") == "`a[0-9': a `[' is not closed");
    CHECK_THAT(refusal("a b"), Contains("`a b' is not a pattern of node names"));
    CHECK_THAT(refusal("a\\*"), Contains("is not a pattern"));
    CHECK_THAT(refusal(std::string(65, 'a')), Contains("at most 64 characters, this one has 65"));
}

TEST_CASE("each worker's plan has the nodes of its patterns", "[graph][patterns]")
{
    pattern_graph g{
        {node_patterns{{"*", "!port-1"}}, node_patterns{{"port-1", "a", "b"}}, node_patterns{}}};
    auto& registry = g.tester.engine.registry();
    REQUIRE(registry.clone("port", "port-1", nullptr, 2));
    g.tester.publish();
    CHECK(g.nodes_of(0) == list{"handoff-input", "in", "a", "b", "drop"});
    CHECK(g.nodes_of(1) == g.nodes_of(0));
    CHECK(g.nodes_of(2) ==
          list{"handoff-input", "port-1", "a", "b", "drop"}); // the last two ask nobody
    CHECK(g.nodes_of(3) == g.nodes_of(0));
    const auto text = g.tester.command("show plan");
    CHECK_THAT(text, Contains("Patterns") && Contains("port-1 a b") && Contains("* !port-1"));
    CHECK(g.tester.json("show plan")["plans"][1]["patterns"] == list{"*", "!port-1"});
}

TEST_CASE("an edge to a node that is left out is an error with worker, edge and patterns",
          "[graph][patterns]")
{
    pattern_graph g{{node_patterns{}, node_patterns{{"in", "a"}}}};
    CHECK(g.fault() ==
          "the graph of thread worker-2 is not valid:\n"
          "an edge leads from node `a' to `b', which the patterns `in', `a' leave out");
    CHECK(g.tester.engine.thread(1).published() == nullptr); // all or none
}

TEST_CASE("a node that is bound to a worker whose patterns leave it out is an error",
          "[graph][patterns]")
{
    pattern_graph g{{node_patterns{{"!port-*"}}}};
    REQUIRE(g.tester.engine.registry().clone("port", "port-1", nullptr, 1));
    CHECK(g.fault() == "the graph of thread worker-1 is not valid:\nnode `port-1' must run there, "
                       "but the patterns `!port-*' leave it out");
}

TEST_CASE("what nothing reaches for the patterns is an error too", "[graph][patterns]")
{
    pattern_graph g{{node_patterns{{"!in"}}}};
    CHECK_THAT(g.fault(), Contains("worker-1") && Contains("nothing reaches node `a'"));
}

TEST_CASE("a queue is polled where patterns take its node", "[graph][patterns]")
{
    pattern_graph g{{node_patterns{{"!port-1"}}, node_patterns{}, node_patterns{{"!port-*"}}}};
    const auto& engine = g.tester.engine;
    CHECK(*engine.polling_threads_for("port-0") == std::vector<unsigned>{1, 2});
    CHECK(*engine.polling_threads_for("port-1") == std::vector<unsigned>{2});
    pattern_graph none{{node_patterns{{"!port-*"}}, node_patterns{{"in", "a"}}}};
    const auto threads = none.tester.engine.polling_threads_for("port-0");
    REQUIRE_FALSE(threads);
    CHECK(threads.error().message == "no worker's patterns include node `port-0'; worker-1: "
                                     "`!port-*'; worker-2: `in', `a' (cpu.workers[].nodes)");
}
