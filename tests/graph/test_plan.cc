// SPDX-License-Identifier: Apache-2.0
// Plans: each rule of a valid graph, topological ranks, and what a change at run time keeps.
#include "graph/plan.hh"
#include "tests/graph/graph_tester.hh"

#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <set>

using namespace weft;
using Catch::Contains;

namespace {

// The names in rank order, or the faults.
std::vector<std::string> ranked(const node_registry& registry, unsigned thread = 0)
{
    const auto order = plan::order(registry, thread);
    if (!order)
        return {"error", order.error().message};
    std::vector<std::string> found;
    for (const node_id id : *order)
        found.push_back(registry.at(id).name);
    return found;
}

// At what place a name stands.
auto rank_in(const std::vector<std::string>& order)
{
    return [&order](const char* name) {
        return std::find(order.begin(), order.end(), name) - order.begin();
    };
}

std::string faults(std::vector<node_descriptor> nodes)
{
    const node_set set{std::move(nodes)};
    const auto order = plan::order(*set.registry(), 0);
    return order ? "" : order.error().message;
}

node_descriptor with(node_descriptor node, bool node_descriptor::*flag)
{
    node.*flag = true;
    return node;
}

} // namespace

TEST_CASE("a graph without a source is refused", "[graph][plan]")
{
    CHECK_THAT(faults({with(sink("a"), &node_descriptor::joined_later)}),
               Contains("the graph has no source"));
    CHECK(faults({source("in", {"a"}), sink("a")}) == "");
}

TEST_CASE("an edge into an input node is refused with both names", "[graph][plan]")
{
    CHECK(faults({source("in", {"a"}), relay("a", {"in"})}) ==
          "an edge leads from node `a' into the input node `in'");
    auto pre = source("pre", {"a"});
    pre.type = node_type::pre_input;
    CHECK(faults({pre, relay("a", {"pre"})}) ==
          "an edge leads from node `a' into the pre-input node `pre'");
}

TEST_CASE("an edge from a node to itself must be meant", "[graph][plan]")
{
    CHECK_THAT(faults({source("in", {"a"}), relay("a", {"a"})}),
               Contains("node `a' has an edge to itself"));
    CHECK(faults({source("in", {"a"}), with(relay("a", {"a"}), &node_descriptor::self_edge)}) ==
          "");
}

TEST_CASE("a node that nothing reaches is refused", "[graph][plan]")
{
    const auto error =
        faults({source("in", {"a"}), sink("a"), relay("lost", {"behind"}), sink("behind")});
    CHECK_THAT(error, Contains("nothing reaches node `lost'"));
    CHECK_THAT(error, Contains("nothing reaches node `behind'"));
    CHECK_THAT(error, !Contains("`a'"));
    // a ring reaches itself, but nothing comes into it
    CHECK_THAT(faults({source("in", {"a"}), sink("a"), relay("x", {"y"}), relay("y", {"x"})}),
               Contains("`x'") && Contains("`y'"));
}

TEST_CASE("a node that is joined later may stand alone, with all behind it", "[graph][plan]")
{
    CHECK(faults({source("in", {"a"}), sink("a"),
                  with(relay("later", {"behind"}), &node_descriptor::joined_later),
                  sink("behind")}) == "");
}

TEST_CASE("a template is no target and needs no reach of its own", "[graph][plan]")
{
    const auto pattern = with(sink("tx"), &node_descriptor::is_template);
    CHECK(faults({source("in", {"a"}), sink("a"), pattern}) == "");
    CHECK(faults({source("in", {"tx"}), pattern}) ==
          "an edge leads from node `in' to `tx', which runs only as clones");
}

TEST_CASE("a node without a function is refused", "[graph][plan]")
{
    CHECK(faults({source("in", {"a"}), relay("a", {}, nullptr)}) == "node `a' has no function");
    CHECK(faults({source("in", {"a"}, nullptr), sink("a")}) ==
          "input node `in' has no poll function");
}

TEST_CASE("all faults of a graph are told at once", "[graph][plan]")
{
    const auto error =
        faults({source("in", {"a"}, nullptr), relay("a", {"a", "in"}), sink("lost")});
    CHECK(std::count(error.begin(), error.end(), '\n') == 3);
}

TEST_CASE("a clone is bound to its thread, the others run everywhere", "[graph][plan]")
{
    const node_set set{{with(source("port", {"a"}), &node_descriptor::is_template),
                        source("in", {"a"}), sink("a")}};
    auto registry = *set.registry();
    REQUIRE(registry.clone("port", "port-1", nullptr, 1));
    CHECK(ranked(registry, 0) == lines{"in", "a"});
    CHECK(ranked(registry, 1) == lines{"in", "port-1", "a"});
}

