// SPDX-License-Identifier: Apache-2.0
// The node registry: edges by name, faults with names and places, clones, edges added at run time,
// and what `show node` and `show graph` print of it.
#include "graph/node_registry.hh"
#include "graph/trace.hh"
#include "tests/graph/graph_tester.hh"

#include <catch2/catch.hpp>

using namespace weft;
using Catch::Contains;

namespace {

std::string error_of(std::vector<node_descriptor> nodes)
{
    const auto made = node_set{std::move(nodes)}.registry();
    return made ? "" : made.error().message;
}

struct four_nodes : registry_tester {
    four_nodes()
        : registry_tester{{source("in", {"middle", "end"}), relay("middle", {"end"}), sink("end"),
                           relay("aside", {"end"})}}
    {}
};

using ids = std::vector<node_id>;

} // namespace

TEST_CASE("edges lead to the named nodes, slot by slot", "[graph][node_registry]")
{
    const four_nodes t;
    CHECK(t.registry.find("in")->nexts == ids{t.id("middle"), t.id("end")});
    CHECK(t.registry.find("nobody") == nullptr);
    CHECK(t.registry.previous(t.id("end")) == ids{t.id("aside"), t.id("in"), t.id("middle")});
    CHECK(t.registry.previous(t.id("in")).empty());
    CHECK(t.registry.drop_node() == no_node);
}

TEST_CASE("a node's number does not depend on the order of linking", "[graph][node_registry]")
{
    const node_set set{{sink("b"), sink("a"), sink("drop")}};
    const auto one = *set.registry();
    CHECK(one.find("a")->id == 0);
    CHECK(one.find("b")->id == 1);
    CHECK(one.drop_node() == 2);
    CHECK(one.at(1).name == "b");
}

TEST_CASE("two nodes of one name are told with both places", "[graph][node_registry]")
{
    const auto here = std::source_location::current();
    const auto one = private_registration(sink("twin"), here);
    const auto two = private_registration(sink("twin"));
    const std::array<const node_registration*, 2> both{&one, &two};
    const auto made = node_registry::of(both);
    REQUIRE_FALSE(made);
    CHECK_THAT(made.error().message, Contains("`twin'"));
    CHECK_THAT(made.error().message, Contains(fmt::format("registry.cc:{} ", here.line())));
    CHECK_THAT(made.error().message, Contains(fmt::format("registry.cc:{}", two.where.line())));
}

TEST_CASE("an edge to a node that does not exist is told with both names", "[graph][node_registry]")
{
    CHECK(error_of({relay("a", {"ghost"})}) ==
          "node `a' has an edge to `ghost', which does not exist");
}

TEST_CASE("all faults of a registry are told at once", "[graph][node_registry]")
{
    const auto error =
        error_of({relay("a", {"ghost", "a", "phantom"}), sink("b"), sink("b"), sink("b")});
    CHECK(std::count(error.begin(), error.end(), '\n') == 3);
    CHECK_THAT(error, Contains("`ghost'") && Contains("`phantom'") && Contains("`b'"));
}

TEST_CASE("a clone runs as its template under a name of its own", "[graph][node_registry]")
{
    four_nodes t;
    int argument = 0;
    const auto added = t.registry.add_next(t.id("in"), t.id("aside"));
    const auto made = t.registry.clone("in", "in-eth0-0", &argument, 2);
    REQUIRE(made);
    const node_entry& entry = t.registry.at(*made);
    CHECK(t.registry.find("in-eth0-0") == &entry);
    CHECK(entry.clone_of == t.id("in"));
    CHECK(entry.descriptor == t.registry.find("in")->descriptor);
    CHECK(entry.argument == &argument);
    CHECK(entry.thread == 2u);
    CHECK(entry.nexts == t.registry.find("in")->nexts);
    CHECK(entry.nexts[*added] == t.id("aside")); // also what was joined at run time
}

TEST_CASE("a clone needs a template and a free name", "[graph][node_registry]")
{
    four_nodes t;
    const auto of_nobody = t.registry.clone("nobody", "x", nullptr);
    CHECK(of_nobody.error().code == errc::not_found);
    CHECK_THAT(of_nobody.error().message, Contains("`nobody'"));
    const auto taken = t.registry.clone("in", "end", nullptr);
    CHECK(taken.error().code == errc::exists);
    CHECK_THAT(taken.error().message, Contains("`end'"));
    CHECK(t.registry.count() == 4);
}

TEST_CASE("clones are bounded by what a trace and a plan can hold", "[graph][node_registry]")
{
    four_nodes t;
    while (t.registry.count() < trace_buffer::max_nodes)
        REQUIRE(t.registry.clone("end", fmt::format("end-{}", t.registry.count()), nullptr));
    CHECK(t.registry.clone("end", "more", nullptr).error().code == errc::exhausted);
    CHECK(t.registry.find("end-2000")->id == 2000);
}

TEST_CASE("an edge that is added twice keeps its slot", "[graph][node_registry]")
{
    four_nodes t;
    CHECK(*t.registry.add_next(t.id("in"), t.id("end")) == 1); // there from the beginning
    CHECK(*t.registry.add_next(t.id("in"), t.id("aside")) == 2);
    CHECK(*t.registry.add_next(t.id("in"), t.id("aside")) == 2);
    CHECK(t.registry.find("in")->nexts.size() == 3);
    CHECK(*t.registry.add_next(t.id("middle"), t.id("aside")) == 1); // each node has its own slots
}

