// SPDX-License-Identifier: Apache-2.0
// The graph changes while packets flow: nodes, clones, edges and processes come and go, nothing is
// lost, and what was taken out is forgotten once no thread can look at it.
#include "graph/plan.hh"
#include "tests/graph/graph_tester.hh"

#include <catch2/catch.hpp>

using namespace weft;
using Catch::Contains;

namespace {

// Contexts of clones of `x` that exist.
struct counted : probe {
    explicit counted(const node_setup& setup) : probe{setup} { ++alive; }
    ~counted() { --alive; }
    counted(const counted&) = delete;
    static inline int alive = 0;
};

node_descriptor joined_later(node_descriptor what)
{
    what.joined_later = true;
    return what;
}

struct changing {
    graph_tester t;
    weft::engine& engine = t.engine;

    explicit changing(std::vector<unsigned> workers = {})
        : t{{source("in", {"old"}), sink("old"), counted_node()}, std::move(workers)}
    {}
    static node_descriptor counted_node()
    {
        auto what = joined_later(relay("x", {"old"}, pass_on, {{0, "cold", "too cold"}}));
        what.context = context_of<counted>();
        return what;
    }
    [[nodiscard]] result<void> clone(const std::string& name)
    {
        return engine.change_graph([&](node_registry& nodes) -> result<void> {
            const auto made = nodes.clone("x", name, nullptr);
            if (!made)
                return pass(made);
            nodes.at(*made).joined_later = true;
            return {};
        });
    }
    [[nodiscard]] result<void> remove(const std::string& name)
    {
        return engine.change_graph(
            [&](node_registry& nodes) { return nodes.remove(nodes.find(name)->id); });
    }
    // Makes `in` send by way of the clone, or not any more.
    [[nodiscard]] result<void> lead(std::string_view to)
    {
        return engine.change_graph([&](node_registry& nodes) {
            return nodes.update_next(nodes.find("in")->id, 0, nodes.find(to)->id);
        });
    }
};

// A descriptor on the heap, with its name.
std::shared_ptr<const node_descriptor> on_heap(const std::string& name, node_descriptor what)
{
    struct owned {
        std::string name;
        node_descriptor what;
    };
    auto made = std::make_shared<owned>(owned{name, std::move(what)});
    made->what.name = made->name;
    return {made, &made->what};
}

} // namespace

TEST_CASE("a change that fails changes nothing", "[graph][change_graph]")
{
    changing c;
    c.t.send("in", 10);
    const auto edit_failed = c.engine.change_graph([&](node_registry& nodes) -> result<void> {
        REQUIRE(nodes.clone("x", "x-1", nullptr));
        return fail(errc::io, "no");
    });
    CHECK(edit_failed.error().message == "no");
    CHECK(c.engine.registry().find("x-1") == nullptr);
    const int contexts = counted::alive;
    const auto not_valid = c.engine.change_graph([&](node_registry& nodes) -> result<void> {
        REQUIRE(nodes.clone("x", "x-1", nullptr));
        REQUIRE(nodes.clone("old", "old-1", nullptr)); // nothing reaches it
        return {};
    });
    CHECK_THAT(not_valid.error().message, Contains("nothing reaches node `old-1'"));
    CHECK(c.engine.registry().find("x-1") == nullptr);
    CHECK(counted::alive == contexts);
    c.t.send("in", 10);
    CHECK(c.t.at("old").packets.get() == 20);
    CHECK(c.engine.main().plan_changes() == 1);
}

TEST_CASE("a graph that only the second thread refuses leaves no context on the first",
          "[graph][change_graph]")
{
    changing c{{0}};
    c.t.publish();
    const int contexts = counted::alive;
    auto bound = joined_later(relay("bound", {"x"}, nullptr)); // without a function
    const auto refused = c.engine.change_graph([&](node_registry& nodes) -> result<void> {
        const auto made = nodes.clone("x", "x-1", nullptr);
        nodes.at(*made).joined_later = true;
        const auto added = nodes.add(static_descriptor(bound));
        nodes.at(*added).thread = 1;
        return {};
    });
    CHECK_THAT(refused.error().message, Contains("thread worker-1") && Contains("`bound'"));
    CHECK(counted::alive == contexts);
    REQUIRE(c.clone("x-2")); // by the same number
    CHECK(c.t.at("x-2").name == "x-2");
}

