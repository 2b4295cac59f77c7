// SPDX-License-Identifier: Apache-2.0
// Counters as people read them: differences since a clear, and show runtime, errors, workers and
// processes, as text and as data.
#include "control/show/statistics.hh"
#include "tests/graph/graph_tester.hh"

#include <catch2/catch.hpp>
#include <rte_cycles.h>

using namespace weft;
using Catch::Contains;

namespace {

const std::vector<reason> two_reasons{{0, "cold", "it is too cold", severity::warning},
                                      {1, "never", "it never happens"}};

constexpr uint64_t long_time = 2'000'000; // TSC cycles

// Drops every fourth packet; takes long when there are seven.
void judge(node_run& run, frame& in) noexcept
{
    if (in.count == 7)
        for (const uint64_t from = rte_rdtsc(); rte_rdtsc() - from < long_time;)
            ;
    run.each(in, [](packet& p) { return payload_of(p).number % 4 == 0 ? drop(0) : verdict{0}; });
}

struct counted_graph {
    graph_tester tester;

    explicit counted_graph(std::vector<unsigned> workers = {})
        : tester{{source("in", {"judge"}), relay("judge", {"end"}, judge, two_reasons), output()},
                 std::move(workers)}
    {
        tester.publish_and_adopt();
        stats().clear_runtime();
    }
    static node_descriptor output()
    {
        auto made = sink("end");
        made.role = node_role::output;
        return made;
    }
    [[nodiscard]] statistics& stats() { return tester.engine.module<statistics>(); }
    [[nodiscard]] node_statistics of(std::string_view name)
    {
        for (const auto& each : stats().of_thread(0).nodes)
            if (each.id == tester.id(name))
                return each;
        return {};
    }
    // The row of a node in the first thread of `show runtime`.
    [[nodiscard]] nlohmann::ordered_json row(std::string_view name)
    {
        const auto data = tester.json("show runtime");
        for (const auto& each : data["threads"][0]["nodes"])
            if (each["name"] == name)
                return each;
        return {};
    }
};

} // namespace

TEST_CASE("calls and packets of each node are counted", "[graph][statistics]")
{
    counted_graph g;
    g.tester.send("in", 100);
    g.tester.send("in", 50);
    CHECK(g.of("judge").calls == 2);
    CHECK(g.of("judge").vectors == 150);
    CHECK(g.of("judge").clocks > 0);
    CHECK(g.of("end").vectors == 112);
    CHECK(g.of("drop").vectors == 38);
    CHECK(g.stats().of_thread(0).entered == 150);
    CHECK(g.stats().of_thread(0).loops == 2);
    CHECK(g.stats().sent(g.tester.id("judge"), 0) == 112);
}

TEST_CASE("nodes are listed by name", "[graph][statistics]")
{
    counted_graph g;
    std::vector<std::string> listed;
    for (const auto& each : g.stats().of_thread(0).nodes)
        listed.push_back(g.tester.engine.registry().at(each.id).name);
    CHECK(listed == std::vector<std::string>{"drop", "end", "handoff-input", "in", "judge"});
}

TEST_CASE("after a clear counts begin anew, those of reasons by themselves", "[graph][statistics]")
{
    counted_graph g;
    g.tester.send("in", 100);
    g.tester.clock.advance(7s);
    CHECK(g.tester.command("clear runtime") == "");
    CHECK(g.of("judge").calls == 0);
    CHECK(g.of("judge").clocks == 0);
    CHECK(g.stats().of_thread(0).seconds == 0);
    CHECK(g.stats().of_thread(0).loops == 0);
    CHECK(g.stats().reasons().size() == 1); // as they were
    g.tester.clock.advance(3s);
    g.tester.send("in", 20);
    CHECK(g.of("judge").vectors == 20);
    CHECK(g.stats().of_thread(0).seconds == Approx(3));
    CHECK(g.stats().of_thread(0).entered == 20);
    CHECK(g.tester.store("judge").counters.vectors.get() == 120); // the thread's own go on
}

TEST_CASE("the costliest call is remembered with its packets", "[graph][statistics]")
{
    counted_graph g;
    for (const uint32_t count : {1u, 7u, 100u})
        g.tester.send("in", count);
    CHECK(g.of("judge").max_clocks >= long_time);
    CHECK(g.of("judge").max_clocks_vectors == 7);
    const auto max = g.tester.json("show runtime max")["threads"][0]["nodes"];
    const auto row =
        std::find_if(max.begin(), max.end(), [](auto& n) { return n["name"] == "judge"; });
    REQUIRE(row != max.end());
    CHECK((*row)["max_node_clocks"] == g.of("judge").max_clocks);
    CHECK((*row)["vectors_at_max"] == 7);
}

