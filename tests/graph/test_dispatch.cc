// SPDX-License-Identifier: Apache-2.0
// Dispatch on one thread: the order of a loop, frames and their packets, verdicts, nothing lost.
#include "graph/nodes/drop.hh"
#include "tests/graph/graph_tester.hh"

#include <catch2/catch.hpp>
#include <memory>
#include <thread>

using namespace weft;

namespace {

using counts = std::vector<uint32_t>;

node_descriptor interrupt_source(std::string_view name, names nexts)
{
    auto made = source(name, std::move(nexts));
    made.state = node_state::interrupt;
    return made;
}

} // namespace

TEST_CASE("a loop runs pre-input, input, interrupts, processes, frames", "[graph][dispatch]")
{
    auto pre = source("z-pre", {"end"});
    pre.type = node_type::pre_input;
    graph_tester t{{source("in", {"end"}), interrupt_source("a-int", {"end"}), pre, sink("end")}};
    t.publish_and_adopt();
    REQUIRE(t.engine.loop().start("process", [&](process& self) {
        for (;; self.yield())
            t.log().calls.push_back({"process", 0, nullptr});
    }));
    for (const auto* name : {"in", "a-int", "z-pre"})
        t.at(name).wanted = 1;
    t.engine.main().post_interrupt(t.id("a-int"));
    t.engine.run_main_once();
    CHECK(t.log().names() == lines{"z-pre", "in", "a-int", "process", "end"});
    CHECK(t.log().counts("end") == counts{3});
}

TEST_CASE("a process's packet goes through the graph in the same loop", "[graph][dispatch]")
{
    graph_tester t{{source("in", {"end"}), sink("end")}};
    t.publish_and_adopt();
    REQUIRE(t.engine.loop().start("process", [&](process&) {
        packet* p = numbered_packet(t.engine, 5);
        REQUIRE(t.engine.main().inject_new(t.id("end"), p));
    }));
    t.engine.run_main_once();
    CHECK(t.at("end").numbers == std::vector<uint32_t>{5});
}

TEST_CASE("an interrupt node runs only when posted, once for many posts", "[graph][dispatch]")
{
    graph_tester t{{interrupt_source("quiet", {"end"}), interrupt_source("rung", {"end"}),
                    source("in", {"end"}), sink("end")}};
    t.publish_and_adopt();
    t.engine.run_main_once();
    CHECK(t.log().counts("rung").empty());
    for (int n = 0; n < 3; ++n)
        t.engine.main().post_interrupt(t.id("rung"));
    for (int n = 0; n < 3; ++n)
        t.engine.run_main_once();
    CHECK(t.log().counts("rung").size() == 1);
    CHECK(t.log().counts("quiet").empty());
    t.engine.main().post_interrupt(t.id("quiet"));
    t.engine.run_main_once();
    CHECK(t.log().counts("rung").size() == 1); // another's post is not its own
    t.engine.main().post_interrupt(t.id("rung"));
    t.engine.run_main_once();
    CHECK(t.log().counts("rung").size() == 2);
}

TEST_CASE("an interrupt posted by another thread ends the main thread's sleep",
          "[graph][dispatch][thread]")
{
    graph_tester t{{interrupt_source("rung", {"end"}), sink("end")}};
    t.publish_and_adopt();
    const node_id rung = t.id("rung");
    for (uint32_t n = 1; n <= 20; ++n) {
        std::jthread poster{[&] { t.engine.main().post_interrupt(rung); }};
        REQUIRE(t.woken_until([&] { return t.log().counts("rung").size() == n; }));
    }
    t.engine.run_main_once();
    CHECK(t.log().counts("rung").size() == 20);
}

TEST_CASE("a disabled input is not polled", "[graph][dispatch]")
{
    graph_tester t{{source("in", {"end"}), source("off", {"end"}), sink("end")}};
    t.engine.registry().find("off")->state = node_state::disabled;
    t.publish_and_adopt();
    t.engine.run_main_once();
    CHECK(t.log().names() == lines{"in"});
}

