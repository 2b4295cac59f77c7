// SPDX-License-Identifier: Apache-2.0
// Dispatch tables: the ways of packets by key, what is shared with clones, what is refused.
#include "graph/dispatch_table.hh"

#include "tests/graph/graph_tester.hh"

using namespace weft;
using Catch::Contains;

namespace {

constexpr uint16_t nobody = 0;

// Sends packets on by their number.
struct number_probe : probe {
    explicit number_probe(const node_setup& setup)
        : probe{setup}, lookup{setup.engine.module<dispatch_tables>().lookup("test-number")}
    {}
    dispatch_lookup lookup;
};

void by_packet_number(node_run& run, frame& in) noexcept
{
    auto& self = run.context<number_probe>();
    self.note(in);
    run.each(in, [&](packet& p) noexcept { return self.lookup.of(payload_of(p).number); });
}

node_descriptor dispatcher(std::string_view name = "dt-by-number")
{
    auto what =
        relay(name, {"dt-first"}, by_packet_number, {{nobody, "nobody", "no node takes it"}});
    what.context = context_of<number_probe>();
    return what;
}

dispatch_table_descriptor table()
{
    return {.name = "test-number",
            .node = "dt-by-number",
            .key = "number",
            .lowest = 1,
            .highest = 15,
            .hex_digits = 2,
            .otherwise = drop(nobody)};
}

// in -> dt-by-number -> dt-first for 1 to 3 of the nodes below
struct number_graph {
    const dispatch_table_registration numbers{table()};
    const dispatch_registration five{"test-number", 5, "five", "dt-b"};
    const dispatch_registration two{"test-number", 2, "two", "dt-a"};
    const dispatch_registration seven{"test-number", 7, "seven", "dt-a"};
    const dispatch_registration own{"test-number", 9, "nine", "dt-by-number"};
    const dispatch_registration absent{"test-number", 11, "eleven", "dt-not-here"};
    graph_tester tester{{source("in", {"dt-by-number"}), dispatcher(), sink("dt-first"),
                         sink("dt-a"), sink("dt-b")}};

    [[nodiscard]] lines nexts(std::string_view node)
    {
        lines found;
        for (const node_id next : tester.engine.registry().find(node)->nexts)
            found.push_back(tester.engine.registry().at(next).name);
        return found;
    }
};

// What stands in the way of registrations that are there for a moment.
std::string fault(const std::vector<const node_registration*>& more = {})
{
    std::vector<const node_registration*> nodes{more};
    const auto own = private_registration(sink("dt-a"));
    const auto other = private_registration(sink("dt-b"));
    const auto by = private_registration(relay("dt-by-number", {}));
    nodes.insert(nodes.end(), {&own, &other, &by});
    for (const auto* registered : registered_nodes()) // for the tables of the daemon
        nodes.push_back(registered);
    const auto registry = node_registry::of(nodes);
    REQUIRE(registry);
    const auto checked = dispatch_tables::check(*registry);
    return checked ? "" : checked.error().message;
}

} // namespace

TEST_CASE("packets go by their key, and those of nobody's otherwise", "[graph][dispatch-table]")
{
    number_graph g;
    CHECK(g.nexts("dt-by-number") == lines{"dt-first", "dt-a", "dt-b"}); // in order of the keys
    g.tester.send("in", 16);
    CHECK(g.tester.at("dt-a").numbers == std::vector<uint32_t>{2, 7});
    CHECK(g.tester.at("dt-b").numbers == std::vector<uint32_t>{5});
    CHECK(g.tester.at("dt-first").numbers.empty());
    CHECK(g.tester.dropped("dt-by-number", nobody) == 13);
}

TEST_CASE("a table's slots belong to their keys, and clones have them too",
          "[graph][dispatch-table]")
{
    number_graph g;
    auto& nodes = g.tester.engine.registry();
    const auto shrunk = nodes.shrink(g.tester.id("dt-by-number"), 2);
    REQUIRE(!shrunk);
    CHECK(shrunk.error().message == "slot 2 of `dt-by-number' belongs to number 0x05");
    REQUIRE(nodes.clone("dt-by-number", "dt-clone", nullptr));
    CHECK(g.nexts("dt-clone") == g.nexts("dt-by-number"));
}

TEST_CASE("keys have the names of their registrations", "[graph][dispatch-table]")
{
    const number_graph g;
    CHECK(dispatch_key_name("test-number", 5) == "five");
    CHECK(dispatch_key_name("test-number", 6).empty());
    CHECK(dispatch_key_name("no-such-table", 5).empty());
    CHECK(dispatch_key_text("test-number", 5) == "0x05");
    const auto keys = dispatch_keys("test-number");
    REQUIRE(keys.size() == 5);
    CHECK(keys.front()->name == "two");
}

TEST_CASE("the daemon's own tables are sound", "[graph][dispatch-table]")
{
    CHECK(fault() == "");
    const auto nodes = node_registry::registered();
    REQUIRE(nodes);
    const auto* node = nodes->find("ethernet-input");
    REQUIRE(node->nexts.size() == 2);
    CHECK(nodes->at(node->nexts[0]).name == "ip4-input"); // the usual way is the first slot
    CHECK(nodes->at(node->nexts[1]).name == "arp-input");
}

TEST_CASE("two that take one key are told with both places", "[graph][dispatch-table]")
{
    const dispatch_table_registration numbers{table()};
    const dispatch_registration a{"test-number", 5, "five", "dt-a"};
    const dispatch_registration b{"test-number", 5, "cinq", "dt-b"};
    CHECK(fault() == fmt::format("two nodes handle number 0x05: `dt-a' ({}:{}) and `dt-b' ({}:{})",
                                 __FILE__, a.where.line(), __FILE__, b.where.line()));
}

TEST_CASE("what the table's node deals with itself cannot be taken", "[graph][dispatch-table]")
{
    const dispatch_registration tag{"ethertype", 0x8100, "mine", "dt-a"};
    CHECK_THAT(fault(), Contains("two nodes handle EtherType 0x8100: `ethernet-input' (") &&
                            Contains("and `dt-a' ("));
}

TEST_CASE("two tables of one name are told with both places", "[graph][dispatch-table]")
{
    const dispatch_table_registration one{table()};
    const dispatch_table_registration two{table()};
    CHECK(fault() == fmt::format("two dispatch tables are called `test-number': {}:{} and {}:{}",
                                 __FILE__, one.where.line(), __FILE__, two.where.line()));
}

TEST_CASE("a key that cannot be is refused", "[graph][dispatch-table]")
{
    const dispatch_table_registration numbers{table()};
    const dispatch_registration low{"test-number", 0, "none", "dt-a"};
    const dispatch_registration high{"test-number", 16, "many", "dt-a"};
    const dispatch_registration nowhere{"test-number", 1, "one", "dt-not-here"};
    const dispatch_registration adrift{"no-such-table", 1, "one", "dt-a"};
    const dispatch_registration input{"test-number", 3, "three", "epoll-input"};
    const auto all = fault();
    CHECK_THAT(all, Contains("node `dt-a' registers for number 0x00, expected one from 0x01 to "
                             "0x0f: "));
    CHECK_THAT(all, Contains("node `dt-a' registers for number 0x10"));
    CHECK_THAT(all, Contains("number 0x01 is registered for node `dt-not-here', which does not "
                             "exist: "));
    CHECK_THAT(all, Contains("node `dt-a' registers for key 1 of the table `no-such-table', which "
                             "does not exist: "));
    CHECK_THAT(all, Contains("number 0x03 is registered for the pre-input node `epoll-input': "));
}
