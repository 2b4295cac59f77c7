// SPDX-License-Identifier: Apache-2.0
// Who gives way in the neighbour table where it is full: shares of interfaces, the unanswered,
// those in use.
#include "nodes/fib/shares.hh"
#include "tests/nodes/crowd.hh"

using namespace weft;
using namespace weft::test;
using fib::neighbour_state;
using fib::neighbour_table;

namespace {

// Of a table that two interfaces share, what one of them can have.
constexpr uint32_t most = neighbour_table::max_neighbours - neighbour_table::max_neighbours / 4;

} // namespace

TEST_CASE("shares set half aside for each, and leave the rest to who comes first", "[nodes]")
{
    fib::shares s{100};
    interface zero, one;
    zero.index = 0;
    one.index = 1;
    const std::vector<interface*> both{&zero, &one};
    for (size_t taken = 0; taken < 75; ++taken) {
        REQUIRE(s.room_for(1, both));
        s.take(1);
    }
    CHECK_FALSE(s.room_for(1, both)); // the other's 25
    CHECK(s.room_for(0, both));
    CHECK(s.largest(0) == 1);
    CHECK(s.largest(1) == 1);
    for (size_t taken = 0; taken < 25; ++taken)
        s.take(0);
    CHECK_FALSE(s.room_for(0, both));
    s.give_back(1, 3);
    CHECK(s.room_for(0, both));
    CHECK(s.room_for(1, both));
    CHECK(s.total() == 97);
}

TEST_CASE("numbers that no interface has set nothing aside", "[nodes]")
{
    fib::shares s{100};
    interface low, high;
    low.index = 3;
    high.index = 16000;
    const std::vector<interface*> both{&low, &high};
    for (size_t taken = 0; taken < 75; ++taken) {
        REQUIRE(s.room_for(16000, both));
        s.take(16000);
    }
    CHECK_FALSE(s.room_for(16000, both)); // the other's 25
    for (size_t taken = 0; taken < 25; ++taken) {
        REQUIRE(s.room_for(3, both));
        s.take(3);
    }
}

TEST_CASE("in a full table the one heard longest ago gives way, not the newest", "[nodes]")
{
    crowd t;
    t.learn_until(most);
    CHECK(t.used().neighbours == most);
    CHECK(t.learn(most));
    CHECK(t.learn(most + 1));
    CHECK(t.used().neighbours == most);
    CHECK(t.state(0) == std::nullopt);
    CHECK(t.state(1) == std::nullopt);
    for (const uint32_t stays : {2u, most - 1, most, most + 1})
        CHECK(t.state(stays) == neighbour_state::stale);
    t.glean(udp_packet("10.0.0.2", "10.64.200.1"), ip("10.64.200.1")); // to be asked for: likewise
    t.run();
    CHECK(t.state_of("10.64.200.1") == neighbour_state::incomplete);
    CHECK(t.state(2) == std::nullopt);
}

TEST_CASE("one interface's neighbours cannot crowd out another's", "[nodes]")
{
    crowd t;
    t.learn_until(most + 100);
    CHECK(t.verdict_of(udp_packet("10.64.1.0", "10.0.0.77").ethernet(mac_of(1, 1)), 1) ==
          "-> a (ARP)");
    t.hear_from("10.0.0.77", mac_of(0, 77), 0);
    CHECK(t.state_of("10.0.0.77") == neighbour_state::reachable);
    CHECK(t.used().neighbours == most);
    CHECK(t.neighbours().used_by(0).neighbours == 1);
}

TEST_CASE("who answered the router gives way after who only spoke", "[nodes]")
{
    crowd t;
    t.hear_from("10.64.200.1", mac_of(1, 200), 1); // first of all
    REQUIRE(t.neighbours().learn(1, ip("10.64.200.2"), mac_of(1, 201), true, true));
    t.learn_until(most + 100);
    CHECK(t.state_of("10.64.200.2") == neighbour_state::reachable);
}

TEST_CASE("a neighbour to which packets go does not give way", "[nodes]")
{
    crowd t;
    REQUIRE(t.learn(0));
    CHECK(t.verdict_of(to_numbered(0)) == "-> b");
    t.learn_until(most + 10);
    CHECK(t.state(0).has_value());
    CHECK(t.state(1) == std::nullopt);
    CHECK(t.verdict_of(to_numbered(0)) == "-> b");
}

TEST_CASE("each form of lookup notes that a neighbour is in use", "[nodes]")
{
    for (const variant which : {variant::plain, variant::baseline}) {
        node_tester t;
        t.use_variant(which);
        t.hear_from("10.0.1.77", mac_of(1, 77), 1);
        CHECK_FALSE(t.ip4().neighbour_used(1, ip("10.0.1.77")));
        CHECK(t.verdict_of(udp_packet("10.0.0.2", "10.0.1.77")) == "-> b");
        CHECK(t.ip4().neighbour_used(1, ip("10.0.1.77")));
        t.advance(2 * neighbour_table::use_time); // it is not watched any more
        CHECK(t.ip4().neighbour_used(1, ip("10.0.1.77")));
        CHECK(t.verdict_of(udp_packet("10.0.0.2", "10.0.1.77")) == "-> b");
    }
}

