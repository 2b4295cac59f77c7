// SPDX-License-Identifier: Apache-2.0
// The neighbour table under a clock of the test's own: states, ageing, bounds and rates.
#include "tests/nodes/node_tester.hh"

using namespace weft;
using namespace weft::test;
using arp::neighbour_state;
using arp::neighbour_table;

namespace {

constexpr const char* who = "10.0.1.77";
constexpr net::mac_address his_mac = mac_of(1, 77);

packet_builder to_him()
{
    return udp_packet("10.0.0.2", who);
}

// ARP requests among what left.
size_t requests(node_tester& t)
{
    const auto all = t.take();
    return static_cast<size_t>(std::count_if(all.begin(), all.end(), [](const auto& p) {
        return p.is_arp() && p.arp().operation == net::arp_operation::request;
    }));
}

net::ip4_address numbered(uint32_t n)
{
    return {ip("10.64.0.0").value + 256 + n};
}

// A tester with a network wide enough for all neighbours that there can be.
struct crowd : node_tester {
    crowd() : node_tester{{.neighbours = false}}
    {
        REQUIRE(ip4().add_address(1, own_address("10.64.0.1/16")));
        run();
        [[maybe_unused]] const auto announced = take();
    }
    bool learn(uint32_t n) { return neighbours().learn(1, numbered(n), mac_of(1, n), true, true); }
};

} // namespace

TEST_CASE("an unknown neighbour is asked for three times, a second apart, then given up", "[nodes]")
{
    node_tester t;
    CHECK(t.fate_of(to_him()) == "-> b (ARP)");
    CHECK(t.state_of(who) == neighbour_state::incomplete);
    for (int second = 1; second < 3; ++second) {
        [[maybe_unused]] const auto before = t.take();
        t.advance(999ms);
        CHECK(requests(t) == 0);
        t.advance(1ms);
        CHECK(requests(t) == 1);
    }
    t.advance(1s);
    CHECK(t.take_one().icmp().code == net::icmp4::host_unreachable);
    CHECK(t.state_of(who) == neighbour_state::failed);
    t.advance(2s);
    CHECK(t.state_of(who) == neighbour_state::failed);
    t.advance(1s);
    CHECK(t.state_of(who) == std::nullopt);
    CHECK(requests(t) == 0);
}

TEST_CASE("requests are a second apart wherever the clock of ageing stands", "[nodes]")
{
    node_tester t;
    t.advance(700ms); // ageing looks in 300 ms
    CHECK(t.fate_of(to_him()) == "-> b (ARP)");
    [[maybe_unused]] const auto first = t.take();
    t.advance(300ms);
    CHECK(requests(t) == 0);
    t.advance(1s);
    CHECK(requests(t) == 1);
}

TEST_CASE("a late answer still helps who failed", "[nodes]")
{
    node_tester t;
    CHECK(t.fate_of(to_him()) == "-> b (ARP)");
    t.advance(3s);
    CHECK(t.state_of(who) == neighbour_state::failed);
    t.hear_from(who, his_mac, 1);
    CHECK(t.state_of(who) == neighbour_state::reachable);
    CHECK(t.fate_of(to_him()) == "-> b");
}

TEST_CASE("a neighbour grows stale, is asked directly and confirmed", "[nodes]")
{
    node_tester t;
    t.hear_from(who, his_mac, 1);
    t.advance(59s);
    CHECK(t.state_of(who) == neighbour_state::reachable);
    t.advance(1s);
    CHECK(t.state_of(who) == neighbour_state::stale);
    t.advance(4s);
    CHECK(t.state_of(who) == neighbour_state::stale);
    CHECK(requests(t) == 0);
    t.advance(1s);
    CHECK(t.state_of(who) == neighbour_state::probe);
    const auto request = t.take_one();
    CHECK(request.ethernet().destination == his_mac);
    CHECK(request.arp().target_mac == his_mac);
    CHECK(t.fate_of(to_him()) == "-> b"); // used meanwhile
    t.hear_from(who, his_mac, 1);
    CHECK(t.state_of(who) == neighbour_state::reachable);
    t.advance(59s);
    CHECK(t.state_of(who) == neighbour_state::reachable);
}

TEST_CASE("a neighbour that went is noticed by three requests to it", "[nodes]")
{
    node_tester t;
    t.hear_from(who, his_mac, 1);
    t.advance(65s);
    t.advance(2s);
    CHECK(t.state_of(who) == neighbour_state::probe);
    CHECK(requests(t) == 3);
    t.advance(1s);
    CHECK(t.state_of(who) == neighbour_state::failed);
    CHECK(t.fate_of(to_him()) == "ip4-glean: host_unreachable -> a");
    t.advance(3s);
    CHECK(t.state_of(who) == std::nullopt);
}

