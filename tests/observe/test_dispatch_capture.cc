// SPDX-License-Identifier: Apache-2.0
// The capture of vectors: its commands, what gets into the file, and its replay.
#include "graph/adjacency_names.hh"
#include "observe/dispatch_capture.hh"
#include "observe/replay.hh"
#include "tests/base/temporary_directory.hh"
#include "tests/graph/graph_tester.hh"

#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>
#include <sys/resource.h>

using namespace weft;
using Catch::Contains;

namespace {

void note_and_drop_third(node_run& run, frame& in) noexcept
{
    run.context<probe>().note(in);
    run.each(in, [](packet& p) { return payload_of(p).number % 3 == 0 ? drop(0) : verdict{0}; });
}

node_descriptor transmitter(std::string_view name)
{
    auto node = sink(name);
    node.role = node_role::output;
    return node;
}

// in -> first -> judge -> out | drop
struct captured_graph {
    graph_tester tester{
        {source("in", {"first"}), relay("first", {"judge"}),
         relay("judge", {"out"}, note_and_drop_third, {{0, "third", "every third is"}}),
         transmitter("out")}};
    temporary_directory directory;
    const std::string file = directory.file("c.pcapng");

    captured_graph() { tester.publish_and_adopt(); }

    [[nodiscard]] std::string on(const std::string& more = "")
    {
        return tester.command("capture dispatch on " + file + more);
    }
    // Lets the capture's process write, and the grace period pass.
    void settle()
    {
        for (int i = 0; i < 5; ++i) {
            tester.clock.advance(5ms);
            tester.engine.run_main_once();
        }
    }
    [[nodiscard]] recording finish()
    {
        settle();
        CHECK_THAT(tester.command("capture dispatch off"), Contains("capture "));
        settle();
        CHECK(tester.json("show capture")["state"] == "off");
        auto read = read_recording(file);
        REQUIRE(read);
        return std::move(*read);
    }
    [[nodiscard]] recording record(uint32_t packets, const std::string& more = "")
    {
        CHECK(on(more) == "");
        tester.send("in", packets);
        return finish();
    }
    [[nodiscard]] std::string fault(const recording& what)
    {
        replay_clock clock;
        const auto done = replay(tester.engine, what, clock);
        return done ? "replayed" : done.error().message;
    }
};

[[nodiscard]] nlohmann::ordered_json replayed(const recording& what)
{
    captured_graph g;
    replay_clock clock;
    auto done = replay(g.tester.engine, what, clock);
    INFO((done ? "" : done.error().message));
    REQUIRE(done);
    return *done;
}

} // namespace

TEST_CASE("packets are recorded once, where they come into the graph", "[capture]")
{
    captured_graph g;
    const auto read = g.record(300);
    REQUIRE(read.packets.size() == 300);
    CHECK(read.packets[0].node == "first");
    CHECK(read.packets[0].size == 256);
    CHECK(read.packets[256].vector == 2);
    CHECK(read.packets[299].place == 43);
    CHECK(read.packets[299].bytes.size() == sizeof(payload));
    CHECK(g.tester.at("out").packets.get() == 200); // nobody was held up
    const auto data = g.tester.json("show capture");
    CHECK(data["packets"] == 300);
    CHECK(data["vectors"] == 2);
    CHECK(data["missed"] == 0);
    CHECK(data["nodes"] == std::vector<std::string>{"first"});
    CHECK(data["bytes"] == read.file.size());
}

TEST_CASE("a next node that an input got later records nothing a second time", "[capture]")
{
    captured_graph g;
    REQUIRE(g.tester.engine.registry().add_next(g.tester.id("in"), g.tester.id("judge")));
    const auto read = g.record(10);
    CHECK(read.packets.size() == 10);
    CHECK(g.tester.json("show capture")["nodes"] == std::vector<std::string>{"first"});
}