TEST_CASE("ranks follow the longest way, drop comes last", "[graph][plan]")
{
    const node_set set{{source("in", {"d", "b", "c"}), relay("b", {"c"}), relay("c", {"d"}),
                        relay("d", {"e"}), sink("e"), sink("drop")}};
    CHECK(ranked(*set.registry()) == lines{"in", "b", "c", "d", "e", "drop"});
}

TEST_CASE("an edge backwards does not disturb the way forwards", "[graph][plan]")
{
    const node_set set{{source("in", {"input"}), relay("input", {"lookup"}),
                        relay("lookup", {"rewrite", "error"}), relay("rewrite", {"error", "tx"}),
                        relay("error", {"lookup"}), sink("tx")}};
    const auto order = ranked(*set.registry());
    const auto rank = rank_in(order);
    CHECK(order.size() == 6);
    CHECK(rank("lookup") < rank("rewrite"));
    CHECK(rank("rewrite") < rank("error"));
    CHECK(rank("rewrite") < rank("tx"));
}

TEST_CASE("what other ways bring back joins the packets of the first slot's way", "[graph][plan]")
{
    const node_set set{{source("in", {"lookup"}), relay("lookup", {"rewrite", "local"}),
                        relay("local", {"echo"}), relay("echo", {"lookup"}),
                        relay("rewrite", {"tx"}), sink("tx")}};
    CHECK(ranked(*set.registry()) == lines{"in", "lookup", "local", "echo", "rewrite", "tx"});
}

TEST_CASE("ways that bring nothing back come after the first slot's way", "[graph][plan]")
{
    const node_set set{{source("in", {"input"}), relay("input", {"lookup", "arp"}),
                        relay("arp", {"tx"}), relay("lookup", {"rewrite", "local"}),
                        relay("local", {"echo"}), relay("echo", {"lookup"}),
                        relay("rewrite", {"tx"}), sink("tx")}};
    CHECK(ranked(*set.registry()) ==
          lines{"in", "input", "lookup", "local", "echo", "rewrite", "arp", "tx"});
}

TEST_CASE("a node that packets come back from stands behind all that send to it", "[graph][plan]")
{
    const node_set set{{source("in", {"input"}), relay("input", {"lookup", "error"}),
                        relay("lookup", {"tx", "local", "error"}),
                        relay("local", {"echo", "error"}), relay("echo", {"lookup"}),
                        relay("error", {"lookup"}), sink("tx"), sink("drop")}};
    const auto order = ranked(*set.registry());
    const auto rank = rank_in(order);
    CHECK(order.size() == 8);
    CHECK(rank("lookup") < rank("local"));
    CHECK(rank("local") < rank("echo"));
    CHECK(rank("local") < rank("error")); // where all errors of a vector meet
    CHECK(rank("drop") == 7);
}

namespace {

// A random graph without circles, whose names and so whose numbers are shuffled. Each node but the
// source is reached. Names live as long as the tests.
std::vector<node_descriptor> random_graph(unsigned seed, size_t size)
{
    static std::set<std::string> kept;
    std::mt19937 random{seed};
    std::vector<std::string_view> label(size);
    std::vector<size_t> shuffled(size);
    std::iota(shuffled.begin(), shuffled.end(), 0);
    std::shuffle(shuffled.begin(), shuffled.end(), random);
    for (size_t i = 0; i < size; ++i)
        label[i] = *kept.insert(fmt::format("n{:02}", shuffled[i])).first;
    std::vector<names> nexts(size);
    for (size_t to = 1; to < size; ++to) {
        nexts[random() % to].push_back(label[to]);
        for (size_t from = 1; from < to; ++from)
            if (random() % 8 == 0)
                nexts[from].push_back(label[to]);
    }
    std::vector<node_descriptor> made{source(label[0], nexts[0])};
    for (size_t i = 1; i < size; ++i)
        made.push_back(nexts[i].empty() ? sink(label[i]) : relay(label[i], nexts[i], deal_out));
    return made;
}

} // namespace

TEST_CASE("in random graphs each edge leads to a higher rank", "[graph][plan]")
{
    for (unsigned seed = 0; seed < 100; ++seed) {
        const node_set set{random_graph(seed, 40)};
        const auto registry = *set.registry();
        const auto order = plan::order(registry, 0);
        REQUIRE(order);
        REQUIRE(order->size() == 40);
        std::map<node_id, size_t> rank;
        for (size_t i = 0; i < order->size(); ++i)
            rank[(*order)[i]] = i;
        for (const auto& entry : registry.all())
            for (const node_id next : entry.nexts)
                REQUIRE(rank.at(entry.id) < rank.at(next));
    }
}

