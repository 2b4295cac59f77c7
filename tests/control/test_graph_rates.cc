// SPDX-License-Identifier: Apache-2.0
// `show graph live': rates between two looks at the counters.
#include "control/show/graph_rates.hh"
#include "tests/graph/graph_tester.hh"

#include <catch2/catch.hpp>

using namespace weft;
using Catch::Contains;

namespace {

void drop_third(node_run& run, frame& in) noexcept
{
    run.each(in, [](packet& p) { return payload_of(p).number % 3 == 0 ? drop(0) : verdict{0}; });
}

// in -> judge -> end | drop
struct judged_graph {
    graph_tester tester{{source("in", {"judge"}),
                         relay("judge", {"end"}, drop_third, {{0, "third", "every third is"}}),
                         sink("end")}};

    judged_graph()
    {
        tester.publish_and_adopt();
        tester.send("in", 100); // before the first look
    }

    // What `line` answers when `packets` come within the second that it measures.
    [[nodiscard]] std::string ask(std::string_view line, bool as_json, uint32_t packets)
    {
        std::string answer;
        const auto table = command_table::registered();
        REQUIRE(tester.engine.loop().start("asker", [&](process& self) {
            answer = table->run(tester.engine, line, as_json, &self).value();
        }));
        tester.engine.run_main_once();
        tester.send("in", packets);
        tester.clock.advance(1s);
        tester.engine.run_main_once();
        return answer;
    }
};

} // namespace

TEST_CASE("rates are what was counted between two looks, over the time between them", "[graph]")
{
    judged_graph g;
    auto& engine = g.tester.engine;
    const graph_look from{engine};
    g.tester.send("in", 300);
    g.tester.clock.advance(2s);
    const graph_rates rates{from, graph_look{engine}};
    CHECK(rates.seconds() == 2);
    CHECK(rates.of(g.tester.id("judge")).packets_per_second == 150);
    CHECK(rates.sent(g.tester.id("in"), 0) == 150);
    CHECK(rates.sent(g.tester.id("judge"), 0) == 100);
    CHECK(rates.dropped(g.tester.id("judge")) == 50);
    CHECK(rates.of(g.tester.id("judge")).clocks_per_packet > 0);
    double all = 0;
    for (const auto& entry : engine.registry().all())
        all += rates.of(entry.id).share;
    CHECK(all == Approx(1));
}

TEST_CASE("looks at one moment give no rates, and unknown nodes rest", "[graph]")
{
    judged_graph g;
    const graph_look now{g.tester.engine};
    const graph_rates rates{now, now};
    CHECK(rates.of(g.tester.id("judge")).packets_per_second == 0);
    CHECK(rates.of(g.tester.id("judge")).share == 0);
    CHECK(rates.of(999).packets_per_second == 0);
    CHECK(rates.sent(g.tester.id("judge"), 7) == 0);
    CHECK(rates.dropped(999) == 0);
}

TEST_CASE("show graph dot live colours nodes by clocks and edges by packets", "[graph][cli]")
{
    judged_graph g;
    const auto dot = g.ask("show graph dot live", false, 3000);
    CHECK_THAT(dot, Contains("\"judge\" [style=\"filled\", fillcolor=\"0.000 "));
    CHECK_THAT(dot, Contains("label=\"judge\\n3 kpps, "));
    CHECK_THAT(dot, Contains("\"in\" [style=\"filled,rounded\""));
    CHECK_THAT(dot, Contains("\"in\" -> \"judge\" [color=\"0.000 1.000 0.800\", penwidth=3.1, "
                             "label=\"3 kpps\"]"));
    CHECK_THAT(dot, Contains("\"judge\" -> \"end\" [color=\"0.222 1.000 0.800\", penwidth=3.0, "
                             "label=\"2 kpps\"]"));
    CHECK_THAT(dot, Contains("\"judge\" -> \"drop\" [style=dotted, color=\"0.445"));
}

TEST_CASE("an edge over which nothing goes is grey", "[graph][cli]")
{
    judged_graph g;
    CHECK_THAT(g.ask("show graph dot live", false, 0),
               Contains("\"in\" -> \"judge\" [color=\"0.000 0.000 0.700\"]"));
}

TEST_CASE("show graph live gives the same figures as text and as data", "[graph][cli]")
{
    judged_graph g;
    CHECK_THAT(g.ask("show graph live", false, 300), Contains("judge (internal)  300 pps, ") &&
                                                         Contains("\n  --> end  200 pps\n") &&
                                                         Contains("\n  ..> drop  100 pps"));
    const auto data = nlohmann::ordered_json::parse(g.ask("show graph live", true, 300));
    CHECK(data["seconds"] == 1.0);
    for (const auto& n : data["nodes"])
        if (n["name"] == "judge")
            CHECK(n["packets_per_second"] == 300.0);
}

TEST_CASE("without live the graph is drawn as it is joined", "[graph][cli]")
{
    judged_graph g;
    CHECK_THAT(g.tester.command("show graph dot"),
               Contains("  \"judge\";\n") && Contains("\"judge\" -> \"end\";\n"));
    CHECK(g.tester.json("show graph")["nodes"][0].contains("packets_per_second") == false);
}
