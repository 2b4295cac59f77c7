// SPDX-License-Identifier: Apache-2.0
// Siblings: nodes that share their next slots, from the start and as slots come and go.
#include "graph/node_registry.hh"
#include "tests/graph/graph_tester.hh"

#include <catch2/catch.hpp>

using namespace weft;
using Catch::Contains;

namespace {

node_descriptor sibling(std::string_view name, std::string_view of, names nexts = {})
{
    auto what = source(name, std::move(nexts));
    what.sibling_of = of;
    return what;
}

std::string fault_of_siblings(std::vector<node_descriptor> nodes)
{
    const auto made = node_set{std::move(nodes)}.registry();
    return made ? "" : made.error().message;
}

// `c` is a sibling of `b`, which is one of `a`.
struct family : registry_tester {
    family()
        : registry_tester{{source("a", {"end", "middle"}), sibling("b", "a"), sibling("c", "b"),
                           source("other", {"middle"}), relay("middle", {"end"}), sink("end"),
                           relay("new", {"end"}), relay("newer", {"end"}), sink("null-node"),
                           sink("drop")}}
    {}
};

} // namespace

TEST_CASE("siblings have the slots of the one that names them", "[graph][siblings]")
{
    const family f;
    for (const auto* name : {"a", "b", "c"})
        CHECK(f.nexts(name) == lines{"end", "middle"});
    CHECK(f.nexts("other") == lines{"middle"});
    CHECK(f.registry.siblings(f.id("c")) == std::vector{f.id("a"), f.id("b")});
    CHECK(f.registry.siblings(f.id("other")).empty());
}

TEST_CASE("a slot that is added for one sibling is there for all", "[graph][siblings]")
{
    family f;
    REQUIRE(f.registry.clone("b", "b-1", nullptr));
    int turn = 2;
    for (const auto* name : {"c", "a", "b-1"}) {
        const auto target = f.registry.clone("end", fmt::format("end-{}", name), nullptr);
        CHECK(*f.registry.add_next(f.id(name), *target) == turn++);
    }
    const lines all{"end", "middle", "end-c", "end-a", "end-b-1"};
    for (const auto* name : {"a", "b", "c", "b-1"})
        CHECK(f.nexts(name) == all);
    CHECK(f.nexts("other") == lines{"middle"});
}

TEST_CASE("slots of siblings change and go together", "[graph][siblings]")
{
    family f;
    REQUIRE(f.registry.add_next(f.id("b"), f.id("new")));
    CHECK(f.registry.update_next(f.id("c"), 2, f.id("newer")));
    CHECK(f.nexts("a") == lines{"end", "middle", "newer"});
    CHECK(f.registry.shrink(f.id("b"), 2));
    CHECK(f.nexts("c") == lines{"end", "middle"});
    // the slots that `a` names are those that the functions of all rely on
    const auto refused = f.registry.shrink(f.id("c"), 1);
    REQUIRE_FALSE(refused);
    CHECK_THAT(refused.error().message, Contains("`c' itself uses its first 2"));
}

TEST_CASE("a faulty sibling is told with both names", "[graph][siblings]")
{
    CHECK(fault_of_siblings({sibling("b", "ghost")}) ==
          "node `b' is a sibling of `ghost', which does not exist");
    CHECK(fault_of_siblings({source("a", {"end"}), sibling("b", "a", {"end"}), sink("end")}) ==
          "node `b' is a sibling of `a' and names next nodes of its own");
}

TEST_CASE("a circle of siblings is told once with all its names", "[graph][siblings]")
{
    CHECK(fault_of_siblings({sibling("a", "a")}) == "nodes are siblings in a cycle: a -> a");
    CHECK(fault_of_siblings(
              {sibling("c", "a"), sibling("b", "c"), sibling("a", "b"), sibling("x", "b")}) ==
          "nodes are siblings in a cycle: a -> b -> c -> a");
}

TEST_CASE("a sibling may come at run time, and the others need the one that names the slots",
          "[graph][siblings]")
{
    family f;
    auto late = sibling("late", "c");
    const auto made = f.registry.add(static_descriptor(late));
    REQUIRE(made);
    CHECK(f.nexts("late") == lines{"end", "middle"});
    CHECK(f.registry.siblings(*made).size() == 3);
    auto later = sibling("later", "late");
    REQUIRE(f.registry.add(static_descriptor(later)));
    CHECK(f.registry.remove(*made).error().message == "node `later' is a sibling of `late'");
    CHECK(f.registry.remove(f.id("later")));
    CHECK(f.registry.remove(*made));
    auto lost = sibling("lost", "late");
    CHECK(f.registry.add(static_descriptor(lost)).error().message ==
          "node `lost' is a sibling of `late', which does not exist");
    CHECK(f.registry.find("lost") == nullptr);
}

TEST_CASE("the daemon's inputs are siblings", "[graph][siblings]")
{
    const auto registry = *node_registry::registered();
    const auto* device = registry.find("device-input");
    REQUIRE(device != nullptr);
    for (const auto* name : {"dpdk-input", "packet-generator"}) {
        CHECK(registry.find(name)->slots_of == device->id);
        CHECK(registry.find(name)->nexts == device->nexts);
    }
}

TEST_CASE("show node tells siblings", "[graph][siblings][commands]")
{
    graph_tester t{{source("a", {"end"}), sibling("b", "a"), sink("end")}};
    t.publish_and_adopt();
    CHECK_THAT(t.command("show node b"),
               Contains(", sibling of a\n") && Contains("siblings (share the next nodes):\n  a ("));
    const auto data = t.json("show node a")["nodes"][0];
    CHECK(data["sibling_of"].is_null());
    CHECK(data["siblings"].dump() == fmt::format(R"([{{"node":"b","index":{}}}])", t.id("b")));
    t.at("b").wanted = 5;
    t.engine.run_main_once();
    CHECK(t.json("show node b")["nodes"][0]["nexts"][0]["vectors"] == 5);
    CHECK(t.json("show node a")["nodes"][0]["nexts"][0]["vectors"] == 0); // each counts its own
}
