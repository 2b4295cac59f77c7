// SPDX-License-Identifier: Apache-2.0
// The packet trace: what is sampled, what is recorded of it, and `show trace`.
#include "graph/trace.hh"
#include "tests/graph/graph_tester.hh"

#include <catch2/catch.hpp>
#include <set>

using namespace weft;
using Catch::Contains;

namespace {

const std::vector<reason> one_reason{{0, "odd", "its number is odd"}};

void drop_odd(node_run& run, frame& in) noexcept
{
    run.each(in, [](packet& p) { return payload_of(p).number % 2 == 1 ? drop(0) : verdict{0}; });
}

std::string number_text(const trace_record& record)
{
    const auto* number = record.header<std::array<std::byte, 4>>(0);
    return number == nullptr ? "?" : fmt::format("number {}", static_cast<int>((*number)[0]));
}

node_descriptor with_number(node_descriptor node)
{
    node.format_trace = number_text;
    return node;
}

// in -> first -> judge -> end | drop
struct traced_graph {
    graph_tester tester{{with_number(source("in", {"first"})), relay("first", {"judge"}),
                         with_number(relay("judge", {"end"}, drop_odd, one_reason)), sink("end")}};

    traced_graph() { tester.publish_and_adopt(); }

    void arm(std::string_view node, uint32_t count)
    {
        CHECK(tester.command(fmt::format("trace add {} {}", node, count)) == "");
    }
    [[nodiscard]] std::span<const trace_record> records()
    {
        return tester.engine.main().trace()->records();
    }
    // The nodes of each traced packet, by the order in which they were sampled.
    [[nodiscard]] std::vector<lines> ways()
    {
        std::map<uint32_t, lines> found;
        for (const auto& each : records())
            found[each.trace_id].push_back(tester.engine.registry().at(each.node).name);
        std::vector<lines> all;
        for (auto& [id, way] : found)
            all.push_back(std::move(way));
        return all;
    }
};

} // namespace

TEST_CASE("as many packets are traced as were asked for, by each node in order", "[graph][trace]")
{
    traced_graph g;
    g.arm("in", 3);
    g.tester.send("in", 10);
    g.tester.send("in", 10);
    CHECK(g.ways() == std::vector<lines>{{"in", "first", "judge", "end"},
                                         {"in", "first", "judge", "drop"},
                                         {"in", "first", "judge", "end"}});
    CHECK(g.tester.at("end").packets.get() == 10);
}

TEST_CASE("nothing is recorded unless asked for", "[graph][trace]")
{
    traced_graph g;
    g.tester.send("in", 10);
    CHECK(g.tester.engine.main().trace() == nullptr);
    CHECK(g.tester.command("show trace") == "No packets in trace buffer");
    g.arm("first", 1);
    CHECK(g.records().empty());
}

TEST_CASE("a trace may begin at any node", "[graph][trace]")
{
    traced_graph g;
    g.arm("judge", 2);
    g.tester.send("in", 10);
    CHECK(g.ways() == std::vector<lines>{{"judge", "end"}, {"judge", "drop"}});
}

TEST_CASE("a trace that begins at drop knows who dropped and why", "[graph][trace]")
{
    traced_graph g;
    g.arm("drop", 1);
    g.tester.send("in", 10);
    CHECK(g.ways() == std::vector<lines>{{"drop"}});
    CHECK_THAT(g.tester.command("show trace"), Contains("judge: odd (its number is odd)"));
}

TEST_CASE("a packet that is traced already is not sampled again", "[graph][trace]")
{
    traced_graph g;
    g.arm("in", 2);
    g.arm("judge", 2);
    g.tester.send("in", 10);
    // two from the beginning, and the next two from `judge` on
    CHECK(g.ways() == std::vector<lines>{{"in", "first", "judge", "end"},
                                         {"in", "first", "judge", "drop"},
                                         {"judge", "end"},
                                         {"judge", "drop"}});
}