TEST_CASE("a node that is added carries packets, and others keep their counts",
          "[graph][change_graph]")
{
    changing c;
    c.t.send("in", 10);
    const auto* context = &c.t.at("in");
    std::weak_ptr<const node_descriptor> kept;
    REQUIRE(c.engine.change_graph([&](node_registry& nodes) -> result<void> {
        auto what = on_heap("late", relay("", {"old"}));
        kept = what;
        const auto made = nodes.add(std::move(what));
        REQUIRE(made);
        return nodes.update_next(nodes.find("in")->id, 0, *made);
    }));
    c.t.send("in", 7);
    CHECK(c.t.at("late").packets.get() == 7);
    CHECK(c.t.at("old").packets.get() == 17);
    CHECK(&c.t.at("in") == context);
    CHECK(c.t.store("in").counters.vectors.get() == 17);
    REQUIRE(c.lead("old"));
    REQUIRE(c.remove("late"));
    CHECK_FALSE(kept.expired()); // the plan that runs has it
    c.engine.run_main_once();
    CHECK(c.engine.reclaim_graph() == 0);
    CHECK(kept.expired());
}

TEST_CASE("input nodes may be added too", "[graph][change_graph]")
{
    changing c;
    c.t.publish_and_adopt();
    auto first = source("first", {"old"});
    first.type = node_type::pre_input;
    auto second = source("second", {"old"});
    REQUIRE(c.engine.change_graph([&](node_registry& nodes) -> result<void> {
        REQUIRE(nodes.add(static_descriptor(first)));
        REQUIRE(nodes.add(static_descriptor(second)));
        return {};
    }));
    c.engine.run_main_once();
    c.t.log().calls.clear();
    c.t.at("first").wanted = 3;
    c.t.at("second").wanted = 4;
    c.engine.run_main_once();
    CHECK(c.t.log().names() == std::vector<std::string>{"first", "in", "second", "old"});
    CHECK(c.t.at("old").packets.get() == 7);
}

TEST_CASE("a packet that was injected before a change goes its way", "[graph][change_graph]")
{
    changing c;
    c.t.publish_and_adopt();
    REQUIRE(c.engine.main().inject_new(c.t.id("x"), numbered_packet(c.engine, 7)));
    REQUIRE(c.lead("x"));
    c.engine.run_main_once();
    CHECK(c.t.at("old").numbers == std::vector<uint32_t>{7});
    CHECK(c.engine.packets_in_flight() == 0);
}

TEST_CASE("frames come back however often the plan changes", "[graph][change_graph]")
{
    changing c;
    c.t.send("in", 1);
    for (int n = 0; n < 5000; ++n) { // more than there are frames
        c.t.publish();
        c.t.send("in", 1);
        c.engine.reclaim_graph();
    }
    CHECK(c.t.at("old").packets.get() == 5001);
}

TEST_CASE("a process may be started at run time and runs at once", "[graph][change_graph]")
{
    changing c;
    c.t.publish_and_adopt();
    std::vector<std::string> ran;
    REQUIRE(c.engine.loop().start("first", [&](process& self) {
        ran.push_back(self.name());
        REQUIRE(self.engine().loop().start("second", [&](process& s) { ran.push_back(s.name()); }));
    }));
    c.engine.run_main_once();
    c.engine.run_main_once();
    CHECK(ran == std::vector<std::string>{"first", "second"});
}