TEST_CASE("in random graphs a node runs once for all that feed it", "[graph][plan]")
{
    for (unsigned seed = 0; seed < 30; ++seed) {
        const auto nodes = random_graph(seed, 40);
        graph_tester t{nodes};
        t.publish_and_adopt();
        t.at(nodes.front().name).wanted = 200;
        t.engine.run_main_once();
        uint64_t ended = 0;
        for (const auto& node : nodes) {
            REQUIRE(t.log().counts(node.name).size() <= 1);
            ended += node.nexts.empty() ? t.at(node.name).packets.get() : 0;
        }
        REQUIRE(ended == 200);
    }
}

// --- plans that change while packets flow ---

namespace {

struct changing {
    graph_tester tester{
        {source("in", {"old"}), sink("old"), with(sink("new"), &node_descriptor::joined_later)}};

    // Joins the nodes and makes that known; the source sends there from then on.
    void join()
    {
        const auto slot = tester.engine.registry().add_next(tester.id("in"), tester.id("new"));
        tester.publish();
        tester.engine.run_main_once();
        tester.at("in").slot = *slot;
    }
};

} // namespace

TEST_CASE("a changed plan keeps contexts and counts", "[graph][plan]")
{
    changing c;
    c.tester.send("in", 10);
    const auto* context = &c.tester.at("in");
    const auto calls = c.tester.store("in").counters.calls.get();
    c.join();
    c.tester.send("in", 5);
    CHECK(&c.tester.at("in") == context);
    CHECK(c.tester.at("in").made == 15);
    CHECK(c.tester.store("in").counters.calls.get() > calls);
    CHECK(c.tester.store("in").counters.vectors.get() == 15);
    CHECK(c.tester.at("old").packets.get() == 10);
    CHECK(c.tester.at("new").packets.get() == 5);
}

TEST_CASE("counts per edge are kept however many edges come", "[graph][plan]")
{
    changing c;
    c.tester.send("in", 10);
    c.join();
    c.tester.send("in", 5);
    for (unsigned n = 0; n < 40; ++n) {
        const auto id = c.tester.engine.registry().clone("new", fmt::format("new-{}", n), nullptr);
        REQUIRE(c.tester.engine.registry().add_next(c.tester.id("in"), *id));
        c.tester.publish();
        c.tester.send("in", 1);
    }
    CHECK(c.tester.store("in").sent(0) == 10);
    CHECK(c.tester.store("in").sent(1) == 45);
    CHECK(c.tester.store("in").sent(41) == 0);
    CHECK(c.tester.store("in").sent(1000) == 0);
}

TEST_CASE("an old plan is freed once its thread has left it", "[graph][plan]")
{
    changing c;
    graph_thread& main = c.tester.engine.main();
    c.tester.send("in", 10);
    CHECK(main.reclaim_plans() == 0);
    CHECK(main.plan_changes() == 1);
    c.tester.publish();
    CHECK(main.reclaim_plans() == 1); // still in use
    c.tester.engine.run_main_once();
    CHECK(main.reclaim_plans() == 0);
    CHECK(main.plan_changes() == 2);
}

TEST_CASE("a plan that was superseded before it ran is freed too", "[graph][plan]")
{
    changing c;
    graph_thread& main = c.tester.engine.main();
    c.tester.send("in", 10);
    for (int n = 0; n < 5; ++n)
        c.tester.publish();
    CHECK(main.reclaim_plans() == 5); // the one in use and four that never ran
    c.tester.send("in", 10);
    CHECK(main.reclaim_plans() == 0);
    CHECK(main.plan_changes() == 2);
    CHECK(c.tester.at("old").packets.get() == 20);
}

TEST_CASE("a graph that is not valid changes nothing", "[graph][plan]")
{
    changing c;
    c.tester.send("in", 10);
    auto& registry = c.tester.engine.registry();
    REQUIRE(registry.add_next(c.tester.id("old"), c.tester.id("old")));
    const auto refused = c.tester.engine.publish_plans();
    REQUIRE_FALSE(refused);
    CHECK_THAT(refused.error().message, Contains("thread main") && Contains("`old'"));
    c.tester.send("in", 10);
    CHECK(c.tester.at("old").packets.get() == 20);
    CHECK(c.tester.engine.main().plan_changes() == 1);
}

TEST_CASE("packets may be injected only where the plan reaches", "[graph][plan]")
{
    changing c;
    c.tester.publish_and_adopt();
    REQUIRE(c.tester.engine.registry().clone("new", "unpublished", nullptr));
    packet* p = numbered_packet(c.tester.engine, 7);
    CHECK_FALSE(c.tester.engine.main().inject_new(c.tester.id("unpublished"), p));
    CHECK(c.tester.engine.packets_in_flight() == 0);
    CHECK(c.tester.engine.main().inject_new(c.tester.id("new"), p));
    CHECK(c.tester.engine.packets_in_flight() == 1);
    c.tester.engine.run_main_once();
    CHECK(c.tester.at("new").numbers == std::vector<uint32_t>{7});
}