TEST_CASE("chosen nodes are recorded, each with what it is given", "[capture]")
{
    captured_graph g;
    const auto read = g.record(9, " node drop node out");
    REQUIRE(read.packets.size() == 9);
    std::map<std::string, size_t> by_node;
    for (const auto& p : read.packets)
        ++by_node[p.node];
    CHECK(by_node == std::map<std::string, size_t>{{"drop", 3}, {"out", 6}});
    for (const auto& p : read.packets)
        CHECK(p.reason == (p.node == "drop" ? "judge:third" : ""));
}

TEST_CASE("a capture ends after as many packets as were asked for", "[capture]")
{
    captured_graph g;
    CHECK(g.on(" max 10") == "");
    g.tester.send("in", 300);
    g.settle();
    CHECK(g.tester.json("show capture")["state"] == "off");
    CHECK(g.tester.engine.main().trace() == nullptr); // threads look for nothing any more
    CHECK(read_recording(g.file)->packets.size() == 10);
    CHECK(g.tester.command("capture dispatch off") == "error: no capture is running");
}

TEST_CASE("a capture and a trace do not end each other", "[capture][trace]")
{
    captured_graph g;
    CHECK(g.on() == "");
    CHECK(g.tester.command("trace add judge 1") == "");
    g.tester.send("in", 5);
    CHECK(g.tester.command("clear trace") == "");
    g.tester.send("in", 5);
    CHECK(g.tester.command("trace add judge 2") == "");
    CHECK(g.finish().packets.size() == 10);
    g.tester.send("in", 5);
    CHECK(g.tester.json("show trace")["all"] == 2);
    CHECK(g.tester.command("clear trace") == "");
    CHECK(g.tester.engine.main().trace() == nullptr);
}

TEST_CASE("what cannot be captured is refused", "[capture]")
{
    captured_graph g;
    CHECK_THAT(g.tester.command("capture dispatch on x"), Contains("not an absolute path"));
    CHECK_THAT(g.on(" node in"), Contains("`in' receives no vectors"));
    CHECK_THAT(g.on(" node nobody"), Contains("error") && Contains("nobody"));
    CHECK_THAT(g.on(" max 0"), Contains("max: 0 is not between 1 and"));
    CHECK_THAT(g.on(" snap 63"), Contains("snap: 63 is not between 64 and"));
    CHECK_THAT(g.tester.command("capture dispatch on /nowhere/x"), Contains("No such file"));
    CHECK(g.tester.command("show capture") == "no vectors have been captured");
    std::ofstream{g.file} << "mine";
    CHECK_THAT(g.on(), Contains("File exists"));
    std::filesystem::remove(g.file);
    CHECK(g.on() == "");
    CHECK_THAT(g.on(), Contains("a capture to " + g.file + " is running"));
}

TEST_CASE("a full disk ends the capture and says so", "[capture]")
{
    captured_graph g;
    CHECK_THAT(g.tester.command("capture dispatch on /dev/full"), Contains("File exists"));
    CHECK(g.on() == "");
    const rlimit small{4096, RLIM_INFINITY};
    rlimit before{};
    getrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    g.tester.send("in", 1000);
    g.settle();
    setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, SIG_DFL);
    const auto data = g.tester.json("show capture");
    CHECK(data["state"] == "off");
    CHECK_THAT(data["failure"].get<std::string>(), Contains("File too large"));
    CHECK_THAT(g.tester.command("show capture"), Contains("ended early: "));
    CHECK(g.tester.at("out").packets.get() == 666);
}

TEST_CASE("workers record too", "[capture][thread]")
{
    graph_tester t{{source("in", {"end"}), sink("end")}, {1}};
    temporary_directory directory;
    const auto file = directory.file("c");
    t.start();
    CHECK(t.command("capture dispatch on " + file) == "");
    t.at("in", 1).wanted = 5000;
    t.engine.thread(1).wake();
    CHECK(t.run_until([&] {
        t.clock.advance(5ms);
        return t.json("show capture")["packets"] == 5000;
    }));
    CHECK_THAT(t.command("capture dispatch off"), Contains("capture is ending"));
    CHECK(t.run_until([&] {
        t.clock.advance(5ms);
        return t.json("show capture")["state"] == "off";
    }));
    const auto read = read_recording(file);
    REQUIRE(read);
    CHECK(read->packets.size() == 5000);
    CHECK(read->packets[0].thread == 1);
}