TEST_CASE("after a clear the costliest call is looked for anew", "[graph][statistics]")
{
    counted_graph g;
    g.tester.send("in", 7);
    g.stats().clear_runtime();
    CHECK(g.of("judge").max_clocks == 0); // though its thread has not heard of it
    CHECK(g.of("judge").max_clocks_vectors == 0);
    g.tester.send("in", 3);
    CHECK(g.of("judge").max_clocks > 0);
    CHECK(g.of("judge").max_clocks_vectors == 3);
}

TEST_CASE("a node that missed a clear forgets when it comes back", "[graph][statistics]")
{
    graph_tester t{{source("in", {"a"}), source("other", {"a"}), sink("a")}};
    auto& stats = t.engine.module<statistics>();
    const auto in = [&] {
        for (const auto& each : stats.of_thread(0).nodes)
            if (each.id == t.id("in"))
                return each;
        return node_statistics{};
    };
    t.send("in", 7);
    const auto before = in().max_clocks;
    CHECK(before > 0);
    t.publish_and_adopt();
    CHECK(in().max_clocks >= before);              // a plan alone clears nothing
    t.engine.registry().at(t.id("in")).thread = 9; // in no plan of this thread
    t.publish_and_adopt();
    stats.clear_runtime();
    t.engine.run_main_once();
    CHECK(in().max_clocks == 0);
    t.engine.registry().at(t.id("in")).thread.reset();
    t.publish_and_adopt(); // polled in this loop already
    CHECK(in().max_clocks > 0);
    CHECK(in().max_clocks_vectors == 0);
}

TEST_CASE("counts go on over 32 bits in differences, rates and tables",
          "[graph][statistics][commands]")
{
    constexpr uint64_t edge = uint64_t{1} << 32;
    counted_graph g;
    auto& counters = const_cast<node_counters&>(g.tester.store("judge").counters);
    counters.calls.set(edge - 2);
    counters.vectors.set(edge - 50);
    counters.clocks.set(edge - 1);
    g.stats().clear_runtime();
    g.tester.send("in", 100);
    g.tester.send("in", 100);
    g.tester.send("in", 100);
    g.tester.clock.advance(2s);
    CHECK(counters.vectors.get() == edge + 250);
    CHECK(g.of("judge").calls == 3);
    CHECK(g.of("judge").vectors == 300);
    CHECK(g.of("judge").clocks < edge);
    const auto node = g.tester.json("show runtime cluster judge")["nodes"][0];
    CHECK(node["objects_per_second"].get<double>() == Approx(150));
    counters.vectors.add(3 * edge); // as a day at full speed does
    CHECK(g.row("judge")["vectors"] == 3 * edge + 300);
    CHECK_THAT(g.tester.command("show runtime"), Contains("12884902188"));
    counters.vectors.set(edge - 1 - edge); // 2^64 - 1: 64 bits wrap too, after centuries
    g.stats().clear_runtime();
    g.tester.send("in", 100);
    CHECK(g.of("judge").vectors == 100);
}

TEST_CASE("a cluster adds nodes up over the threads that are chosen",
          "[graph][statistics][commands]")
{
    counted_graph g{{0, 0}};
    g.tester.send("in", 100);
    g.tester.send("in", 60);
    auto& other =
        const_cast<node_counters&>(g.tester.store("judge", 2).counters); // as the worker would
    other.calls.add(8);
    other.vectors.add(1040);
    other.clocks.add(3000);
    const auto all = g.tester.json("show runtime cluster j*");
    REQUIRE(all["nodes"].size() == 1);
    CHECK(all["threads"] == std::vector<std::string>{"main", "worker-1", "worker-2"});
    const auto& node = all["nodes"][0];
    CHECK(node["name"] == "judge");
    CHECK(node["threads"] == 3);
    CHECK(node["calls"] == 10);
    CHECK(node["objects"] == 1200);
    CHECK(node["objects_per_call"] == 120.0);
    const auto worker = g.tester.json("show runtime cluster judge workers worker-[!1]");
    CHECK(worker["threads"] == std::vector<std::string>{"worker-2"});
    CHECK(worker["nodes"][0]["calls"] == 8);
    CHECK(worker["nodes"][0]["cycles_per_call"] == 375.0);
    CHECK(g.tester.json("show runtime cluster * workers main")["nodes"].size() == 5);
    CHECK_THAT(g.tester.command("show runtime cluster [ej]*"),
               Contains("Cluster of `[ej]*' on main, worker-1, worker-2") &&
                   Contains("Objects/Call") && Contains("end ") && Contains("judge ") &&
                   Contains("120.00"));
    CHECK(g.tester.command("show runtime cluster jugde") ==
          "error: no node on main, worker-1, worker-2 matches `jugde' (see show node)");
    CHECK(g.tester.command("show runtime cluster * workers w") ==
          "error: no thread matches `w'; threads are main, worker-1, worker-2");
}