TEST_CASE("a frame of one fate changes hands without copying", "[graph][dispatch]")
{
    graph_tester t{
        {source("in", {"a"}), relay("a", {"b"}), relay("b", {"c"}, deal_out), sink("c")}};
    t.send("in", 200);
    const auto& calls = t.log().calls;
    REQUIRE(t.log().names() == lines{"in", "a", "b", "c"});
    CHECK(calls[2].where == calls[1].where);
    CHECK(calls[3].where == calls[1].where);
    CHECK(t.at("c").numbers == numbers_to(200));
}

TEST_CASE("packets that join others keep the order of arrival", "[graph][dispatch]")
{
    // b, c feed d; d is given b's packets in front of c's
    graph_tester t{{source("in", {"a"}), relay("a", {"b", "c"}, deal_out), relay("b", {"d"}),
                    relay("c", {"d"}), sink("d")}};
    t.send("in", 10);
    CHECK(t.log().counts("d") == counts{10});
    const auto& got = t.at("d").numbers;
    CHECK((got == std::vector<uint32_t>{0, 2, 4, 6, 8, 1, 3, 5, 7, 9} ||
           got == std::vector<uint32_t>{1, 3, 5, 7, 9, 0, 2, 4, 6, 8}));
}

TEST_CASE("mixed fates part a frame, each part in order", "[graph][dispatch]")
{
    graph_tester t{{source("in", {"a"}), relay("a", {"x", "y", "z"}, deal_out), sink("x"),
                    sink("y"), sink("z")}};
    t.send("in", 256);
    CHECK(t.at("x").numbers.size() == 86);
    CHECK(t.at("y").numbers.size() == 85);
    for (uint32_t i = 0; i < 85; ++i) {
        REQUIRE(t.at("x").numbers[i] == 3 * i);
        REQUIRE(t.at("y").numbers[i] == 3 * i + 1);
        REQUIRE(t.at("z").numbers[i] == 3 * i + 2);
    }
    for (size_t slot = 0; slot < 3; ++slot)
        CHECK(t.store("a").sent(slot) == (slot == 0 ? 86 : 85));
}

TEST_CASE("more packets than a frame holds run in order, in full frames", "[graph][dispatch]")
{
    graph_tester t{{source("in-1", {"a"}), source("in-2", {"a"}), source("in-3", {"a"}),
                    relay("a", {"b"}), sink("b")}};
    t.publish_and_adopt();
    t.at("in-1").wanted = 200;
    t.at("in-2").wanted = 255;
    t.at("in-3").wanted = 100;
    t.engine.run_main_once();
    CHECK(t.log().counts("a") == counts{256, 256, 43});
    std::vector<uint32_t> expected = numbers_to(200);
    for (const uint32_t more : {255, 100})
        for (const uint32_t n : numbers_to(more))
            expected.push_back(n);
    CHECK(t.at("b").numbers == expected);
}

TEST_CASE("a full vector is carried through before the next input is polled", "[graph][dispatch]")
{
    graph_tester t{{source("in-1", {"a"}), source("in-2", {"a"}), source("in-3", {"a"}),
                    relay("a", {"b"}), sink("b")}};
    t.publish_and_adopt();
    t.at("in-1").wanted = vector_size;
    t.at("in-2").wanted = 100;
    t.at("in-3").wanted = 100;
    t.engine.run_main_once();
    CHECK(t.log().names() == lines{"in-1", "a", "b", "in-2", "in-3", "a", "b"});
    CHECK(t.log().counts("b") == counts{vector_size, 200});
}