TEST_CASE("an edge into an input node is refused", "[graph][node_registry]")
{
    four_nodes t;
    const auto refused = t.registry.add_next(t.id("middle"), t.id("in"));
    REQUIRE_FALSE(refused);
    CHECK_THAT(refused.error().message, Contains("`middle'") && Contains("input node `in'"));
    CHECK(t.registry.find("middle")->nexts == ids{t.id("end")});
}

TEST_CASE("a reason is found by its number over all nodes", "[graph][node_registry]")
{
    const node_set set{
        {relay("a", {}, swallow, {{0, "cold", "too cold"}, {1, "hot", "too hot"}}), sink("b")}};
    const auto made = *set.registry();
    CHECK(made.reason_of(make_reason_id(0, 1))->name == "hot");
    CHECK(made.reason_of(make_reason_id(0, 2)) == nullptr);
    CHECK(made.reason_of(make_reason_id(1, 0)) == nullptr);
    CHECK(made.reason_of(make_reason_id(9, 0)) == nullptr);
}

TEST_CASE("the daemon's own nodes form a valid registry and graph", "[graph][node_registry]")
{
    const auto made = node_registry::registered();
    REQUIRE(made);
    CHECK(made->drop_node() != no_node);
    const auto order = plan::order(*made, 0);
    CHECK((order ? "" : order.error().message) == "");
}

namespace {

// A graph with every kind of node, through which seven packets went.
struct shown_graph {
    graph_tester tester{
        {source("in", {"middle", "end"}),
         relay("middle", {"end"}, deal_out, {{0, "cold", "too cold", severity::info}}),
         sink("end"),
         {.name = "port",
          .type = node_type::input,
          .state = node_state::interrupt,
          .poll = make_packets,
          .nexts = {{0, "middle"}},
          .context = context_of<probe>(),
          .is_template = true}}};
    shown_graph()
    {
        REQUIRE(tester.engine.registry().clone("port", "port-a", nullptr, 0));
        tester.send("in", 7);
    }
};

} // namespace

TEST_CASE("show node lists all nodes by name", "[graph][node_registry][commands]")
{
    shown_graph g;
    const auto text = g.tester.command("show node");
    CHECK_THAT(text,
               Contains("Name") && Contains("Type") && Contains("State") && Contains("Nexts"));
    CHECK(text.find("drop") < text.find("end"));
    CHECK(text.find("end") < text.find("middle"));
    const auto data = g.tester.json("show node");
    CHECK(data["detail"] == false);
    std::map<std::string, std::string> states;
    for (const auto& each : data["nodes"])
        states[each["name"]] = each["state"];
    CHECK(states == std::map<std::string, std::string>{{"drop", "active"},
                                                       {"end", "active"},
                                                       {"handoff-input", "interrupt"},
                                                       {"in", "adaptive"},
                                                       {"middle", "active"},
                                                       {"port", "template"},
                                                       {"port-a", "interrupt"}});
}

TEST_CASE("show node shows one node's edges with their counts", "[graph][node_registry][commands]")
{
    shown_graph g;
    const auto data = g.tester.json("show node middle")["nodes"];
    REQUIRE(data.size() == 1);
    CHECK(data[0]["type"] == "internal");
    CHECK(data[0]["nexts"].dump() ==
          fmt::format(R"([{{"slot":0,"index":{},"node":"end","owner":"","vectors":7}}])",
                      g.tester.id("end")));
    CHECK(data[0]["previous"].size() == 2); // the template joins nothing
    CHECK(data[0]["reasons"][0]["name"] == "cold");
    const auto text = g.tester.command("show node middle");
    CHECK_THAT(text, Contains("node middle, type internal, state active") &&
                         Contains("next nodes:") && Contains("known previous nodes:") &&
                         Contains("too cold") && Contains("info"));
    CHECK_THAT(g.tester.command("show node port-a"),
               Contains("state interrupt") && Contains("clone of port, on thread 0"));
}

TEST_CASE("show node of a node that does not exist is an error", "[graph][node_registry][commands]")
{
    shown_graph g;
    CHECK_THAT(g.tester.command("show node nobody"), Contains("error:") && Contains("`nobody'"));
}

TEST_CASE("show graph dot draws what runs, drops dotted", "[graph][node_registry][commands]")
{
    shown_graph g;
    CHECK(g.tester.command("show graph dot") == R"(digraph weft {
  rankdir=LR;
  node [shape=box, fontname="sans-serif"];
  "drop";
  "end";
  "handoff-input" [style=rounded];
  "in" [style=rounded];
  "middle";
  "port-a" [style=rounded];
  "in" -> "middle";
  "in" -> "end";
  "middle" -> "end";
  "middle" -> "drop" [style=dotted];
  "port-a" -> "middle";
})");
}

TEST_CASE("show graph lists each node with where it leads", "[graph][node_registry][commands]")
{
    shown_graph g;
    CHECK_THAT(
        g.tester.command("show graph"),
        Contains("in (input)\n  --> middle\n  --> end\nmiddle (internal)\n  --> end\n  ..> drop"));
    const auto data = g.tester.json("show graph");
    CHECK(data["nodes"].size() == 6);
    CHECK(data["edges"].size() == 5);
    CHECK(data["edges"][3].dump() == R"({"from":"middle","to":"drop","drop":true})");
}