TEST_CASE("asking again adds to what is still to come", "[graph][trace]")
{
    traced_graph g;
    g.arm("in", 3);
    g.tester.send("in", 2);
    g.arm("in", 2);
    g.tester.send("in", 10);
    CHECK(g.ways().size() == 5);
}

TEST_CASE("a record holds the packet as the node left it", "[graph][trace]")
{
    traced_graph g;
    g.arm("in", 2);
    const uint64_t before = rte_rdtsc();
    g.tester.send("in", 2);
    REQUIRE(g.records().size() == 8);
    uint64_t last = before;
    for (const auto& each : g.records()) {
        CHECK(each.length == sizeof(payload));
        CHECK(each.captured == sizeof(payload));
        CHECK(each.thread == 0);
        CHECK((each.metadata.flags & packet_metadata::traced) != 0);
        CHECK(each.tsc >= last);
        last = each.tsc;
    }
    const auto& dropped = g.records()[5];
    CHECK(dropped.to == drop(0));
    CHECK(number_text(dropped) == "number 1");
    CHECK(dropped.note.drop_reason == make_reason_id(g.tester.id("judge"), 0));
}

TEST_CASE("only the beginning of a long packet is recorded", "[graph][trace]")
{
    traced_graph g;
    g.arm("end", 1);
    packet* p = numbered_packet(g.tester.engine, 0);
    REQUIRE(rte_pktmbuf_append(p->mbuf(), 100) != nullptr);
    REQUIRE(g.tester.engine.main().inject_new(g.tester.id("end"), p));
    g.tester.engine.run_main_once();
    REQUIRE(g.records().size() == 1);
    const auto& record = g.records().front();
    CHECK(record.length == 100 + sizeof(payload));
    CHECK(record.captured == trace_record::snapshot);
    CHECK(record.header<std::array<std::byte, 88>>(0) != nullptr);
    CHECK(record.header<std::array<std::byte, 88>>(1) == nullptr);
}

TEST_CASE("clones are traced by their own name or their template's", "[graph][trace]")
{
    auto port = source("port", {"end"});
    auto tx = sink("tx");
    port.is_template = tx.is_template = true;
    for (const auto* armed : {"port", "port-a", "tx", "tx-a"}) {
        graph_tester t{{port, tx, sink("end")}};
        auto& registry = t.engine.registry();
        REQUIRE(registry.clone("port", "port-a", nullptr));
        REQUIRE(registry.clone("tx", "tx-a", nullptr));
        const auto slot = registry.add_next(t.id("port-a"), t.id("tx-a"));
        t.publish_and_adopt();
        t.at("port-a").slot = *slot;
        CHECK(t.command(fmt::format("trace add {} 2", armed)) == "");
        t.send("port-a", 5);
        const auto* begin = std::string_view{armed}.starts_with("port") ? "port-a" : "tx-a";
        const auto data = t.json("show trace");
        INFO(armed);
        CHECK(data["all"] == 2);
        CHECK(data["packets"][0]["records"][0]["node"] == begin);
    }
}

TEST_CASE("a full trace loses records, never packets", "[graph][trace]")
{
    traced_graph g;
    for (int n = 0; n < 3; ++n)
        g.arm("in", 1000);
    g.tester.send("in", 3000);
    const auto* buffer = g.tester.engine.main().trace();
    CHECK(buffer->records().size() == trace_buffer::capacity);
    CHECK(buffer->lost() == 3000 * 4 - trace_buffer::capacity);
    CHECK(g.tester.at("end").packets.get() == 1500);
    CHECK(g.tester.dropped("judge", 0) == 1500);
    CHECK_THAT(g.tester.command("show trace"),
               Contains(fmt::format("{} records lost", 12000 - trace_buffer::capacity)));
    CHECK(g.tester.json("show trace")["records_lost"] == 12000 - trace_buffer::capacity);
}