TEST_CASE("thousands of packets through a fan-in all arrive", "[graph][dispatch]")
{
    graph_tester t{{source("in", {"spread"}), relay("spread", {"a", "b", "c"}, deal_out),
                    relay("a", {"join"}), relay("b", {"join"}), relay("c", {"join"}),
                    relay("join", {"end"}), sink("end")}};
    for (int n = 0; n < 31; ++n)
        REQUIRE(t.engine.registry().clone("in", fmt::format("in-{}", n), nullptr));
    t.publish_and_adopt();
    for (int n = 0; n < 31; ++n)
        t.at(fmt::format("in-{}", n)).wanted = 256;
    t.engine.run_main_once();
    CHECK(t.at("end").packets.get() == 31 * 256);
    CHECK(t.engine.packets_in_flight() == 0);
    // full but for the last
    const auto sizes = t.log().counts("join");
    CHECK(std::count(sizes.begin(), sizes.end(), 256) == 31);
}

namespace {

// One more lap through `round` for a packet that has gone less than three.
void judge_laps(node_run& run, frame& in) noexcept
{
    run.context<probe>().note(in);
    run.each(in, [](packet& p) -> verdict {
        auto what = payload_of(p);
        if (++what.laps >= 3)
            return 1;
        set_payload(p, what);
        return 0;
    });
}

} // namespace

TEST_CASE("packets go round an edge backwards in the same loop", "[graph][dispatch]")
{
    graph_tester t{{source("in", {"round"}), relay("round", {"judge"}),
                    relay("judge", {"round", "end"}, judge_laps), sink("end")}};
    t.send("in", 100);
    CHECK(t.log().names() ==
          lines{"in", "round", "judge", "round", "judge", "round", "judge", "end"});
    CHECK(t.at("end").numbers == numbers_to(100));
}

TEST_CASE("a node that means it may send to itself", "[graph][dispatch]")
{
    auto self = relay("self", {"self", "end"}, judge_laps);
    self.self_edge = true;
    graph_tester t{{source("in", {"self"}), self, sink("end")}};
    t.send("in", 256);
    CHECK(t.log().counts("self") == counts{256, 256, 256});
    CHECK(t.at("end").numbers == numbers_to(256));
}

namespace {

// Receives 50 packets at a time as a driver does, straight into the frame of the next node.
uint32_t receive_in_place(node_run& run) noexcept
{
    auto& self = run.context<probe>();
    uint32_t received = 0;
    for (; self.wanted > 0; received += 50, self.wanted -= 50) {
        const auto space = run.input_space(0);
        self.numbers.push_back(static_cast<uint32_t>(space.size()));
        for (uint32_t n = 0; n < 50; ++n)
            space[n] = numbered_packet(self.engine, self.made++);
        run.admit(space.data(), 50, 0, 0);
    }
    return received;
}

} // namespace

TEST_CASE("an input always finds room for 64 packets in place", "[graph][dispatch]")
{
    graph_tester t{{source("in", {"end"}, receive_in_place), sink("end")}};
    t.publish_and_adopt();
    t.at("in").wanted = 1000;
    t.engine.run_main_once();
    // 200 in a frame leave 56 places: the next group begins another
    CHECK(t.log().counts("end") == counts(5, 200));
    CHECK(t.at("end").numbers == numbers_to(1000));
    const auto& spaces = t.at("in").numbers;
    CHECK(*std::min_element(spaces.begin(), spaces.end()) >= 64);
    CHECK(spaces.front() == 256);
}

TEST_CASE("an input may receive into a frame that others fill too", "[graph][dispatch]")
{
    graph_tester t{{source("in-1", {"end"}), source("in-2", {"end"}, receive_in_place),
                    source("in-3", {"end"}), sink("end")}};
    t.publish_and_adopt();
    t.at("in-1").wanted = 180;
    t.at("in-2").wanted = 150;
    t.at("in-3").wanted = 200;
    t.engine.run_main_once();
    CHECK(t.at("end").packets.get() == 530);
    CHECK(t.log().counts("end") == counts{230, 256, 44});
}

