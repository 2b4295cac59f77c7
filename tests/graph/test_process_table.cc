// SPDX-License-Identifier: Apache-2.0
// The daemon's processes by name: who may be stopped, what a restart keeps, what the commands say.
#include "graph/process_table.hh"
#include "tests/graph/graph_tester.hh"

#include <stdexcept>

using namespace weft;

namespace {

// What the processes write to lives longer than they do.
struct record {
    int starts = 0;
    std::vector<int> heard;
};

// An engine with the processes `worker' (full control) and `vital' (restart only), and one that is
// in nobody's table.
struct table_tester : record, graph_tester {
    process_table& table = engine.module<process_table>();
    process_id id = 0;

    table_tester() : graph_tester{{source("source", {"sink"}), sink("sink")}}
    {
        publish();
        id = *table.add({"worker", [this](process& self) {
                             ++starts;
                             while (true)
                                 heard.push_back(self.wait_event().as<int>());
                         }});
        REQUIRE(table.add({.name = "vital",
                           .function = [](process& self) { (void)self.wait_event(); },
                           .control = process_control::restart}));
        REQUIRE(
            engine.loop().start("cli-session-1", [](process& self) { (void)self.wait_event(); }));
        run();
    }
    void run() { engine.run_main_once(); }
    [[nodiscard]] process_status status(std::string_view name) const
    {
        for (auto& each : table.status())
            if (each.name == name)
                return each;
        return {};
    }
};

} // namespace

TEST_CASE("a process that is added starts at once", "[graph][process]")
{
    table_tester t;
    CHECK(t.starts == 1);
    CHECK(t.status("worker").state == process_state::waiting_event);
    CHECK(t.table.names() == std::vector<std::string>{"vital", "worker"});
}

TEST_CASE("two processes of one name are told with both places", "[graph][process]")
{
    table_tester t;
    const auto again = t.table.add({"worker", [](process&) {}});
    REQUIRE_FALSE(again.has_value());
    CHECK(again.error().code == errc::exists);
    const auto first = again.error().message.find("test_process_table.cc:");
    CHECK(again.error().message.rfind("test_process_table.cc:") > first);
    CHECK(t.status("worker").state == process_state::waiting_event);
}

TEST_CASE("a stopped process is shown and can be started again", "[graph][process]")
{
    table_tester t;
    CHECK(t.command("process stop worker").empty());
    CHECK(t.status("worker").state == process_state::done);
    CHECK(t.status("worker").waits_for == "stopped by command");
    CHECK_FALSE(t.engine.loop().alive(t.id));
    CHECK(t.command("process stop worker") ==
          "error: process `worker' is not running: stopped by command");
    CHECK(t.command("process start worker").empty());
    t.run();
    CHECK(t.starts == 2);
    CHECK(t.status("worker").starts == 2);
    CHECK(t.command("process start worker") == "error: process `worker' is already running");
}

TEST_CASE("a restarted process begins anew and keeps its number", "[graph][process]")
{
    table_tester t;
    CHECK(t.engine.loop().signal(t.id, event::of(1, 1))); // not taken before the restart
    CHECK(t.command("process restart worker").empty());
    CHECK(t.engine.loop().signal(t.id, event::of(1, 2)));
    t.run();
    t.run();
    CHECK(t.starts == 2);
    CHECK(t.heard == std::vector<int>{2});
    CHECK(t.status("worker").id == t.id);
}

TEST_CASE("what must not be stopped is refused with what can be done", "[graph][process]")
{
    table_tester t;
    CHECK(t.command("process stop vital") ==
          "error: process `vital' cannot be stopped, since the router does not work without it; "
          "use `process restart vital'");
    CHECK(t.command("process restart vital").empty());
    t.run();
    CHECK(t.status("vital").starts == 2);
    CHECK(t.command("process stop cli-session-1") ==
          "error: process `cli-session-1' cannot be stopped separately from what it serves; "
          "expected vital, worker");
    CHECK_THAT(t.command("process restart ghost"), Catch::Contains("no process `ghost', expected"));
    CHECK(t.table.restart("ghost").error().message == "no process `ghost', expected vital, worker");
    CHECK(t.status("cli-session-1").state == process_state::waiting_event);
}