TEST_CASE("a replay does what was recorded, the same each time", "[capture][replay]")
{
    captured_graph g;
    const auto read = g.record(300);
    const auto first = replayed(read);
    CHECK(first["packets"] == 300);
    CHECK(first["vectors"] == 2);
    CHECK(first["waiting"] == 0);
    CHECK(first["reasons"] ==
          nlohmann::ordered_json::parse(R"([{"count": 100, "node": "judge", "reason": "third"}])"));
    REQUIRE(first["sent"].size() == 1);
    CHECK(first["sent"][0]["packets"] == 200);
    CHECK(first["sent"][0]["bytes"] == 200 * sizeof(payload));
    CHECK(replayed(read) == first);
    CHECK_THAT(replay_text(first), Contains("300 packets in 2 vectors replayed") &&
                                       Contains(first["sent"][0]["hash"].get<std::string>()));
}

TEST_CASE("a replay's hash tells what is sent apart, and in which order", "[capture][replay]")
{
    captured_graph g;
    auto read = g.record(30);
    const auto hash_of = [](const recording& what) { return replayed(what)["sent"][0]["hash"]; };
    const auto whole = hash_of(read);
    std::swap(read.packets[1].bytes, read.packets[2].bytes);
    CHECK(hash_of(read) != whole);
}

TEST_CASE("vectors go in where they were recorded, as large as they were", "[capture][replay]")
{
    captured_graph g;
    auto read = g.record(300, " node judge");
    captured_graph other;
    replay_clock clock;
    read.packets.erase(read.packets.begin() + 5, read.packets.begin() + 10); // as Wireshark filters
    REQUIRE(replay(other.tester.engine, read, clock));
    CHECK(other.tester.log().counts("judge") == std::vector<uint32_t>{251, 44});
    CHECK(other.tester.log().counts("first").empty());
    CHECK(other.tester.at("judge").numbers[5] == 10);
}