TEST_CASE("an input that admits nothing makes nobody run", "[graph][dispatch]")
{
    graph_tester t{{source("in", {"end"},
                           [](node_run& run) noexcept -> uint32_t {
                               run.admit(run.input_space(0).data(), 0, 0, 0);
                               return 0;
                           }),
                    sink("end")}};
    t.publish_and_adopt();
    t.engine.run_main_once();
    CHECK(t.log().calls.empty());
}

namespace {

enum reasons : uint16_t { third, fifth, seen };

// Drops by number, with two reasons, and counts a third without dropping.
void drop_some(node_run& run, frame& in) noexcept
{
    run.each(in, [&](packet& p) -> verdict {
        const auto number = payload_of(p).number;
        run.count(seen);
        return number % 3 == 0 ? drop(third) : number % 5 == 0 ? drop(fifth) : verdict{0};
    });
}

const std::vector<reason> some_reasons{{third, "third", "every third packet"},
                                       {fifth, "fifth", "every fifth packet", severity::warning},
                                       {seen, "seen", "was seen", severity::info}};

} // namespace

TEST_CASE("drops are counted by reason and end in drop", "[graph][dispatch]")
{
    graph_tester t{
        {source("in", {"judge"}), relay("judge", {"end"}, drop_some, some_reasons), sink("end")}};
    t.send("in", 150);
    CHECK(t.dropped("judge", third) == 50);
    CHECK(t.dropped("judge", fifth) == 20);
    CHECK(t.dropped("judge", seen) == 150);
    CHECK(t.store("drop").counters.vectors.get() == 70);
    CHECK(t.engine.module<drop_counts>().total(0) == 70);
    CHECK(t.at("end").packets.get() == 80);
    CHECK(t.store("judge").sent(0) == 80);
    CHECK(t.engine.packets_in_flight() == 0);
}

TEST_CASE("few packets of many fates fill the frame of a next node and go on behind it",
          "[graph][dispatch]")
{
    // 15 packets for x and as many for y, where 250 wait already
    graph_tester t{{source("in-1", {"x", "y"}), source("in-2", {"x", "y"}),
                    source("in-3", {"judge"}), relay("judge", {"x", "y"}, deal_out), sink("x"),
                    sink("y")}};
    t.publish_and_adopt();
    t.at("in-2").slot = 1;
    t.at("in-1").wanted = t.at("in-2").wanted = 250;
    t.at("in-3").wanted = 30;
    t.engine.run_main_once();
    for (const char* name : {"x", "y"}) {
        CHECK(t.log().counts(name) == counts{256, 9});
        REQUIRE(t.at(name).numbers.size() == 265);
        for (uint32_t i = 0; i < 15; ++i)
            CHECK(t.at(name).numbers[250 + i] == 2 * i + (name[0] == 'y' ? 1 : 0));
    }
    CHECK(t.store("judge").sent(0) == 15);
    CHECK(t.store("judge").sent(1) == 15);
}

TEST_CASE("a frame that is dropped whole is counted whole", "[graph][dispatch]")
{
    graph_tester t{{source("in", {"judge"}),
                    relay(
                        "judge", {"end"},
                        [](node_run& run, frame& in) noexcept {
                            run.each(in, [](packet&) { return drop(fifth); });
                        },
                        some_reasons),
                    sink("end")}};
    t.send("in", 600);
    CHECK(t.dropped("judge", fifth) == 600);
    CHECK(t.store("drop").counters.vectors.get() == 600);
    CHECK(t.at("end").packets.get() == 0);
}

TEST_CASE("what a transmit queue did not take is dropped", "[graph][dispatch]")
{
    graph_tester t{{source("in", {"tx"}), relay(
                                              "tx", {},
                                              [](node_run& run, frame& in) noexcept {
                                                  const uint32_t sent = in.count / 4;
                                                  run.free(in.packets.data(), sent);
                                                  run.drop_rest(in.packets.data() + sent,
                                                                in.count - sent, third);
                                              },
                                              some_reasons)}};
    t.send("in", 100);
    CHECK(t.dropped("tx", third) == 75);
    CHECK(t.store("drop").counters.vectors.get() == 75);
}

