// SPDX-License-Identifier: Apache-2.0
// Real workers: packets, events and interrupts from thread to thread, sleep and waking, changes of
// plan under traffic, and an end that brings every packet back.
#include "tests/graph/graph_tester.hh"

#include <catch2/catch.hpp>

using namespace weft;
using Catch::Contains;

namespace {

const std::vector<reason> behind{{0, "behind", "the other thread is behind"}};

// Hands packets to this node on the thread of the number `extra`, where they go on to slot 0.
void cross(node_run& run, frame& in) noexcept
{
    auto& self = run.context<probe>();
    graph_thread& target =
        self.engine.thread(static_cast<unsigned>(reinterpret_cast<uintptr_t>(self.extra)));
    self.note(in);
    if (target.index() == run.thread_index()) {
        run.enqueue_all(in, 0);
        return;
    }
    run.each(in, [&](packet& p) { return run.hand_over(p, target) ? consumed : drop(0); });
}

// in -> cross, and on the thread `to` cross -> end.
struct crossing {
    graph_tester tester;

    crossing(std::vector<unsigned> workers, unsigned to)
        : tester{{source("in", {"cross"}), relay("cross", {"end"}, cross, behind), sink("end")},
                 std::move(workers)}
    {
        tester.publish();
        for (unsigned thread = 0; thread < tester.engine.thread_count(); ++thread)
            tester.at("cross", thread).extra = reinterpret_cast<void*>(uintptr_t{to});
        REQUIRE(tester.engine.start());
    }
    // Sends from one thread no more at a time than an inbox holds, and waits for their arrival.
    [[nodiscard]] bool send_slowly(unsigned from, unsigned to, uint32_t batches)
    {
        const auto before = tester.at("end", to).packets.get();
        for (uint32_t n = 1; n <= batches; ++n) {
            tester.at("in", from).wanted = 500;
            if (!tester.run_until(
                    [&] { return tester.at("end", to).packets.get() == before + n * 500; }))
                return false;
        }
        return true;
    }
};

} // namespace

TEST_CASE("a worker brings packets in and carries them through", "[graph][handover][thread]")
{
    graph_tester t{{source("in", {"a"}), relay("a", {"end"}), sink("end")}, {0}};
    t.start();
    t.at("in", 1).wanted = 5000;
    CHECK(t.run_until([&] { return t.at("end", 1).packets.get() == 5000; }));
    t.engine.shut_down();
    CHECK(t.at("end", 1).numbers == numbers_to(5000));
    CHECK(t.store("a", 1).counters.vectors.get() == 5000);
    CHECK(t.at("end", 0).packets.get() == 0);
}

TEST_CASE("two workers run the same graph each with contexts of its own",
          "[graph][handover][thread]")
{
    graph_tester t{{source("in", {"a"}), relay("a", {"end"}), sink("end")}, {0, 1}};
    t.start();
    for (const unsigned thread : {1u, 2u})
        t.at("in", thread).wanted = 3000;
    CHECK(t.run_until([&] {
        return t.at("end", 1).packets.get() == 3000 && t.at("end", 2).packets.get() == 3000;
    }));
    t.engine.shut_down();
    CHECK(t.at("end", 1).numbers == numbers_to(3000));
    CHECK(t.at("end", 2).numbers == numbers_to(3000));
    CHECK(t.engine.packets_in_flight() == 0);
}

TEST_CASE("a worker hands packets to the main thread in order", "[graph][handover][thread]")
{
    crossing c{{0}, 0};
    CHECK(c.send_slowly(1, 0, 8));
    CHECK(c.tester.at("end").numbers == numbers_to(4000));
    CHECK(c.tester.dropped("cross", 0, 1) == 0);
    CHECK(c.tester.engine.packets_in_flight() == 0);
}

TEST_CASE("the main thread hands packets to a worker in order", "[graph][handover][thread]")
{
    crossing c{{0}, 1};
    CHECK(c.send_slowly(0, 1, 8));
    c.tester.engine.shut_down();
    CHECK(c.tester.at("end", 1).numbers == numbers_to(4000));
}

TEST_CASE("a worker hands packets to another worker in order", "[graph][handover][thread]")
{
    crossing c{{0, 1}, 2};
    CHECK(c.send_slowly(1, 2, 8));
    c.tester.engine.shut_down();
    CHECK(c.tester.at("end", 2).numbers == numbers_to(4000));
    CHECK(c.tester.store("cross", 1).counters.vectors.get() == 4000);
}

