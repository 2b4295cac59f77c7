// SPDX-License-Identifier: Apache-2.0
// The neighbour table under a clock of the test's own: states, ageing, bounds and rates.
#include "tests/nodes/crowd.hh"

using namespace weft;
using namespace weft::test;
using fib::neighbour_state;
using fib::neighbour_table;

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

} // namespace

TEST_CASE("an unknown neighbour is asked for three times, a second apart, then given up", "[nodes]")
{
    node_tester t;
    CHECK(t.verdict_of(to_him()) == "-> b (ARP)");
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
    CHECK(t.verdict_of(to_him()) == "-> b (ARP)");
    [[maybe_unused]] const auto first = t.take();
    t.advance(300ms);
    CHECK(requests(t) == 0);
    t.advance(1s);
    CHECK(requests(t) == 1);
}

TEST_CASE("a late answer still helps who failed", "[nodes]")
{
    node_tester t;
    CHECK(t.verdict_of(to_him()) == "-> b (ARP)");
    t.advance(3s);
    CHECK(t.state_of(who) == neighbour_state::failed);
    t.hear_from(who, his_mac, 1);
    CHECK(t.state_of(who) == neighbour_state::reachable);
    CHECK(t.verdict_of(to_him()) == "-> b");
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
    CHECK(t.verdict_of(to_him()) == "-> b"); // used meanwhile
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
    CHECK(t.verdict_of(to_him()) == "ip4-glean: host_unreachable -> a");
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
    CHECK(t.verdict_of(to_him()) == "-> b");
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
    CHECK(t.verdict_of(to_him()) == "-> b (ARP)");
    [[maybe_unused]] const auto request = t.take();
    REQUIRE(t.neighbours().add_permanent(1, ip(who), his_mac));
    t.run();
    CHECK(t.take_one().ethernet().destination == his_mac);
}

TEST_CASE("forgetting a neighbour drops what waited for it, with a reason", "[nodes]")
{
    node_tester t;
    CHECK(t.verdict_of(to_him()) == "-> b (ARP)");
    REQUIRE(t.neighbours().remove(1, ip(who)));
    CHECK(t.neighbours().waiting() == 0);
    t.run();
    CHECK(t.counted() == counts{{"ip4-glean: forgotten", 1}});
    CHECK(t.engine.packets_in_flight() == 0);
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
    CHECK(t.verdict_of(udp_packet()) == "ip4-lookup: no_route -> a");
    REQUIRE(t.ip4().add_address(0, own_address("10.0.1.1/24"))); // the network moved
    CHECK(t.state_of("10.0.1.2") == neighbour_state::inactive);
    REQUIRE(t.ip4().remove_address(0, own_address("10.0.1.1/24")));
    REQUIRE(t.ip4().add_address(1, own_address("10.0.1.1/24")));
    CHECK(t.state_of("10.0.1.2") == neighbour_state::permanent);
    t.run(); // announces the address
    CHECK(t.verdict_of(udp_packet()) == "-> b");
    CHECK(t.take_one().ethernet().destination == mac_of(1, 2));
}

TEST_CASE("a neighbour set by hand waits for its network", "[nodes]")
{
    node_tester t;
    REQUIRE(t.neighbours().add_permanent(1, ip("10.7.0.9"), his_mac));
    CHECK(t.state_of("10.7.0.9") == neighbour_state::inactive);
    CHECK(t.verdict_of(udp_packet("10.0.0.2", "10.7.0.9")) == "ip4-lookup: no_route -> a");
    t.advance(200s);
    REQUIRE(t.ip4().add_address(1, own_address("10.7.0.1/24")));
    CHECK(t.state_of("10.7.0.9") == neighbour_state::permanent);
    t.run();
    CHECK(t.verdict_of(udp_packet("10.0.0.2", "10.7.0.9")) == "-> b");
    CHECK(t.take_one().ethernet().destination == his_mac);
}

TEST_CASE("a neighbour's second address is all that its network needs", "[nodes]")
{
    node_tester t;
    REQUIRE(t.ip4().add_address(1, own_address("10.0.1.3/24")));
    REQUIRE(t.ip4().remove_address(1, own_address("10.0.1.1/24")));
    CHECK(t.state_of("10.0.1.2") == neighbour_state::permanent);
    t.run();
    CHECK(t.verdict_of(udp_packet()) == "-> b");
}

TEST_CASE("packets that wait at the end are given back", "[nodes]")
{
    node_tester t;
    CHECK(t.verdict_of(to_him()) == "-> b (ARP)");
    CHECK(t.engine.packets_in_flight() == 1); // the tester's end looks for it in the pool
}

TEST_CASE("an interface that goes down loses what was learned there", "[nodes]")
{
    node_tester t;
    t.hear_from(who, his_mac, 1);
    t.hear_from("10.0.0.77", mac_of(0, 77), 0);
    CHECK(t.verdict_of(udp_packet("10.0.0.2", "10.0.1.78")) == "-> b (ARP)");
    t.set_up("b", false);
    CHECK(t.state_of(who) == std::nullopt);
    CHECK(t.state_of("10.0.1.78") == std::nullopt);
    CHECK(t.engine.packets_in_flight() == 0);
    CHECK(t.state_of("10.0.1.2") == neighbour_state::permanent);
    CHECK(t.state_of("10.0.0.77") == neighbour_state::reachable);
    CHECK(t.verdict_of(udp_packet("10.0.1.2", "10.0.0.77")) == "-> a");
    t.set_up("b", true);
    CHECK(t.verdict_of(udp_packet()) == "-> b"); // the permanent one works again
    CHECK(t.verdict_of(to_him()) == "-> b (ARP)");
}