TEST_CASE("a removed node is forgotten when its threads have left it", "[graph][change_graph]")
{
    changing c;
    c.t.send("in", 1);
    REQUIRE(c.clone("x-1"));
    c.engine.run_main_once();
    const auto id = c.t.id("x-1");
    const int contexts = counted::alive;
    REQUIRE(c.remove("x-1"));
    CHECK(c.engine.reclaim_graph() > 0);
    CHECK(counted::alive == contexts);
    CHECK(c.engine.registry().at(id).name == "x-1");
    c.engine.run_main_once();
    CHECK(c.engine.reclaim_graph() == 0);
    CHECK(counted::alive == contexts - 1);
    REQUIRE(c.clone("x-2"));
    CHECK(c.t.id("x-2") == id);
}

TEST_CASE("a node that gets a number again counts from zero", "[graph][change_graph]")
{
    changing c;
    c.t.send("in", 1);
    const auto go = [&](const std::string& name, uint32_t packets) {
        REQUIRE(c.clone(name));
        REQUIRE(c.lead(name));
        c.t.send("in", packets);
    };
    go("x-1", 50);
    CHECK(c.t.command("clear runtime") == "");
    CHECK(c.t.command("clear errors") == "");
    const auto id = c.t.id("x-1");
    REQUIRE(c.lead("old"));
    REQUIRE(c.remove("x-1"));
    c.engine.run_main_once();
    go("x-2", 3);
    REQUIRE(c.t.id("x-2") == id);
    uint64_t vectors = 0;
    for (const auto& n : c.engine.module<statistics>().of_thread(0).nodes)
        vectors += n.id == id ? n.vectors : 0;
    CHECK(vectors == 3);
    CHECK(c.t.json("show node x-2")["nodes"][0]["nexts"][0]["vectors"] == 3);
}

TEST_CASE("a trace keeps the names of removed nodes until it is cleared", "[graph][change_graph]")
{
    changing c;
    c.t.send("in", 1);
    REQUIRE(c.clone("x-1"));
    REQUIRE(c.lead("x-1"));
    c.engine.run_main_once();
    CHECK(c.t.command("trace add in 1") == "");
    c.t.send("in", 1);
    const auto id = c.t.id("x-1");
    REQUIRE(c.lead("old"));
    REQUIRE(c.remove("x-1"));
    c.engine.run_main_once();
    REQUIRE(c.clone("x-2"));
    CHECK(c.t.id("x-2") != id);
    CHECK_THAT(c.t.command("show trace"), Contains("x-1") && !Contains("x-2"));
    CHECK(c.t.command("clear trace") == "");
    REQUIRE(c.clone("x-3"));
    CHECK(c.t.id("x-3") == id);
}

TEST_CASE("a packet on its way to a removed node keeps its number", "[graph][change_graph]")
{
    const auto to_main = [](node_run& run, frame& in) noexcept {
        graph_thread& main = run.context<probe>().engine.main();
        run.each(in, [&](packet& p) { return run.hand_over(p, main) ? consumed : drop(0); });
    };
    graph_tester t{{source("in", {"end"}), sink("end"),
                    joined_later(relay("cross", {}, to_main, {{0, "behind", "it is behind"}}))},
                   {0}}; // the worker is never started: this thread runs it
    t.publish_and_adopt();
    graph_thread& worker = t.engine.thread(1);
    const auto again = [&](const char* name) {
        REQUIRE(t.command(fmt::format("node clone cross {}", name)) == "");
        t.engine.run_main_once();
        worker.run_once();
        return t.id(name);
    };
    const node_id id = again("one");
    REQUIRE(worker.inject_new(id, numbered_packet(t.engine, 1)));
    worker.run_once();
    CHECK(t.command("node delete one") == "");
    t.engine.main().adopt_plan();
    worker.adopt_plan();
    CHECK(t.engine.reclaim_graph() == 1); // though no plan has it
    CHECK(again("two") != id);            // the packet was taken meanwhile
    CHECK(t.engine.packets_in_flight() == 0);
    CHECK(again("three") == id);
}