TEST_CASE("packets for a thread that is behind are dropped and counted",
          "[graph][handover][thread]")
{
    crossing c{{0}, 0};
    auto& t = c.tester;
    t.at("in", 1).wanted = graph_thread::inbox_size + 2000; // the main thread takes none meanwhile
    CHECK(wait_for([&] { return t.dropped("cross", 0, 1) == 2000; }));
    CHECK(wait_for([&] { return t.engine.packets_in_flight() == graph_thread::inbox_size; }));
    CHECK(t.run_until([&] { return t.engine.packets_in_flight() == 0; }));
    CHECK(t.at("end").numbers == numbers_to(graph_thread::inbox_size));
}

TEST_CASE("a hand-over may leave room to others", "[graph][handover]")
{
    const auto politely = [](node_run& run, frame& in) noexcept {
        graph_thread& target = run.context<probe>().engine.thread(1);
        run.each(in, [&](packet& p) { return run.hand_over(p, target, 24) ? consumed : drop(0); });
    };
    graph_tester t{{source("in", {"polite", "cross"}), relay("polite", {}, politely, behind),
                    relay("cross", {"end"}, cross, behind), sink("end")},
                   {0}};
    t.publish_and_adopt(); // the worker is never started
    t.at("cross").extra = reinterpret_cast<void*>(uintptr_t{1});
    t.send("in", graph_thread::inbox_size + 476);
    CHECK(t.dropped("polite", 0) == 500);
    t.at("in").slot = 1;
    t.send("in", 100);
    CHECK(t.dropped("cross", 0) == 76);
}

TEST_CASE("a packet is traced on both threads under one number", "[graph][handover][thread]")
{
    crossing c{{0}, 0};
    auto& t = c.tester;
    t.engine.run_main_once();
    CHECK(t.command("trace add in 2") == "");
    CHECK(c.send_slowly(1, 0, 1));
    const auto data = t.json("show trace");
    REQUIRE(data["packets"].size() == 2);
    std::vector<std::string> way;
    for (const auto& each : data["packets"][0]["records"])
        way.push_back(
            fmt::format("{} {}", each["node"].get<std::string>(), each["thread"].get<unsigned>()));
    CHECK(way == std::vector<std::string>{"in 1", "cross 1", "cross 0", "end 0"});
    CHECK_THAT(t.command("show trace"),
               Contains("thread 1 worker-1") && Contains("end (thread 0)"));
}

// --- events ---

namespace {

struct told {
    uint32_t number;
    uint32_t inverse;
};

// Posts an event for each packet to the process of the number `extra`.
void tell(node_run& run, frame& in) noexcept
{
    auto& self = run.context<probe>();
    const auto to = static_cast<process_id>(reinterpret_cast<uintptr_t>(self.extra));
    for (const packet* p : in.all()) {
        const auto number = payload_of(*p).number;
        run.thread().post(to, event::of(7, told{number, ~number}));
    }
    swallow(run, in);
}

// A process that collects what the worker's node `tell` posts.
struct telling {
    std::vector<uint32_t> got; // outlives the process
    uint32_t faults = 0;
    graph_tester tester{{source("in", {"tell"}), relay("tell", {}, tell)}, {0}};

    telling()
    {
        const auto id = tester.engine.loop().start("listener", [this](process& self) {
            for (;;) {
                const event e = self.wait_event();
                const auto what = e.as<told>();
                faults += e.type != 7 || what.inverse != ~what.number;
                got.push_back(what.number);
            }
        });
        tester.publish();
        tester.at("tell", 1).extra = reinterpret_cast<void*>(uintptr_t{*id});
        REQUIRE(tester.engine.start());
    }
};

} // namespace

TEST_CASE("a worker's events reach a process with their data, in order",
          "[graph][handover][thread]")
{
    telling t;
    for (uint32_t n = 1; n <= 5; ++n) {
        t.tester.at("in", 1).wanted = 1500;
        REQUIRE(t.tester.run_until([&] { return t.got.size() == n * 1500; }));
    }
    CHECK(t.got == numbers_to(7500));
    CHECK(t.faults == 0);
    CHECK(t.tester.engine.thread(1).events_lost() == 0);
}

TEST_CASE("events beyond what fits on their way are counted as lost", "[graph][handover][thread]")
{
    telling t;
    t.tester.at("in", 1).wanted = 3000; // the main thread takes none meanwhile
    CHECK(wait_for([&] { return t.tester.at("tell", 1).packets.get() == 3000; }));
    CHECK(t.tester.engine.thread(1).events_lost() == 3000 - graph_thread::outbox_size);
    CHECK(t.tester.run_until([&] { return t.got.size() == graph_thread::outbox_size; }));
    CHECK(t.got == numbers_to(graph_thread::outbox_size));
}