namespace {

// Keeps a frame until the next comes, then sends it on in front of that.
void delay_by_one(node_run& run, frame& in) noexcept
{
    auto& self = run.context<probe>();
    for (packet* p : self.held)
        run.send(p, payload_of(*p).number % 2 == 0 ? verdict{0} : drop(third));
    self.held.clear();
    run.each(in, [&](packet& p) {
        self.held.push_back(&p);
        run.kept(p);
        return consumed;
    });
}

} // namespace

TEST_CASE("a packet that is kept is in flight until it is sent", "[graph][dispatch]")
{
    graph_tester t{{source("in", {"delay"}), relay("delay", {"end"}, delay_by_one, some_reasons),
                    sink("end")}};
    t.send("in", 10);
    CHECK(t.engine.packets_in_flight() == 10);
    CHECK(t.at("end").packets.get() == 0);
    t.send("in", 4);
    CHECK(t.engine.packets_in_flight() == 4);
    CHECK(t.at("end").numbers == std::vector<uint32_t>{0, 2, 4, 6, 8});
    CHECK(t.dropped("delay", third) == 5);
    for (packet* p : t.at("delay").held)
        t.engine.main().free_kept(p);
    CHECK(t.engine.packets_in_flight() == 0);
}

TEST_CASE("a kept packet may be put back in front of a node", "[graph][dispatch]")
{
    graph_tester t{{source("in", {"delay"}), relay("delay", {"end"}, delay_by_one, some_reasons),
                    sink("end")}};
    t.send("in", 10);
    auto held = std::move(t.at("delay").held);
    t.at("delay").held.clear();
    for (packet* p : held)
        REQUIRE(t.engine.main().inject_kept(t.id("end"), p));
    t.engine.run_main_once();
    CHECK(t.at("end").numbers == numbers_to(10));
    CHECK(t.engine.packets_in_flight() == 0);
}

TEST_CASE("an empty pool stops the source, not the graph", "[graph][dispatch]")
{
    graph_tester t{{source("in", {"end"}), sink("end")}};
    t.publish_and_adopt();
    std::vector<packet*> all;
    while (packet* p = t.engine.make_packet())
        all.push_back(p);
    t.at("in").wanted = 10;
    t.engine.run_main_once();
    CHECK(t.at("end").packets.get() == 0);
    for (packet* p : all)
        rte_pktmbuf_free(p->mbuf());
    t.engine.run_main_once();
    CHECK(t.at("end").packets.get() == 10);
}

TEST_CASE("after the end nothing is polled again", "[graph][dispatch]")
{
    graph_tester t{{source("in", {"end"}), sink("end")}};
    t.send("in", 10);
    t.engine.shut_down();
    const auto calls = t.store("in").counters.calls.get();
    t.engine.shut_down(); // as the destructor does: modules and devices are gone
    CHECK(t.store("in").counters.calls.get() == calls);
}

namespace {

std::string ended; // what ended, in order

struct ending_room {
    explicit ending_room(engine&) {}
    ~ending_room() { ended += "room"; }
};

} // namespace

TEST_CASE("at the end processes are unwound before rooms go", "[graph][dispatch]")
{
    graph_tester t{{source("in", {"end"}), sink("end")}};
    t.publish_and_adopt();
    ended.clear();
    (void)t.engine.module<ending_room>();
    REQUIRE(t.engine.loop().start("process", [](process& self) {
        const std::shared_ptr<void> local{nullptr, [](void*) { ended += "process "; }};
        (void)self.wait_event();
    }));
    t.engine.run_main_once();
    t.engine.shut_down();
    CHECK(ended == "process room");
}