TEST_CASE("show trace prints each packet's way with the nodes' own details", "[graph][trace]")
{
    traced_graph g;
    g.arm("in", 2);
    g.tester.send("in", 5);
    const auto text = g.tester.command("show trace");
    CHECK_THAT(text, Contains("------------------- Start of thread 0 main -------------------\n"
                              "Packet 1\n\n"));
    CHECK_THAT(text, Contains(": in\n  number 0\n  next first\n"));
    CHECK_THAT(text, Contains(": first\n  next judge\n"));
    CHECK_THAT(text, Contains(": judge\n  number 0\n  next end\n"));
    CHECK_THAT(text, Contains("Packet 2\n"));
    CHECK_THAT(text, Contains(": judge\n  number 1\n  drop: odd (its number is odd)\n"));
    CHECK_THAT(text, Contains(": drop\n  judge: odd (its number is odd)"));
    CHECK(text.find("Packet 3") == std::string::npos);
    CHECK(text.back() != '\n');
}

TEST_CASE("show trace gives the same as data", "[graph][trace]")
{
    traced_graph g;
    g.arm("in", 1);
    g.tester.send("in", 1);
    const auto data = g.tester.json("show trace");
    CHECK(data["all"] == 1);
    const auto& packet = data["packets"][0];
    CHECK(packet["thread_name"] == "main");
    REQUIRE(packet["records"].size() == 4);
    CHECK(packet["records"][2]["node"] == "judge");
    CHECK(packet["records"][2]["detail"] == "number 0\nnext end");
    CHECK(packet["records"][2]["length"] == sizeof(payload));
    CHECK(packet["records"][3]["detail"] == "");
}

TEST_CASE("show trace prints fifty packets unless told", "[graph][trace]")
{
    traced_graph g;
    g.arm("in", 60);
    g.tester.send("in", 100);
    CHECK(g.tester.json("show trace")["packets"].size() == 50);
    CHECK(g.tester.json("show trace max 60")["packets"].size() == 60);
    CHECK(g.tester.json("show trace max 3")["all"] == 60);
    CHECK_THAT(g.tester.command("show trace max 3"),
               Contains("Packet 3") && !Contains("Packet 4") && Contains("57 more packets"));
}

TEST_CASE("a cleared trace records nothing until it is asked again", "[graph][trace]")
{
    traced_graph g;
    g.arm("in", 100);
    g.tester.send("in", 5);
    CHECK(g.tester.command("clear trace") == "");
    g.tester.send("in", 5);
    CHECK(g.tester.command("show trace") == "No packets in trace buffer");
    CHECK(g.tester.engine.rcu().pending() == 0); // the old one is freed
    g.arm("in", 1);
    g.tester.send("in", 5);
    CHECK(g.ways().size() == 1);
}

TEST_CASE("a trace of nothing or too much or nowhere is refused", "[graph][trace]")
{
    traced_graph g;
    CHECK_THAT(g.tester.command("trace add in 0"),
               Contains("error") && Contains("between 1 and 1000"));
    CHECK_THAT(g.tester.command("trace add in 1001"), Contains("error") && Contains("1001"));
    CHECK_THAT(g.tester.command("trace add nobody 1"), Contains("error") && Contains("nobody"));
    CHECK(g.tester.engine.main().trace() == nullptr);
}

TEST_CASE("a kept packet goes on in the trace when it goes on", "[graph][trace]")
{
    graph_tester t{{source("in", {"wait"}),
                    relay("wait", {"end"},
                          [](node_run& run, frame& in) noexcept {
                              run.each(in, [&](packet& p) {
                                  run.context<probe>().held.push_back(&p);
                                  run.kept(p);
                                  return consumed;
                              });
                          }),
                    sink("end")}};
    t.publish_and_adopt();
    CHECK(t.command("trace add in 1") == "");
    t.send("in", 1);
    REQUIRE(t.engine.main().inject_kept(t.id("end"), t.at("wait").held.front()));
    t.engine.run_main_once();
    const auto records = t.json("show trace")["packets"][0]["records"];
    REQUIRE(records.size() == 3);
    CHECK(records[1]["node"] == "wait");
    CHECK(records[2]["node"] == "end");
}
