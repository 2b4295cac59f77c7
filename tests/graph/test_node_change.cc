// SPDX-License-Identifier: Apache-2.0
// The registry as it changes: slots at given places, slots that are changed and taken away, nodes
// that come and go.
#include "graph/node_registry.hh"
#include "graph/plan.hh"
#include "graph/trace.hh"
#include "tests/graph/graph_tester.hh"

#include <catch2/catch.hpp>

using namespace weft;
using Catch::Contains;

namespace {

struct changed : registry_tester {
    changed()
        : registry_tester{{source("in", {"middle", "end"}), relay("middle", {"end"}), sink("end"),
                           relay("x", {"end"}), relay("y", {"end"}), sink("null-node"),
                           sink("drop")}}
    {}
    // What is wrong with adding, changing, taking away.
    [[nodiscard]] std::string add(std::string_view from, std::string_view to,
                                  std::optional<size_t> slot = {}, std::string_view owner = {})
    {
        const auto done = registry.add_next(id(from), id(to), slot, owner);
        return done ? fmt::format("{}", *done) : done.error().message;
    }
    [[nodiscard]] std::string update(std::string_view from, size_t slot, std::string_view to)
    {
        const auto done = registry.update_next(id(from), slot, id(to));
        return done ? "" : done.error().message;
    }
    [[nodiscard]] std::string shrink(std::string_view name, size_t count)
    {
        const auto done = registry.shrink(id(name), count);
        return done ? "" : done.error().message;
    }
    [[nodiscard]] std::string remove(std::string_view name)
    {
        const auto done = registry.remove(id(name));
        return done ? "" : done.error().message;
    }
};

} // namespace

TEST_CASE("a slot may be asked for, and those before it stay empty", "[graph][node_change]")
{
    changed c;
    CHECK(c.add("in", "x", 4) == "4");
    CHECK(c.nexts("in") == lines{"middle", "end", "null-node", "null-node", "x"});
    CHECK(c.add("in", "x", 4) == "4"); // again
    CHECK(c.add("in", "x") == "4");    // it is there
    CHECK(c.add("in", "y") == "2");    // the first empty one
    CHECK(c.add("in", "x", 3) == "3"); // two slots may lead to one node
    CHECK(c.nexts("in") == lines{"middle", "end", "y", "x", "x"});
}

TEST_CASE("a slot that leads elsewhere is refused with who has it", "[graph][node_change]")
{
    changed c;
    CHECK(c.add("in", "x", 1) == "slot 1 of `in' already leads to `end'");
    CHECK(c.add("in", "x", 4096) == "slot 4096 of `in' is not between 0 and 4095");
    CHECK_THAT(c.add("x", "in", 7), Contains("input node `in'"));
    CHECK(c.nexts("in") == lines{"middle", "end"});
    CHECK(c.nexts("x") == lines{"end"});
}

TEST_CASE("without a node for empty slots there are none", "[graph][node_change]")
{
    const node_set set{{source("in", {"a"}), sink("a"), sink("b")}};
    auto registry = *set.registry();
    const auto refused = registry.add_next(registry.find("in")->id, registry.find("b")->id, 3);
    REQUIRE_FALSE(refused);
    CHECK_THAT(refused.error().message, Contains("slot 3 of `in'") && Contains("`drop'"));
    CHECK(registry.find("in")->nexts.size() == 1);
}

TEST_CASE("a slot can be led to another node", "[graph][node_change]")
{
    changed c;
    CHECK(c.update("in", 0, "x") == "");
    CHECK(c.nexts("in") == lines{"x", "end"});
    CHECK(c.update("in", 2, "x") == "node `in' has 2 next slots, no slot 2");
    CHECK_THAT(c.update("in", 1, "in"), Contains("input node `in'"));
    for (const auto* name : {"y", "null-node"})
        c.registry.find(name)->joined_later = true;
    CHECK(plan::order(c.registry, 0)); // `middle' stands alone now
    CHECK(c.update("in", 0, "middle") == "");
}

