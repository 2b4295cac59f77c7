// SPDX-License-Identifier: Apache-2.0
// Feature arcs: order, the ways that packets take while features are switched on and off, what is
// refused.
#include "graph/feature_arc.hh"

#include "tests/graph/graph_tester.hh"

using namespace weft;

namespace {

// A feature's node of these tests: notes what it was given, and sends on along the arc.
struct onward_probe : probe {
    explicit onward_probe(const node_setup& setup)
        : probe{setup}, onward{setup.engine.module<feature_arcs>().next_of(setup.id)}
    {}
    feature_next onward;
};

void go_onward(node_run& run, frame& in) noexcept
{
    auto& self = run.context<onward_probe>();
    self.note(in);
    run.each(in, [&](packet& p) noexcept { return self.onward.of(p); });
}

node_descriptor feature_node(std::string_view name)
{
    auto what = relay(name, {"interface-output"}, go_onward);
    what.context = context_of<onward_probe>();
    what.joined_later = true;
    return what;
}

// in -> ip4-rewrite -> interface-output, with the daemon's arc `ip4-output` between the last two,
// on which features stand in the order f-b, f-a, f-c. The arc `interface-output` stands in front of
// the same node, for all.
struct arc_graph {
    const feature_registration a{"f-a", "ip4-output", {"f-b"}};
    const feature_registration b{"f-b", "ip4-output"};
    const feature_registration c{"f-c", "ip4-output", {"f-a", "not-loaded"}};
    const feature_registration d{"f-d", "interface-output"};
    graph_tester tester{{source("in", {"ip4-rewrite"}), relay("ip4-rewrite", {"interface-output"}),
                         sink("interface-output"), feature_node("f-a"), feature_node("f-b"),
                         feature_node("f-c"), feature_node("f-d")},
                        {},
                        {},
                        {"ip4-output-features", "interface-output-features"}};
    feature_arcs& arcs = tester.engine.module<feature_arcs>();

    arc_graph()
    {
        auto& nodes = tester.engine.registry();
        for (const auto name : {"ip4-rewrite", "interface-output"}) // not the daemon's own variants
            REQUIRE(nodes.set_variant(nodes.find(name)->id, variant::plain));
        tester.publish_and_adopt();
    }

    // The nodes that a packet passes behind `start`.
    lines way()
    {
        auto& log = tester.engine.module<graph_log>();
        log.calls.clear();
        tester.send("in", 1);
        lines names = log.names();
        names.erase(names.begin(), std::find(names.begin(), names.end(), "ip4-rewrite") + 1);
        return names;
    }
    void set(std::string_view feature, bool on)
    {
        REQUIRE(arcs.set(feature, 0, on));
        tester.engine.main().adopt_plan();
    }
};

} // namespace

TEST_CASE("what is switched on is passed in the order that features ask for", "[graph][arc]")
{
    arc_graph g;
    CHECK(g.way() == lines{"interface-output"});
    g.set("f-c", true);
    CHECK(g.way() == lines{"f-c", "interface-output"});
    g.set("f-b", true);
    CHECK(g.way() == lines{"f-b", "f-c", "interface-output"});
    g.set("f-a", true);
    CHECK(g.way() == lines{"f-b", "f-a", "f-c", "interface-output"});
    CHECK(g.arcs.chain(*g.arcs.find("ip4-output"), 0) == lines{"f-b", "f-a", "f-c"});
    g.set("f-b", false);
    CHECK(g.way() == lines{"f-a", "f-c", "interface-output"});
    g.set("f-a", false);
    g.set("f-c", false);
    CHECK(g.way() == lines{"interface-output"});
}

TEST_CASE("an interface's features are no other's", "[graph][arc]")
{
    arc_graph g;
    REQUIRE(g.arcs.set("f-a", 7, true));
    g.tester.engine.main().adopt_plan();
    CHECK(g.way() == lines{"interface-output"}); // of interface 0, past the arc's own node
    CHECK(g.arcs.is_on("f-a", 7));
    CHECK(!g.arcs.is_on("f-a", 0));
    g.arcs.forget(7);
    CHECK(!g.arcs.is_on("f-a", 7));
    CHECK(!g.arcs.find("ip4-output")->is_led_through);
}

TEST_CASE("arcs in front of one node are passed one behind the other", "[graph][arc]")
{
    arc_graph g;
    g.set("f-d", true); // on the edges of all, the other arc's among them
    CHECK(g.way() == lines{"f-d", "interface-output"});
    g.set("f-a", true);
    CHECK(g.way() == lines{"f-a", "f-d", "interface-output"});
    g.set("f-d", false);
    CHECK(g.way() == lines{"f-a", "interface-output"});
    g.set("f-d", true);
    g.set("f-a", false);
    CHECK(g.way() == lines{"f-d", "interface-output"});
    g.set("f-d", false);
    CHECK(g.way() == lines{"interface-output"});
}

TEST_CASE("no packet is lost while features come and go", "[graph][arc]")
{
    arc_graph g;
    constexpr uint32_t rounds = 500;
    for (uint32_t round = 0; round < rounds; ++round) {
        REQUIRE(g.arcs.set(round % 3 == 0   ? "f-a"
                           : round % 3 == 1 ? "f-c"
                                            : "f-d",
                           0, round / 3 % 2 == 0));
        g.tester.send("in", 64);
    }
    CHECK(g.tester.at("interface-output").packets.get() == uint64_t{rounds} * 64);
    CHECK(g.tester.engine.packets_in_flight() == 0);
}

TEST_CASE("what does not fit is refused with both places", "[graph][arc]")
{
    arc_graph g;
    const auto fault = [&] {
        const auto sound = feature_arcs::check(g.tester.engine.registry());
        return sound ? std::string{} : sound.error().message;
    };
    CHECK_THAT(g.arcs.set("f-x", 0, true).error().message,
               Catch::Equals("no feature `f-x' (show features)"));
    {
        const feature_registration circle{"ip4-rewrite", "ip4-output", {"f-c"}, {"f-b"}};
        CHECK_THAT(fault(), Catch::Contains("features of `ip4-output' depend on each other: ") &&
                                Catch::Contains("ip4-rewrite (") &&
                                Catch::Contains("test_feature_arc.cc:") &&
                                Catch::Contains(") after f-c ("));
    }
    {
        const feature_registration twice{"f-a", "ip4-output"};
        CHECK_THAT(fault(), Catch::Contains("two features of `ip4-output' are called `f-a': ") &&
                                Catch::Contains("test_feature_arc.cc:"));
    }
    {
        const feature_registration stray{"ip4-rewrite", "no-arc"};
        CHECK_THAT(fault(), Catch::Contains("registers on the arc `no-arc', which does not exist"));
    }
    {
        const feature_registration elsewhere{"f-a", "interface-output"};
        CHECK_THAT(fault(), Catch::Contains("the feature `f-a' is on two arcs: "));
    }
}