TEST_CASE("a worker's event ends the main thread's sleep", "[graph][handover][thread]")
{
    telling t;
    for (uint32_t n = 1; n <= 20; ++n) {
        t.tester.at("in", 1).wanted = 1;
        REQUIRE(t.tester.woken_until([&] { return t.got.size() == n; }));
    }
}

TEST_CASE("run() serves workers and processes until a stop is asked for",
          "[graph][handover][thread]")
{
    telling t;
    REQUIRE(t.tester.engine.loop().start("stopper", [&](process& self) {
        t.tester.at("in", 1).wanted = 500;
        while (t.got.size() < 500)
            self.yield();
        self.engine().request_stop();
    }));
    t.tester.engine.run();
    CHECK(t.tester.engine.stop_requested());
    CHECK(t.got.size() == 500);
}

// --- sleep ---

namespace {

// Has only interrupt inputs, so that its sleep is a long one unless it is woken.
std::vector<node_descriptor> quiet_graph()
{
    auto in = source("in", {"end"});
    in.state = node_state::interrupt;
    return {in, sink("end")};
}

} // namespace

TEST_CASE("an idle worker sleeps and is woken by what is posted", "[graph][handover][thread]")
{
    graph_tester t{quiet_graph(), {0}};
    t.start();
    graph_thread& worker = t.engine.thread(1);
    std::vector<duration> waited;
    for (uint32_t n = 1; n <= 15; ++n) {
        const auto sleeps = worker.sleeps();
        REQUIRE(wait_for([&] { return worker.sleeps() > sleeps; }));
        t.at("in", 1).wanted = 1;
        const auto from = std::chrono::steady_clock::now();
        worker.post_interrupt(t.id("in"));
        REQUIRE(wait_for([&] { return t.at("end", 1).packets.get() == n; }));
        waited.push_back(std::chrono::steady_clock::now() - from);
    }
    // a sleep that nobody ends lasts 100 ms; one undisturbed turn suffices to show that this one
    // was ended
    CHECK(*std::min_element(waited.begin(), waited.end()) < 50ms);
}

TEST_CASE("posts from several threads to a worker all take effect", "[graph][handover][thread]")
{
    graph_tester t{quiet_graph(), {0}};
    t.start();
    graph_thread& worker = t.engine.thread(1);
    const node_id in = t.id("in");
    auto& end = t.at("end", 1);
    auto& wanted = t.at("in", 1).wanted;
    for (uint32_t round = 1; round <= 30; ++round) {
        std::vector<std::jthread> posters;
        for (int n = 0; n < 3; ++n)
            posters.emplace_back([&] {
                for (int post = 0; post < 80; ++post) { // one burst could take them all
                    wanted.fetch_add(1);
                    worker.post_interrupt(in);
                }
            });
        posters.clear();
        REQUIRE(wait_for([&] { return end.packets.get() == round * 240; }));
    }
}

TEST_CASE("a worker that sleeps holds up no release", "[graph][handover][thread]")
{
    graph_tester t{quiet_graph(), {0}};
    t.start();
    bool released = false;
    t.engine.rcu().defer([&] { released = true; });
    CHECK(t.run_until([&] { return released; }));
}

TEST_CASE("a worker that never sleeps holds up a release for a loop only",
          "[graph][handover][thread]")
{
    graph_tester t{{source("in", {"end"}, [](node_run&) noexcept { return 1u; }), sink("end")},
                   {0}};
    t.start();
    graph_thread& worker = t.engine.thread(1);
    REQUIRE(wait_for([&] { return worker.loops() > 0; }));
    bool released = false;
    t.engine.rcu().defer([&] { released = true; });
    CHECK(t.run_until([&] { return released; }));
    CHECK(worker.sleeps() == 0);
}

namespace {

// Stays in its function from the moment that it says so until it is let go.
struct gate {
    std::atomic<bool> entered{false};
    std::atomic<bool> open{false};
};

void wait_at_gate(node_run& run, frame& in) noexcept
{
    auto& at = *static_cast<gate*>(run.context<probe>().extra);
    at.entered = true;
    while (!at.open)
        std::this_thread::yield();
    swallow(run, in);
}

} // namespace

TEST_CASE("a release waits for a worker inside its loop", "[graph][handover][thread]")
{
    gate at;
    bool released = false;
    graph_tester t{{source("in", {"gate"}), relay("gate", {}, wait_at_gate)}, {0}};
    t.publish();
    t.at("gate", 1).extra = &at;
    REQUIRE(t.engine.start());
    t.at("in", 1).wanted = 1;
    REQUIRE(wait_for([&] { return at.entered.load(); }));
    t.engine.rcu().defer([&] { released = true; });
    for (int n = 0; n < 50; ++n)
        t.engine.run_main_once();
    CHECK_FALSE(released);
    at.open = true;
    CHECK(t.run_until([&] { return released; }));
}