TEST_CASE("without a carrier what was learned is forgotten, too", "[nodes]")
{
    node_tester t;
    t.hear_from(who, his_mac, 1);
    t.set_carrier("b", false);
    CHECK(t.state_of(who) == std::nullopt);
    CHECK(t.state_of("10.0.1.2") == neighbour_state::permanent);
}

TEST_CASE("first requests have a budget of their own, which repeated ones do not use", "[nodes]")
{
    crowd t;
    constexpr uint32_t burst = neighbour_table::request_burst;
    t.glean_numbered(0, burst + 200);
    CHECK(requests(t) == burst);
    t.advance(1s);
    CHECK(requests(t) == 200 + burst); // those not asked for yet, and second ones
    t.glean_numbered(burst + 200, burst + 300);
    CHECK(requests(t) == 100);
}

TEST_CASE("who waits to be asked for is asked in turn", "[nodes]")
{
    crowd t;
    constexpr uint32_t burst = neighbour_table::request_burst;
    t.glean_numbered(0, burst + 2);
    CHECK(requests(t) == burst);
    t.advance(1ms); // two requests' time
    t.glean_numbered(burst + 2, burst + 3);
    const auto sent = t.take();
    REQUIRE(sent.size() == 2);
    CHECK(sent[0].arp().target_ip == numbered(burst).wire());
    CHECK(sent[1].arp().target_ip == numbered(burst + 1).wire());
}

TEST_CASE("one interface's requests do not use up another's", "[nodes]")
{
    crowd t;
    t.glean_numbered(0, 1000);
    (void)t.take();
    CHECK(t.verdict_of(udp_packet("10.64.1.0", "10.0.0.77").ethernet(mac_of(1, 1)), 1) ==
          "-> a (ARP)");
}

TEST_CASE("neighbours are confirmed however many others are asked for", "[nodes]")
{
    crowd t;
    REQUIRE(t.neighbours().learn(1, ip("10.64.200.1"), his_mac, true, true));
    t.advance(64s);
    t.glean_numbered(0, 1000);
    (void)t.take();
    t.advance(1s);
    const auto sent = t.take();
    CHECK(std::count_if(sent.begin(), sent.end(),
                        [](const auto& p) { return p.ethernet().destination == his_mac; }) == 1);
}

TEST_CASE("who was never asked for does not fail", "[nodes]")
{
    crowd t;
    packet* first = t.make(udp_packet("10.0.0.2", net::to_string(numbered(0))).bytes());
    std::vector<packet*> all;
    while (packet* p = t.engine.make_packet()) // no request can be made
        all.push_back(p);
    t.inject("ethernet-input", first);
    t.run();
    CHECK(requests(t) == 0);
    for (int second = 0; second < 4; ++second) {
        t.advance(1s);
        CHECK(t.state_of(net::to_string(numbered(0))) == neighbour_state::incomplete);
    }
    t.advance(2s);
    CHECK(t.state_of(net::to_string(numbered(0))) == std::nullopt);
    CHECK(t.counted() == counts{{"ip4-glean: forgotten", 1}});
    for (packet* p : all)
        rte_pktmbuf_free(p->mbuf());
}

TEST_CASE("a neighbour that could not be confirmed for want of packets stays in use", "[nodes]")
{
    node_tester t;
    t.hear_from(who, his_mac, 1);
    t.advance(64s);
    std::vector<packet*> all;
    while (packet* p = t.engine.make_packet())
        all.push_back(p);
    t.advance(10s);
    CHECK(t.state_of(who) == neighbour_state::probe);
    for (packet* p : all)
        rte_pktmbuf_free(p->mbuf());
    CHECK(t.verdict_of(to_him()) == "-> b");
}

TEST_CASE("who was asked for is known for three seconds", "[nodes]")
{
    fib::asked_lately asked;
    asked.note(1, net::ip4_address{0x0a40'0009});
    for (int second = 0; second < 4; ++second) {
        CHECK(asked.has(1, net::ip4_address{0x0a40'0009}));
        CHECK_FALSE(asked.has(2, net::ip4_address{0x0a40'0009}));
        CHECK_FALSE(asked.has(1, net::ip4_address{0x0a40'000a}));
        asked.advance();
    }
    CHECK_FALSE(asked.has(1, net::ip4_address{0x0a40'0009}));
}

TEST_CASE("few strangers pass for one who was asked for while thousands are", "[nodes]")
{
    fib::asked_lately asked;
    for (uint32_t n = 0; n < 4000; ++n)
        asked.note(1, net::ip4_address{0x0a40'0000 + n});
    unsigned missed = 0, mistaken = 0;
    for (uint32_t n = 0; n < 4000; ++n) {
        missed += asked.has(1, net::ip4_address{0x0a40'0000 + n}) ? 0 : 1;
        mistaken += asked.has(1, net::ip4_address{0x0a41'0000 + n}) ? 1 : 0;
    }
    CHECK(missed == 0);
    CHECK(mistaken < 400);
}

TEST_CASE("states have names", "[nodes]")
{
    std::string names;
    for (auto state : {neighbour_state::incomplete, neighbour_state::reachable,
                       neighbour_state::stale, neighbour_state::probe, neighbour_state::failed,
                       neighbour_state::permanent, neighbour_state::inactive})
        names += fmt::format("{} ", to_string(state));
    CHECK(names == "incomplete reachable stale probe failed permanent inactive ");
}