TEST_CASE("a cluster's rates are since the last look", "[graph][statistics][commands]")
{
    counted_graph g;
    const auto look = [&] { return g.tester.json("show runtime cluster judge")["nodes"][0]; };
    g.tester.send("in", 100);
    g.tester.clock.advance(4s);
    g.tester.engine.run_main_once();
    CHECK(look()["objects_per_second"].get<double>() == Approx(25)); // since the clear
    g.tester.send("in", 30);
    g.tester.send("in", 30);
    g.tester.clock.advance(2s);
    g.tester.engine.run_main_once();
    auto now = look();
    CHECK(now["objects_per_second"].get<double>() == Approx(30));
    CHECK(now["updates_per_second"].get<double>() == Approx(1));
    CHECK(now["objects"] == 160);
    g.tester.clock.advance(50ms); // too soon: another session's look, say
    g.tester.engine.run_main_once();
    g.tester.send("in", 40);
    CHECK(look()["objects_per_second"].get<double>() == Approx(800));
    g.tester.clock.advance(50ms);
    g.tester.engine.run_main_once();
    CHECK(look()["objects_per_second"].get<double>() == Approx(400)); // since the last but one
    g.tester.clock.advance(1s);
    g.tester.engine.run_main_once();
    CHECK(look()["objects_per_second"].get<double>() == 0);
    CHECK(g.tester.command("clear runtime") == "");
    g.tester.send("in", 10);
    g.tester.clock.advance(1s);
    g.tester.engine.run_main_once();
    CHECK(look()["objects_per_second"].get<double>() == Approx(10));
}

TEST_CASE("reasons are summed over threads, and only those that happened", "[graph][statistics]")
{
    counted_graph g{{0}};
    g.tester.send("in", 100);
    g.tester.store("judge", 1).reasons[0].add(5); // as the worker would
    const auto reasons = g.stats().reasons();
    REQUIRE(reasons.size() == 1);
    CHECK(reasons[0].node == g.tester.id("judge"));
    CHECK(reasons[0].reason == 0);
    CHECK(reasons[0].count == 30);
    g.stats().clear_reasons();
    CHECK(g.stats().reasons().empty());
    g.tester.send("in", 4);
    CHECK(g.stats().reasons()[0].count == 1);
}

TEST_CASE("show runtime has VPP's heading, rates and columns", "[graph][statistics][commands]")
{
    counted_graph g;
    g.tester.send("in", 100);
    g.tester.send("in", 60);
    g.tester.clock.advance(2s);
    const auto text = g.tester.command("show runtime");
    CHECK_THAT(text,
               Contains("Time 2.0, 2 sec internal node vector rate 53.33 loops/sec 1.00\n"
                        "  vector rates in 8.0000e1, out 6.0000e1, drop 2.0000e1, punt 0.0000e0") ||
                   Contains("vector rates in 8.0000e+01, out 6.0000e+01, drop 2.0000e+01, "
                            "punt 0.0000e+00\n"));
    CHECK_THAT(text, Contains("sec internal node vector rate 53.33 loops/sec 1.00"));
    CHECK_THAT(text, Contains("Name") && Contains("State") && Contains("Calls") &&
                         Contains("Vectors") && Contains("Suspends") && Contains("Clocks") &&
                         Contains("Vectors/Call"));
    CHECK(text.find("drop ") < text.find("judge "));
    CHECK(text.find("handoff-input") == std::string::npos); // it never ran
}

TEST_CASE("show runtime gives each node's row as data", "[graph][statistics][commands]")
{
    counted_graph g;
    g.tester.send("in", 100);
    g.tester.send("in", 50);
    const auto row = g.row("judge");
    CHECK(row["state"] == "active");
    CHECK(row["calls"] == 2);
    CHECK(row["vectors"] == 150);
    CHECK(row["vectors_per_call"] == 75.0);
    CHECK(row["clocks"].get<double>() * 150 == Approx(row["clocks_per_call"].get<double>() * 2));
    CHECK(g.row("in")["state"] == "polling");
    CHECK(g.row("nobody").is_null());
}

TEST_CASE("show runtime lists processes with the main thread's nodes",
          "[graph][statistics][commands]")
{
    counted_graph g;
    REQUIRE(g.tester.engine.loop().start("sleeper", [](process& self) {
        for (;;)
            self.sleep_for(1h);
    }));
    g.tester.engine.run_main_once();
    CHECK(g.row("sleeper")["state"] == "time wait");
    CHECK(g.row("sleeper")["calls"] == 1);
    CHECK(g.row("sleeper")["suspends"] == 1);
    CHECK(g.tester.command("clear runtime") == "");
    CHECK(g.row("sleeper").is_null());
}