TEST_CASE("in a crowd it is looked at anew to whom packets go", "[nodes]")
{
    crowd t;
    t.advance(500ms); // between two looks
    REQUIRE(t.neighbours().learn(1, numbered(0), mac_of(1, 1), true, true));
    CHECK(t.verdict_of(to_numbered(0)) == "-> b");
    t.advance(neighbour_table::use_time + 2s);
    CHECK(t.ip4().neighbour_used(1, numbered(0)));
    for (uint32_t n = 1; n < most; ++n)
        REQUIRE(t.neighbours().learn(1, numbered(n), mac_of(1, n), true, true));
    CHECK(t.learn(most)); // the first is taken for one in use until there was a look
    CHECK(t.state(0) == neighbour_state::reachable);
    t.advance(1s);
    CHECK_FALSE(t.ip4().neighbour_used(1, numbered(0)));
    CHECK(t.verdict_of(to_numbered(0)) == "-> b"); // and is so again
    CHECK(t.ip4().neighbour_used(1, numbered(0)));
}

TEST_CASE("a next hop of a route does not give way", "[nodes]")
{
    crowd t;
    REQUIRE(t.learn(0));
    REQUIRE(t.learn(1));
    t.add_route("16.0.0.0/8", {net::to_string(numbered(0))});
    CHECK(t.ip4().is_next_hop(1, numbered(0)));
    CHECK_FALSE(t.ip4().is_next_hop(1, numbered(1)));
    t.learn_until(most + 10);
    CHECK(t.state(0) == neighbour_state::stale);
    CHECK(t.state(1) == std::nullopt);
    REQUIRE(t.ip4().remove_route(prefix("16.0.0.0/8")));
    CHECK_FALSE(t.ip4().is_next_hop(1, numbered(0)));
    t.add_route("16.0.0.0/8", {net::to_string(numbered(0)), net::to_string(numbered(9))});
    CHECK(t.ip4().is_next_hop(1, numbered(0)));
}

TEST_CASE("a table full of neighbours in use takes no other", "[nodes]")
{
    crowd t;
    for (uint32_t n = 0; n < most; ++n) {
        REQUIRE(t.learn(n));
        t.inject("ethernet-input", to_numbered(n));
        if (n % vector_size == 0 || n + 1 == most)
            t.run();
    }
    (void)t.take();
    (void)t.counted();
    CHECK_FALSE(t.learn(most));
    CHECK(t.verdict_of(packet_builder{}
                           .ethernet(mac_of(1, 1), mac_of(1, 9))
                           .arp(1, mac_of(1, 9), "10.64.200.1", {}, "10.64.0.1"),
                       1) == "-> b (ARP)"); // answered, only not learned
    CHECK(t.verdict_of(udp_packet("10.0.0.2", "10.64.200.1")) == "ip4-glean: table_full");
    const auto by_hand = t.neighbours().add_permanent(1, ip("10.64.200.1"), mac_of(1, 1));
    REQUIRE_FALSE(by_hand.has_value());
    CHECK(by_hand.error().code == errc::exhausted);
    REQUIRE(t.learn(17)); // who is known already is heard as ever
    REQUIRE(t.neighbours().add_permanent(0, ip("10.0.0.77"),
                                         mac_of(0, 77))); // another interface's share
}

TEST_CASE("the unanswered of an interface give way among themselves, the oldest first", "[nodes]")
{
    crowd t;
    REQUIRE(t.learn(5000));
    constexpr uint32_t limit = neighbour_table::max_unanswered;
    t.glean_numbered(0, limit + 3);
    CHECK(t.used().unanswered == limit);
    CHECK(t.used().neighbours == limit + 1);
    CHECK(t.state(2) == std::nullopt);
    CHECK(t.state(3) == neighbour_state::incomplete);
    CHECK(t.state(limit + 2) == neighbour_state::incomplete);
    CHECK(t.state(5000).has_value());
    CHECK(t.engine.packets_in_flight() == static_cast<int64_t>(t.neighbours().waiting()));
}

TEST_CASE("who failed gives way before who is asked for", "[nodes]")
{
    crowd t;
    t.glean_numbered(0, 1);
    t.advance(2s);
    t.glean_numbered(1, 2);
    t.advance(1s);
    REQUIRE(t.state(0) == neighbour_state::failed);
    constexpr uint32_t limit = neighbour_table::max_unanswered;
    t.glean_numbered(2, limit + 1);
    CHECK(t.state(0) == std::nullopt);
    CHECK(t.state(1) == neighbour_state::incomplete);
}

TEST_CASE("packets that wait on one interface leave room for another's", "[nodes]")
{
    crowd t;
    constexpr uint32_t share = neighbour_table::max_waiting - neighbour_table::max_waiting / 4;
    t.glean_numbered(0, share);
    CHECK(t.used().waiting == share);
    (void)t.counted();
    t.glean(udp_packet("10.64.1.0", "10.0.0.77"), ip("10.0.0.77"), 0);
    t.run();
    CHECK(t.neighbours().used_by(0).waiting == 1);
    CHECK(t.counted().empty());
    t.glean_numbered(share, share + 1); // takes the place of the one that has waited longest
    CHECK(t.counted() == counts{{"ip4-glean: queue_full", 1}});
    CHECK(t.used().waiting == share);
    REQUIRE(t.neighbours().learn(1, numbered(9000), mac_of(1, 2), true, true));
    (void)t.take();
    t.glean(to_numbered(9000),
            numbered(9000)); // known by the time it comes: it takes no one's place
    t.run();
    CHECK(t.take().size() == 1);
    CHECK(t.counted().empty());
    REQUIRE(t.neighbours().learn(1, numbered(0), mac_of(1, 0), true, true));
    REQUIRE(t.neighbours().learn(1, numbered(share), mac_of(1, 1), true, true));
    (void)t.take();
    t.run();
    CHECK(t.take().size() == 1);
}