TEST_CASE("thousands of changes while a worker is busy lose nothing and leave nothing behind",
          "[graph][change_graph][thread]")
{
    changing c{{0}};
    c.t.start();
    c.t.at("in", 1).burst = 8;
    c.t.at("in", 1).wanted = 1'000'000'000;
    const int contexts = counted::alive;
    constexpr int rounds = 400; // of five changes each
    for (int i = 0; i < rounds; ++i) {
        const std::string name = fmt::format("x-{}", i);
        REQUIRE(c.clone(name));
        REQUIRE(c.lead(name));
        const uint64_t change = c.engine.thread(1).published_version();
        if (i % 8 == 0) // let some run, others be superseded before
            REQUIRE(c.t.run_until([&] { return c.engine.thread(1).has_adopted(change); }));
        REQUIRE(c.engine.change_graph([&](node_registry& nodes) -> result<void> {
            const auto slot = nodes.add_next(c.t.id("in"), c.t.id("x"), 3);
            return slot ? nodes.shrink(c.t.id("in"), 1) : pass(slot);
        }));
        REQUIRE(c.lead("old"));
        REQUIRE(c.remove(name));
        if (i % 16 == 0)
            c.engine.run_main_once();
    }
    c.t.at("in", 1).wanted = 0;
    CHECK(c.t.run_until([&] { return c.engine.reclaim_graph() == 0; }));
    CHECK(counted::alive == contexts);
    CHECK(c.engine.registry().bound() < 300);
    c.engine.shut_down();
    CHECK(c.t.at("old", 1).numbers == numbers_to(c.t.at("in", 1).made));
}

// --- by hand ---

TEST_CASE("nodes and edges change by hand", "[graph][change_graph][commands]")
{
    changing c;
    c.t.send("in", 1);
    CHECK(c.t.command("node clone x x-1") == "");
    CHECK(c.t.command("node add next in x-1") == "slot 1");
    CHECK(c.t.json("node add next in x slot 3").dump() == R"({"slot":3})");
    c.t.at("in").slot = 1;
    c.engine.run_main_once();
    c.t.send("in", 5);
    CHECK(c.t.at("x-1").packets.get() == 5);
    CHECK_THAT(c.t.command("show node in"), Contains("x-1") && Contains("drop")); // slot 2 is empty
    CHECK_THAT(c.t.command("show node x-1"), Contains("clone of x") && Contains("  in ("));
    CHECK(c.t.command("node update next in slot 1 old") == "");
    CHECK(c.t.command("node shrink in 2") == "");
    CHECK(c.t.command("node delete x-1") == "");
    CHECK_THAT(c.t.command("show node x-1"), Contains("error:"));
    c.engine.run_main_once();
    c.t.send("in", 5);
    CHECK(c.t.at("old").packets.get() == 11);
}

TEST_CASE("a change by hand that cannot be is told and changes nothing",
          "[graph][change_graph][commands]")
{
    changing c;
    c.t.send("in", 1);
    c.engine.registry().find("old")->owner = "interface a";
    const auto before = c.t.command("show node");
    CHECK_THAT(c.t.command("node clone x bad/name"),
               Contains("`bad/name' is not a valid node name"));
    CHECK_THAT(c.t.command("node clone x in"), Contains("a node `in' already exists"));
    CHECK_THAT(c.t.command("node add next old old"), Contains("`old' has an edge to itself"));
    CHECK_THAT(c.t.command("node add next in x slot 0"), Contains("already leads to `old'"));
    CHECK_THAT(c.t.command("node update next in slot 9 x"), Contains("no slot 9"));
    CHECK_THAT(c.t.command("node shrink in 0"), Contains("itself uses"));
    CHECK_THAT(c.t.command("node delete x"), Contains("is not a clone"));
    CHECK_THAT(c.t.command("node delete old"), Contains("belongs to interface a"));
    CHECK(c.t.command("show node") == before);
    CHECK(c.engine.main().plan_changes() == 1);
}

TEST_CASE("a template is not cloned by hand", "[graph][change_graph][commands]")
{
    auto port = sink("port");
    port.is_template = true;
    graph_tester t{{source("in", {"end"}), sink("end"), port}};
    t.publish_and_adopt();
    CHECK_THAT(t.command("node clone port mine"), Contains("`port' is cloned for each interface"));
}