TEST_CASE("show runtime can be cut to a summary, to maxima, to one thread",
          "[graph][statistics][commands]")
{
    counted_graph g{{0}};
    g.tester.send("in", 7);
    CHECK_THAT(g.tester.command("show runtime"), Contains("Thread 0 main (lcore 0)") &&
                                                     Contains("Thread 1 worker-1 (lcore 0)") &&
                                                     Contains("---------------"));
    CHECK_THAT(g.tester.command("show runtime summary"),
               Contains("vector rates") && !Contains("judge"));
    CHECK_THAT(g.tester.command("show runtime max"), Contains("Max") && Contains("judge"));
    CHECK_THAT(g.tester.command("show runtime worker 1"),
               Contains("worker-1") && !Contains("Thread 0"));
    CHECK(g.tester.json("show runtime worker 1")["threads"].size() == 1);
    CHECK(g.tester.json("show runtime max")["max"] == true);
    CHECK_THAT(g.tester.command("show runtime worker 2"),
               Contains("error: no thread 2") && Contains("0 (main) to 1"));
}

TEST_CASE("show errors lists what was dropped, why and how often", "[graph][statistics][commands]")
{
    counted_graph g;
    CHECK(g.tester.json("show errors")["errors"].empty());
    g.tester.send("in", 100);
    const auto rows = g.tester.json("show errors")["errors"];
    REQUIRE(rows.size() == 1);
    CHECK(rows[0].dump() == R"({"count":25,"node":"judge","reason":"cold","severity":"warning",)"
                            R"("description":"it is too cold"})");
    const auto text = g.tester.command("show errors");
    CHECK_THAT(text,
               Contains("Count") && Contains("Node") && Contains("Reason") && Contains("Severity"));
    CHECK_THAT(text, Contains("25 judge") && Contains("cold") && Contains("it is too cold"));
    CHECK(g.tester.command("clear errors") == "");
    CHECK(g.tester.json("show errors")["errors"].empty());
}

TEST_CASE("show workers lists each thread with its counts", "[graph][statistics][commands]")
{
    counted_graph g{{1}};
    g.tester.send("in", 100);
    g.tester.publish_and_adopt();
    const auto rows = g.tester.json("show workers")["workers"];
    REQUIRE(rows.size() == 2);
    CHECK(rows[0]["name"] == "main");
    CHECK(rows[0]["type"] == "main");
    CHECK(rows[0]["packets_in"] == 100);
    CHECK(rows[0]["plan_changes"] == 2);
    CHECK(rows[0]["longest_pause_us"].get<double>() > 0);
    CHECK(rows[0]["longest_pause_cause"] == "plan");
    CHECK(rows[1]["longest_pause_cause"] == ""); // it never ran
    CHECK(rows[1]["name"] == "worker-1");
    CHECK(rows[1]["type"] == "worker");
    CHECK(rows[1]["core"] == 1);
    CHECK(rows[1]["loops"] == 0);
    CHECK_THAT(g.tester.command("show workers"), Contains("Longest pause us") &&
                                                     Contains("Cause") && Contains("worker-1") &&
                                                     Contains("Sleeps"));
}

TEST_CASE("show processes lists what each waits for, and its stack",
          "[graph][statistics][commands]")
{
    counted_graph g;
    REQUIRE(g.tester.engine.loop().start("sleeper", [](process& self) { self.sleep_for(90s); }));
    REQUIRE(g.tester.engine.loop().start("listener", [](process& self) {
        for (;;)
            (void)self.wait_event();
    }));
    g.tester.engine.run_main_once();
    g.tester.clock.advance(30s);
    REQUIRE(g.tester.engine.loop().signal(g.tester.engine.loop().find("listener"), event{}));
    g.tester.engine.run_main_once();
    const auto rows = g.tester.json("show processes")["processes"];
    REQUIRE(rows.size() == 2);
    CHECK(rows[0]["name"] == "sleeper");
    CHECK(rows[0]["state"] == "time wait");
    CHECK(rows[0]["time_left_s"].get<double>() == Approx(60).margin(0.1));
    CHECK(rows[1]["state"] == "event wait");
    CHECK(rows[1]["time_left_s"].is_null());
    CHECK(rows[1]["events"] == 1);
    CHECK(rows[1]["runs"] == 2);
    CHECK(rows[1]["stack_used"] > 0);
    CHECK(rows[1]["stack_used"] < rows[1]["stack_size"]);
    CHECK_THAT(g.tester.command("show processes"), Contains("Stack used") &&
                                                       Contains("time wait") && Contains("60.00") &&
                                                       Contains("listener"));
}