TEST_CASE("the last slots can be taken away but for those that are needed", "[graph][node_change]")
{
    changed c;
    CHECK(c.add("in", "x") == "2");
    CHECK(c.add("in", "y", 4) == "4");
    CHECK(c.shrink("in", 6) == "node `in' has 5 next slots, fewer than 6");
    CHECK(c.shrink("in", 3) == "");
    CHECK(c.nexts("in") == lines{"middle", "end", "x"});
    CHECK(c.shrink("in", 1) == "node `in' itself uses its first 2 next slots");
    CHECK(c.shrink("in", 2) == "");
    CHECK(c.shrink("in", 2) == "");
    CHECK(c.nexts("in") == lines{"middle", "end"});
}

TEST_CASE("a slot with an owner stays, and clones have it too", "[graph][node_change]")
{
    changed c;
    REQUIRE(c.registry.clone("middle", "middle-1", nullptr));
    CHECK(c.add("middle-1", "x") == "1"); // by hand, for the clone alone
    CHECK(c.nexts("middle") == lines{"end"});
    CHECK(c.add("middle", "y", {}, "interface a") == "2"); // free in both
    CHECK(c.nexts("middle") == lines{"end", "null-node", "y"});
    CHECK(c.nexts("middle-1") == lines{"end", "x", "y"});
    CHECK(c.add("middle-1", "y", {}, "interface a") == "2");
    for (const auto* name : {"middle", "middle-1"})
        CHECK(c.shrink(name, 1) == fmt::format("slot 2 of `{}' belongs to interface a", name));
    REQUIRE(c.registry.clone("middle-1", "middle-2", nullptr));
    CHECK(c.shrink("middle-2", 1) == "slot 2 of `middle-2' belongs to interface a");
    CHECK(c.registry.find("middle-2")->clone_of == c.id("middle")); // not of a clone
}

TEST_CASE("a node stays while another needs it", "[graph][node_change]")
{
    changed c;
    CHECK_THAT(c.remove("x"), Contains("`x' is not a clone and was not added"));
    auto late = relay("late", {"end"});
    REQUIRE(c.registry.add(static_descriptor(late)));
    REQUIRE(c.registry.clone("late", "late-1", nullptr));
    CHECK(c.remove("late") == "node `late-1' is a clone of `late'");
    CHECK(c.add("in", "late-1", 3) == "3");
    CHECK(c.remove("late-1") == "an edge leads to node `late-1' from `in', slot 3");
    CHECK(c.shrink("in", 2) == "");
    const auto gone = c.id("late-1");
    CHECK(c.remove("late-1") == "");
    CHECK(c.registry.find("late-1") == nullptr);
    CHECK(c.registry.at(gone).name == "late-1"); // threads may still tell of it
    CHECK_FALSE(c.registry.remove(gone));
    CHECK(c.remove("late") == "");
    CHECK(c.registry.count() == 7);
    CHECK(c.registry.take_removed().size() == 2);
}

TEST_CASE("a number is used again once it is released", "[graph][node_change]")
{
    changed c;
    for (int i = 0; i < 10'000; ++i) {
        const auto made = c.registry.clone("x", fmt::format("x-{}", i), nullptr);
        REQUIRE(made);
        REQUIRE(c.registry.remove(*made));
        REQUIRE(c.registry.reason_of(make_reason_id(*made, 0)) == nullptr);
        for (const node_id id : c.registry.take_removed())
            c.registry.release(id);
    }
    CHECK(c.registry.bound() == 8);
    CHECK(c.registry.count() == 7);
}

TEST_CASE("numbers that are not released are told of when there are no more",
          "[graph][node_change]")
{
    changed c;
    std::string error;
    for (size_t i = 0; i < trace_buffer::max_nodes && error.empty(); ++i) {
        const auto made = c.registry.clone("x", "again", nullptr);
        error = made ? "" : made.error().message;
        if (made)
            REQUIRE(c.registry.remove(*made));
    }
    CHECK_THAT(error, Contains("7 nodes exist or were removed but are still referred to"));
}

TEST_CASE("a node that cannot be added changes nothing", "[graph][node_change]")
{
    changed c;
    auto taken = sink("x");
    CHECK(c.registry.add(static_descriptor(taken)).error().code == errc::exists);
    auto nameless = sink("");
    CHECK(c.registry.add(static_descriptor(nameless)).error().code == errc::invalid_argument);
    auto lost = relay("lost", {"end", "ghost"});
    CHECK(c.registry.add(static_descriptor(lost)).error().message ==
          "node `lost' has an edge to `ghost', which does not exist");
    CHECK(c.registry.find("lost") == nullptr);
    CHECK(c.registry.count() == 7);
}