TEST_CASE("a trace is freed only when its worker has left it", "[graph][handover][thread]")
{
    gate at;
    graph_tester t{{source("in", {"gate"}), relay("gate", {}, wait_at_gate)}, {0}};
    t.publish();
    t.at("gate", 1).extra = &at;
    REQUIRE(t.engine.start());
    CHECK(t.command("trace add gate 1") == "");
    t.at("in", 1).wanted = 1;
    REQUIRE(wait_for([&] { return at.entered.load(); }));
    CHECK(t.command("clear trace") == "");
    t.engine.run_main_once();
    CHECK(t.engine.rcu().pending() > 0);
    at.open = true;
    CHECK(t.run_until([&] { return t.engine.rcu().pending() == 0; }));
}

TEST_CASE("what runs on a worker just now can be asked for", "[graph][handover][thread]")
{
    gate at;
    graph_tester t{{source("in", {"gate"}), relay("gate", {}, wait_at_gate)}, {0}};
    t.publish();
    t.at("gate", 1).extra = &at;
    REQUIRE(t.engine.start());
    t.at("in", 1).wanted = 1;
    REQUIRE(wait_for([&] { return at.entered.load(); }));
    CHECK(t.engine.thread(1).running() == t.id("gate"));
    at.open = true;
    CHECK(wait_for([&] { return t.engine.thread(1).running() != t.id("gate"); }));
}

// --- change and end under traffic ---

TEST_CASE("plans change under traffic, and not a packet is lost", "[graph][handover][thread]")
{
    auto extra = sink("extra");
    extra.joined_later = true;
    graph_tester t{{source("in", {"a"}), relay("a", {"end"}), sink("end"), extra}, {0}};
    t.start();
    graph_thread& worker = t.engine.thread(1);
    const auto* context = &t.at("end", 1);
    t.at("in", 1).burst = 4;
    t.at("in", 1).wanted = 12'000;
    for (int n = 0; n < 200; ++n) {
        const auto id = t.engine.registry().clone("extra", fmt::format("extra-{}", n), nullptr);
        REQUIRE(t.engine.registry().add_next(t.id("a"), *id));
        t.publish();
        (void)worker.reclaim_plans();
        t.engine.run_main_once();
    }
    CHECK(t.run_until([&] { return t.at("end", 1).packets.get() == 12'000; }));
    CHECK(t.run_until([&] { return worker.reclaim_plans() == 0; }));
    CHECK(worker.plan_changes() > 1);
    CHECK(worker.longest_pause().clocks > 0);
    CHECK(worker.longest_pause().cause == "plan");
    t.engine.shut_down();
    CHECK(&t.at("end", 1) == context);
    CHECK(t.at("end", 1).numbers == numbers_to(12'000));
    CHECK(t.store("a", 1).sent(0) == 12'000);
}

TEST_CASE("a trace may be begun and cleared under traffic", "[graph][handover][thread]")
{
    graph_tester t{{source("in", {"a"}), relay("a", {"end"}), sink("end")}, {0}};
    t.start();
    t.at("in", 1).burst = 4;
    t.at("in", 1).wanted = 12'000;
    for (int n = 0; n < 50; ++n) {
        CHECK(t.command("trace add in 5") == "");
        t.engine.run_main_once();
        CHECK(t.json("show trace")["packets"].size() <= 5);
        CHECK(t.command("clear trace") == "");
    }
    CHECK(t.run_until([&] { return t.at("end", 1).packets.get() == 12'000; }));
}

// The tester's end looks for every packet.
TEST_CASE("an end in the midst of traffic brings every packet back", "[graph][handover][thread]")
{
    for (int n = 0; n < 5; ++n) {
        crossing c{{0, 1}, 0};
        for (const unsigned thread : {1u, 2u}) {
            c.tester.at("in", thread).burst = 32;
            c.tester.at("in", thread).wanted = 1500;
        }
        CHECK(c.tester.run_until([&] { return c.tester.at("end").packets.get() >= 200; }));
        c.tester.engine.shut_down();
        CHECK(c.tester.engine.packets_in_flight() == 0);
    }
}

TEST_CASE("packets that were handed to a stopped worker come back", "[graph][handover][thread]")
{
    graph_tester t{{source("in", {"cross"}), relay("cross", {"end"}, cross, behind), sink("end")},
                   {0}};
    t.publish(); // the worker is never started
    t.at("cross").extra = reinterpret_cast<void*>(uintptr_t{1});
    t.send("in", 300);
    CHECK(t.engine.packets_in_flight() == 300);
    t.engine.shut_down();
    CHECK(t.engine.packets_in_flight() == 0);
}
