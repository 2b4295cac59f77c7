// SPDX-License-Identifier: Apache-2.0
// A node's start and stop on its thread: when, in which order, and what plans in between change of
// it.
#include "tests/graph/graph_tester.hh"

#include <catch2/catch.hpp>
#include <mutex>
#include <thread>

using namespace weft;
using Catch::Contains;

namespace {

// What happened to nodes with hooks, on whichever thread.
struct life {
    std::mutex mutex;
    std::vector<std::string> events; // "start a"
    std::vector<std::thread::id> threads;

    void note(std::string_view what, std::string_view node)
    {
        const std::lock_guard lock{mutex};
        events.push_back(fmt::format("{} {}", what, node));
        threads.push_back(std::this_thread::get_id());
    }
    std::vector<std::string> take()
    {
        const std::lock_guard lock{mutex};
        threads.clear();
        return std::exchange(events, {});
    }
};
life* lived = nullptr; // of the test that runs

struct fleeting {
    explicit fleeting(const node_setup& setup)
        : name{fmt::format("{}@{}", setup.name, setup.thread)}
    {
        lived->note("make", name);
    }
    ~fleeting() { lived->note("free", name); }
    const std::string name;
};

node_descriptor hooked(node_descriptor node)
{
    node.joined_later = true;
    node.context = context_of<fleeting>();
    node.start = [](node_run& run) noexcept { lived->note("start", run.context<fleeting>().name); };
    node.stop = [](node_run& run) noexcept { lived->note("stop", run.context<fleeting>().name); };
    return node;
}

uint32_t nothing(node_run&) noexcept
{
    return 0;
}
void free_all(node_run& run, frame& in) noexcept
{
    run.free(in.packets.data(), in.count);
}

using events = std::vector<std::string>;

struct hooked_graph {
    life seen;
    std::unique_ptr<graph_tester> tester;

    explicit hooked_graph(std::vector<unsigned> workers = {})
    {
        lived = &seen;
        tester = std::make_unique<graph_tester>(std::vector{hooked(source("in", {"b"}, nothing)),
                                                            hooked(relay("a", {}, free_all)),
                                                            hooked(relay("b", {"a"}, free_all))},
                                                std::move(workers));
    }
    // Takes a node out of the plans of all threads but one, or puts it back.
    void only_on(std::string_view node, std::optional<unsigned> thread)
    {
        tester->engine.registry().at(tester->id(node)).thread = thread;
        tester->publish();
    }
};

} // namespace

TEST_CASE("nodes start in the order of ranks and stop in the reverse", "[graph][hooks]")
{
    hooked_graph g;
    g.tester->publish();
    CHECK(g.seen.take().size() == 3); // made by now, in the order of ranks
    g.tester->engine.run_main_once();
    CHECK(g.seen.take() == events{"start in@0", "start b@0", "start a@0"});
    g.tester->engine.run_main_once();
    g.tester->engine.shut_down();
    CHECK(g.seen.take() == events{"stop a@0", "stop b@0", "stop in@0"});
    g.tester.reset();
    CHECK(g.seen.take().size() == 3); // freed, after that
}

TEST_CASE("a plan that is replaced starts and stops only what came and went", "[graph][hooks]")
{
    hooked_graph g;
    g.tester->publish_and_adopt();
    (void)g.seen.take();
    g.tester->publish_and_adopt(); // the same nodes
    CHECK(g.seen.take().empty());
    g.only_on("in", 9);
    CHECK(g.seen.take().empty()); // not before its thread knows
    g.tester->engine.run_main_once();
    CHECK(g.seen.take() == events{"stop in@0"});
    g.only_on("in", std::nullopt);
    g.tester->engine.run_main_once();
    CHECK(g.seen.take() == events{"start in@0"}); // with the context that it had
}

TEST_CASE("a plan that never ran starts nothing", "[graph][hooks]")
{
    hooked_graph g;
    g.tester->publish_and_adopt();
    (void)g.seen.take();
    g.only_on("in", 9);
    g.only_on("in", std::nullopt);
    g.tester->engine.run_main_once();
    CHECK(g.seen.take().empty());
    g.only_on("in", 9);
    g.tester->engine.shut_down();
    CHECK(g.seen.take() ==
          events{"stop in@0", "stop a@0", "stop b@0"}); // its last loop took that plan up
}

TEST_CASE("a worker that never ran stops nothing", "[graph][hooks]")
{
    hooked_graph g{{0}};
    g.tester->publish();
    (void)g.seen.take();
    g.tester->engine.shut_down();
    CHECK(g.seen.take().empty());
}

TEST_CASE("show plan tells who is started, and how often", "[graph][hooks][commands]")
{
    hooked_graph g;
    const auto row = [&](std::string_view name) {
        const auto shown = g.tester->json("show plan worker 0");
        for (const auto& n : shown["plans"][0]["nodes"])
            if (n["name"] == name)
                return n;
        return nlohmann::ordered_json{};
    };
    g.tester->publish();
    CHECK(row("in")["started"] == false);
    CHECK(row("in")["context_bytes"] == sizeof(fleeting));
    g.tester->engine.run_main_once();
    CHECK(row("in")["started"] == true);
    CHECK(row("drop")["started"].is_null());
    CHECK(row("in")["rank"] < row("b")["rank"]);
    g.only_on("in", 9);
    g.tester->engine.run_main_once();
    g.only_on("in", std::nullopt);
    g.tester->engine.run_main_once();
    CHECK(row("in")["starts"] == 2);
    CHECK_THAT(g.tester->command("show plan worker 0"),
               Contains("Thread 0 main: plan 3 (plan), 5 nodes of *") && Contains("yes (2)") &&
                   Contains("yes (1)"));
    CHECK_THAT(g.tester->command("show plan worker 1"),
               Contains("error: no thread 1; threads are 0 (main) to 0"));
}

// The threads that the hooks are called on are the workers' own; a queue that moves is stopped here
// and started there.
TEST_CASE("workers start and stop their nodes themselves", "[graph][hooks][thread]")
{
    hooked_graph g{{0, 0}};
    g.only_on("in", 1);
    (void)g.seen.take();
    REQUIRE(g.tester->engine.start());
    const auto until = [&](size_t count) {
        return g.tester->run_until([&] {
            const std::lock_guard lock{g.seen.mutex};
            return g.seen.events.size() == count;
        });
    };
    REQUIRE(until(7)); // a and b on three threads, in on one
    for (size_t i = 0; i < 7; ++i)
        CHECK((g.seen.threads[i] == std::this_thread::get_id()) ==
              g.seen.events[i].ends_with("@0"));
    (void)g.seen.take();
    g.only_on("in", 2);
    REQUIRE(until(3)); // made here, stopped there, started there
    auto moved = g.seen.take();
    std::sort(moved.begin(), moved.end());
    CHECK(moved == events{"make in@2", "start in@2", "stop in@1"});
    g.tester->engine.shut_down();
    const auto last = g.seen.take();
    CHECK(std::count_if(last.begin(), last.end(), [](auto& e) { return e.starts_with("stop"); }) ==
          7);
    const auto place = [&](const char* what) {
        return std::find(last.begin(), last.end(), what) - last.begin();
    };
    CHECK(place("stop a@2") < place("stop b@2"));
    CHECK(place("stop b@2") < place("stop in@2"));
}