TEST_CASE("a capture ends before its file is larger than a replay reads", "[capture]")
{
    captured_graph g;
    auto& capture = g.tester.engine.module<dispatch_capture>();
    capture_request small{
        g.file, {g.tester.engine.registry().find("first")->id}, {"first"}, 1000, 75'000, 65535};
    auto buffers = dispatch_capture::make_buffers(g.tester.engine, small, nullptr);
    REQUIRE(capture.begin(std::move(small), std::move(buffers)));
    g.tester.send("in", 300);
    while (capture.step())
        ;
    g.settle();
    CHECK(capture.is() == dispatch_capture::state::off);
    CHECK_THAT(capture.failure(), Contains("a replay reads at most 75000"));
    CHECK(capture.bytes() < 75'000);
    CHECK(read_recording(g.file).value().packets.size() == capture.packets());
    CHECK(capture.packets() < 100);
}

TEST_CASE("vectors of two threads that stand side by side are two", "[capture][replay]")
{
    captured_graph g;
    auto read = g.record(30, " node judge");
    for (size_t i = 10; i < read.packets.size(); ++i)
        read.packets[i].thread = 2; // both are their thread's first one
    captured_graph other;
    replay_clock clock;
    REQUIRE(replay(other.tester.engine, read, clock));
    CHECK(other.tester.log().counts("judge") == std::vector<uint32_t>{10, 20});
}

TEST_CASE("a replay's time goes on for thirty years at most, and never back", "[capture][replay]")
{
    captured_graph g;
    auto read = g.record(2, " node judge");
    REQUIRE(read.packets.size() == 2);
    read.packets[1].vector = 2;
    read.packets[0].nanoseconds = 5;
    read.packets[1].nanoseconds = UINT64_MAX;
    captured_graph other, another;
    replay_clock clock;
    REQUIRE(replay(other.tester.engine, read, clock));
    CHECK(clock.now() == 1000s + std::chrono::nanoseconds{1'000'000'000'000'000'000});
    std::swap(read.packets[0].nanoseconds, read.packets[1].nanoseconds);
    replay_clock back;
    REQUIRE(replay(another.tester.engine, read, back));
    CHECK(back.now() == 1000s);
}

TEST_CASE("a replayed packet has the metadata that it had", "[capture][replay]")
{
    static packet_metadata seen_mark;
    static packet_note seen_note;
    captured_graph g;
    auto read = g.record(2, " node out");
    REQUIRE(read.packets.size() == 1);
    auto& p = read.packets[0];
    p.l3_offset = 7;
    p.flags = packet_metadata::locally_made;
    p.icmp_type = 3;
    p.icmp_mtu = 1400;
    graph_tester t{{source("in", {"out"}), relay("out", {}, [](node_run& run, frame& in) noexcept {
                        seen_mark = in.packets[0]->metadata();
                        seen_note = in.packets[0]->note();
                        swallow(run, in);
                    })}};
    t.publish_and_adopt();
    replay_clock clock;
    REQUIRE(replay(t.engine, read, clock));
    CHECK(seen_mark.l3_offset == 7);
    CHECK((seen_mark.flags & packet_metadata::locally_made) != 0);
    CHECK(seen_note.error_type == 3);
    CHECK(seen_note.error_value == 1400);
}

TEST_CASE("what cannot be replayed is refused by packet", "[capture][replay]")
{
    captured_graph g;
    const auto read = g.record(3);
    const auto fault = [&](auto&& change) {
        auto changed = read;
        change(changed.packets[1]);
        return g.fault(changed);
    };
    const auto place = fmt::format("the packet at byte {}: ", read.packets[1].at);
    CHECK_THAT(fault([](auto& p) { p.node = "gone"; }),
               Contains(place + "this configuration has no node `gone'"));
    CHECK_THAT(fault([](auto& p) { p.node = "in"; }), Contains("`in' receives no vectors here"));
    CHECK_THAT(fault([](auto& p) { p.length = 1500; }),
               Contains(place + "12 of its 1500 bytes were recorded"));
    CHECK_THAT(fault([](auto& p) { p.reason = "judge:fourth"; }),
               Contains("no reason `judge:fourth'"));
    CHECK_THAT(fault([](auto& p) {
                   p.adjacency = 9;
                   p.adjacency_text = "via b";
               }),
               Contains(place + "its adjacency does not exist here: `via b'"));
    CHECK_THAT(fault([](auto& p) { p.flags = packet_metadata::aimed; }),
               Contains("no interface `'"));
    const std::vector<std::byte> large(4000);
    CHECK(fault([&](auto& p) {
              p.bytes = large; // in two buffers
              p.length = 4000;
          }) == "replayed");
    auto elsewhere = read;
    elsewhere.interfaces[0].name = "eth7";
    CHECK_THAT(g.fault(elsewhere), Contains("no interface `eth7'"));
    auto endless = read;
    for (int i = 0; i < 257; ++i)
        endless.packets.push_back(endless.packets[0]);
    CHECK_THAT(g.fault(endless), Contains("its vector has 260 packets, more than 256"));
}

TEST_CASE("an adjacency is known again by what it does", "[capture][replay]")
{
    static uint32_t seen;
    captured_graph g;
    auto read = g.record(2, " node out");
    REQUIRE(read.packets.size() == 1);
    read.packets[0].adjacency = 9;
    read.packets[0].adjacency_text = "via b";
    graph_tester t{{source("in", {"out"}), relay("out", {}, [](node_run& run, frame& in) noexcept {
                        seen = in.packets[0]->metadata().adjacency;
                        swallow(run, in);
                    })}};
    t.publish_and_adopt();
    auto& names = t.engine.module<adjacency_names>();
    names.count = [] { return 5u; };
    names.describe = [](uint32_t index) { return index == 3 ? "via b" : "another"; };
    replay_clock clock;
    REQUIRE(replay(t.engine, read, clock));
    CHECK(seen == 3);
}