TEST_CASE("a neighbour that moves while it is probed is asked again later", "[nodes]")
{
    node_tester t;
    t.hear_from(who, his_mac, 1);
    t.advance(65s);
    CHECK(t.state_of(who) == neighbour_state::probe);
    REQUIRE(t.neighbours().learn(1, ip(who), mac_of(1, 78), false, false));
    CHECK(t.state_of(who) == neighbour_state::stale);
    CHECK(t.fate_of(to_him()) == "-> b");
    CHECK(t.take_one().ethernet().destination == mac_of(1, 78));
}

TEST_CASE("a neighbour set by hand never ages and is never asked for", "[nodes]")
{
    node_tester t;
    t.advance(200s);
    CHECK(t.state_of("10.0.1.2") == neighbour_state::permanent);
    CHECK(t.take().empty());
}

TEST_CASE("setting a neighbour by hand sends what waited for it", "[nodes]")
{
    node_tester t;
    CHECK(t.fate_of(to_him()) == "-> b (ARP)");
    [[maybe_unused]] const auto request = t.take();
    REQUIRE(t.neighbours().add_permanent(1, ip(who), his_mac));
    t.run();
    CHECK(t.take_one().ethernet().destination == his_mac);
}

TEST_CASE("forgetting a neighbour drops what waited for it, with a reason", "[nodes]")
{
    node_tester t;
    CHECK(t.fate_of(to_him()) == "-> b (ARP)");
    REQUIRE(t.neighbours().remove(1, ip(who)));
    CHECK(t.neighbours().waiting() == 0);
    t.run();
    CHECK(t.counted() == counts{{"ip4-glean: forgotten", 1}});
    CHECK(t.host.packets_in_flight() == 0);
    const auto again = t.neighbours().remove(1, ip(who));
    REQUIRE_FALSE(again.has_value());
    CHECK(again.error().code == errc::not_found);
    CHECK(again.error().message == "interface b has no neighbour 10.0.1.77");
}

TEST_CASE("a neighbour set by hand outlives its network and returns with it", "[nodes]")
{
    node_tester t;
    t.hear_from(who, his_mac, 1);
    REQUIRE(t.ip4().remove_address(1, own_address("10.0.1.1/24")));
    CHECK(t.state_of("10.0.1.2") == neighbour_state::inactive);
    CHECK(t.state_of(who) == std::nullopt);
    CHECK(t.fate_of(udp_packet()) == "ip4-lookup: no_route -> a");
    REQUIRE(t.ip4().add_address(0, own_address("10.0.1.1/24"))); // the network moved
    CHECK(t.state_of("10.0.1.2") == neighbour_state::inactive);
    REQUIRE(t.ip4().remove_address(0, own_address("10.0.1.1/24")));
    REQUIRE(t.ip4().add_address(1, own_address("10.0.1.1/24")));
    CHECK(t.state_of("10.0.1.2") == neighbour_state::permanent);
    t.run(); // announces the address
    CHECK(t.fate_of(udp_packet()) == "-> b");
    CHECK(t.take_one().ethernet().destination == mac_of(1, 2));
}

TEST_CASE("a neighbour set by hand waits for its network", "[nodes]")
{
    node_tester t;
    REQUIRE(t.neighbours().add_permanent(1, ip("10.7.0.9"), his_mac));
    CHECK(t.state_of("10.7.0.9") == neighbour_state::inactive);
    CHECK(t.fate_of(udp_packet("10.0.0.2", "10.7.0.9")) == "ip4-lookup: no_route -> a");
    t.advance(200s);
    REQUIRE(t.ip4().add_address(1, own_address("10.7.0.1/24")));
    CHECK(t.state_of("10.7.0.9") == neighbour_state::permanent);
    t.run();
    CHECK(t.fate_of(udp_packet("10.0.0.2", "10.7.0.9")) == "-> b");
    CHECK(t.take_one().ethernet().destination == his_mac);
}

TEST_CASE("a neighbour's second address is all that its network needs", "[nodes]")
{
    node_tester t;
    REQUIRE(t.ip4().add_address(1, own_address("10.0.1.3/24")));
    REQUIRE(t.ip4().remove_address(1, own_address("10.0.1.1/24")));
    CHECK(t.state_of("10.0.1.2") == neighbour_state::permanent);
    t.run();
    CHECK(t.fate_of(udp_packet()) == "-> b");
}

TEST_CASE("packets that wait at the end are given back", "[nodes]")
{
    node_tester t;
    CHECK(t.fate_of(to_him()) == "-> b (ARP)");
    CHECK(t.host.packets_in_flight() == 1); // the tester's end looks for it in the pool
}