TEST_CASE("how a process ended is remembered", "[graph][process]")
{
    table_tester t;
    REQUIRE(t.table.add({"brief", [](process&) {}}));
    REQUIRE(t.table.add({"unlucky", [](process&) { throw std::runtime_error{"no luck"}; }}));
    t.run();
    CHECK(t.status("brief").waits_for == "returned");
    CHECK(t.status("unlucky").waits_for == "failed: no luck");
    CHECK(t.command("process restart unlucky").empty());
    t.run();
    CHECK(t.status("unlucky").starts == 2);
}

TEST_CASE("a process cannot stop itself by its name", "[graph][process]")
{
    table_tester t;
    errc told{};
    REQUIRE(
        t.table.add({"suicidal", [&](process& self) {
                         told = self.engine().module<process_table>().stop("suicidal").error().code;
                         self.sleep_for(1h);
                     }}));
    t.run();
    CHECK(told == errc::invalid_argument);
    CHECK(t.status("suicidal").state == process_state::waiting_clock);
}

TEST_CASE("a process that is removed is forgotten", "[graph][process]")
{
    table_tester t;
    CHECK(t.table.remove("vital").has_value());
    CHECK(t.table.names() == std::vector<std::string>{"worker"});
    CHECK(t.status("vital").id == 0);
    CHECK(t.table.remove("vital").error().code == errc::not_found);
    CHECK(t.table.add({"vital", [](process&) {}}).has_value());
}

TEST_CASE("the counts of a process that was restarted begin anew", "[graph][process]")
{
    table_tester t;
    for (int n = 0; n < 5; ++n) {
        CHECK(t.engine.loop().signal(t.id, event::of(1, n)));
        t.run();
    }
    CHECK(t.command("clear runtime").empty());
    const auto events = [&] { return t.json("show processes")["processes"][0]["events"]; };
    CHECK(events() == 0);
    CHECK(t.command("process restart worker").empty());
    CHECK(t.engine.loop().signal(t.id, event::of(1, 0)));
    CHECK(events() == 1);
}

TEST_CASE("show processes has a row for each", "[graph][process]")
{
    table_tester t;
    const auto text = t.command("show processes");
    CHECK_THAT(text, Catch::Contains("Waits for") && Catch::Contains("Longest ms"));
    CHECK_THAT(text, Catch::Contains("worker") && Catch::Contains("any event"));
    const auto rows = t.json("show processes")["processes"];
    REQUIRE(rows.size() == 3);
    CHECK(rows[0]["name"] == "worker");
    CHECK(rows[0]["state"] == "event wait");
    CHECK(rows[0]["stack_size"] == 65536);
    CHECK(rows[0]["starts"] == 1);
    CHECK(rows[0]["time_left_s"].is_null());
}

TEST_CASE("show timers tells of the main thread's wheel", "[graph][process]")
{
    table_tester t;
    CHECK(t.json("show timers")["next_ms"].is_null());
    CHECK_THAT(t.command("show timers"), Catch::Contains("never"));
    REQUIRE(t.table.add({"periodic", [](process& self) {
                             while (true)
                                 self.sleep_for(10ms);
                         }}));
    t.run();
    CHECK_THAT(t.command("show timers"),
               Catch::Contains("1 timers running (maximum 1)") && Catch::Contains("tick 100 us"));
    t.clock.advance(12ms);
    t.run();
    const auto data = t.json("show timers");
    CHECK(data["running"] == 1);
    CHECK(data["started"] == 2);
    CHECK(data["expired"] == 1);
    CHECK(data["longest_delay_ms"] == 2.0);
    CHECK(data["next_ms"] > 0);
    CHECK(data["next_ms"] <= 10.0);
}