TEST_CASE("an interface that goes down loses what was learned there", "[nodes]")
{
    node_tester t;
    t.hear_from(who, his_mac, 1);
    t.hear_from("10.0.0.77", mac_of(0, 77), 0);
    CHECK(t.fate_of(udp_packet("10.0.0.2", "10.0.1.78")) == "-> b (ARP)");
    t.set_up("b", false);
    CHECK(t.state_of(who) == std::nullopt);
    CHECK(t.state_of("10.0.1.78") == std::nullopt);
    CHECK(t.host.packets_in_flight() == 0);
    CHECK(t.state_of("10.0.1.2") == neighbour_state::permanent);
    CHECK(t.state_of("10.0.0.77") == neighbour_state::reachable);
    CHECK(t.fate_of(udp_packet("10.0.1.2", "10.0.0.77")) == "-> a");
    t.set_up("b", true);
    CHECK(t.fate_of(udp_packet()) == "-> b"); // the permanent one works again
    CHECK(t.fate_of(to_him()) == "-> b (ARP)");
}

TEST_CASE("the table holds 8192 neighbours", "[nodes]")
{
    crowd t;
    for (uint32_t n = 0; n < neighbour_table::max_neighbours; ++n)
        REQUIRE(t.learn(n));
    CHECK_FALSE(t.learn(neighbour_table::max_neighbours));
    CHECK(t.neighbours().all().size() == neighbour_table::max_neighbours);
    CHECK(t.fate_of(packet_builder{}
                        .ethernet(mac_of(1, 1), mac_of(1, 9))
                        .arp(1, mac_of(1, 9), "10.64.200.1", {}, "10.64.0.1"),
                    1) == "-> b (ARP)"); // answered, only not learned
    CHECK(t.fate_of(udp_packet("10.0.0.2", "10.64.200.1")) == "ip4-glean: table_full");
    const auto by_hand = t.neighbours().add_permanent(1, ip("10.64.200.1"), his_mac);
    REQUIRE_FALSE(by_hand.has_value());
    CHECK(by_hand.error().code == errc::exhausted);
    REQUIRE(t.learn(17)); // who is known already is heard as ever
}

TEST_CASE("a full table gives up who was asked for longest ago", "[nodes]")
{
    crowd t;
    CHECK(t.fate_of(udp_packet("10.0.0.2", "10.64.200.1")) == "-> b (ARP)");
    t.advance(1ms);
    CHECK(t.fate_of(udp_packet("10.0.0.2", "10.64.200.2")) == "-> b (ARP)");
    for (uint32_t n = 2; n < neighbour_table::max_neighbours; ++n)
        REQUIRE(t.learn(n));
    CHECK_FALSE(t.learn(20'000)); // both were asked less than a second ago
    t.advance(999ms);
    CHECK(t.learn(20'000));
    CHECK(t.state_of("10.64.200.1") == std::nullopt);
    CHECK(t.state_of("10.64.200.2") == neighbour_state::incomplete);
    CHECK(t.neighbours().waiting() == 1);
    CHECK_FALSE(t.learn(20'001));
    CHECK(t.neighbours().all().size() == neighbour_table::max_neighbours);
}

TEST_CASE("no more than 500 requests leave in a second", "[nodes]")
{
    crowd t;
    for (uint32_t n = 0; n < 700; ++n)
        t.inject("ethernet-input", udp_packet("10.0.0.2", net::to_string(numbered(n))));
    t.run();
    CHECK(t.neighbours().waiting() == 700);
    CHECK(requests(t) == 500);
    t.advance(1s);
    CHECK(requests(t) == 500); // both those not asked for yet and second ones
    t.advance(1s);
    CHECK(requests(t) == 500);
    t.advance(10s);
    CHECK(t.neighbours().waiting() == 0);
}

TEST_CASE("a neighbour that could not be asked for is asked in the next second", "[nodes]")
{
    crowd t;
    for (uint32_t n = 0; n < 501; ++n)
        t.inject("ethernet-input", udp_packet("10.0.0.2", net::to_string(numbered(n))));
    t.run();
    CHECK(requests(t) == 500);
    for (uint32_t n = 0; n < 500; ++n)
        t.learn(n);
    [[maybe_unused]] const auto sent = t.take();
    t.advance(1s);
    CHECK(requests(t) == 1);
}

TEST_CASE("states have names", "[nodes]")
{
    std::string names;
    for (auto state : {neighbour_state::incomplete, neighbour_state::reachable, neighbour_state::stale,
                       neighbour_state::probe, neighbour_state::failed, neighbour_state::permanent,
                       neighbour_state::inactive})
        names += fmt::format("{} ", to_string(state));
    CHECK(names == "incomplete reachable stale probe failed permanent inactive ");
}
