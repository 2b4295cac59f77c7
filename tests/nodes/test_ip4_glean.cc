// SPDX-License-Identifier: Apache-2.0
// ip4-glean: packets wait, within bounds, while their next hop is asked for.
#include "tests/nodes/node_tester.hh"

using namespace weft;
using namespace weft::test;

namespace {

constexpr net::mac_address found_mac = mac_of(1, 77);

packet_builder to_unknown(uint16_t id = 1, std::string_view to = "10.0.1.77")
{
    return udp_packet("10.0.0.2", to).id(id);
}

} // namespace

TEST_CASE("a packet to an unknown neighbour asks for it and waits", "[nodes]")
{
    node_tester t;
    CHECK(t.verdict_of(to_unknown()) == "-> b (ARP)");
    const auto request = t.take_one();
    CHECK(request.ethernet().destination == net::broadcast_mac);
    CHECK(request.arp().target_ip == ip("10.0.1.77").wire());
    CHECK(request.arp().sender_ip == ip("10.0.1.1").wire());
    CHECK(t.engine.packets_in_flight() == 1);
    CHECK(t.neighbours().waiting() == 1);
    CHECK(t.verdict_of(to_unknown()) == ""); // asked once only
}

TEST_CASE("waiting packets leave in order once the neighbour answers", "[nodes]")
{
    node_tester t;
    for (uint16_t i = 0; i < 5; ++i)
        t.inject("ethernet-input", to_unknown(i).ttl(9));
    t.run();
    [[maybe_unused]] const auto request = t.take_one();
    t.hear_from("10.0.1.77", found_mac, 1);
    const auto out = t.take();
    REQUIRE(out.size() == 5);
    for (uint16_t i = 0; i < 5; ++i) {
        CHECK(out[i].ip4().id.host() == i);
        CHECK(out[i].ip4().ttl == 8);
        CHECK(out[i].ethernet().destination == found_mac);
    }
    CHECK(t.engine.packets_in_flight() == 0);
    CHECK(t.verdict_of(to_unknown()) == "-> b");
}

TEST_CASE("a route asks for its next hop, not for the destination", "[nodes]")
{
    node_tester t;
    t.add_route("16.0.0.0/8", {"10.0.1.88"});
    CHECK(t.verdict_of(to_unknown(1, "16.1.2.3")) == "-> b (ARP)");
    CHECK(t.take_one().arp().target_ip == ip("10.0.1.88").wire());
    CHECK(t.verdict_of(to_unknown(2, "16.9.9.9")) == "");
    t.hear_from("10.0.1.88", found_mac, 1);
    const auto out = t.take();
    REQUIRE(out.size() == 2);
    CHECK(out[0].ip4().destination == ip("16.1.2.3").wire());
    CHECK(out[1].ethernet().destination == found_mac);
}

TEST_CASE("sixteen packets wait for one neighbour", "[nodes]")
{
    node_tester t;
    for (uint16_t i = 0; i < 20; ++i)
        t.inject("ethernet-input", to_unknown(i));
    t.run();
    CHECK(t.counted() == counts{{"ip4-glean: queue_full", 4}});
    CHECK(t.neighbours().waiting() == 16);
    t.hear_from("10.0.1.77", found_mac, 1);
    CHECK(t.take().size() == 17); // and the request
    CHECK(t.verdict_of(to_unknown()) == "-> b");
}

TEST_CASE("who does not answer is unreachable", "[nodes]")
{
    node_tester t;
    CHECK(t.verdict_of(to_unknown()) == "-> b (ARP)");
    t.advance(2s);
    CHECK(t.take().size() == 3); // three requests in all
    t.advance(1s);
    const auto message = t.take_one();
    CHECK(message.interface == 0);
    CHECK(message.icmp().type == net::icmp4::unreachable);
    CHECK(message.icmp().code == net::icmp4::host_unreachable);
    CHECK(t.counted() == counts{{"ip4-glean: host_unreachable", 1}});
    CHECK(t.verdict_of(to_unknown()) == "ip4-glean: host_unreachable -> a");
    t.advance(3s); // forgotten: the next packet asks again
    CHECK(t.verdict_of(to_unknown()) == "-> b (ARP)");
}

TEST_CASE("each packet to a silent neighbour is counted once", "[nodes]")
{
    node_tester t;
    for (uint16_t second = 0; second < 6; ++second) { // as ping sends
        t.inject("ethernet-input", to_unknown(second));
        t.advance(1s);
    }
    t.advance(5s);
    CHECK(t.counted() == counts{{"ip4-glean: host_unreachable", 6}});
    CHECK(t.engine.packets_in_flight() == 0);
}

TEST_CASE("an answer to the router that finds nobody is dropped", "[nodes]")
{
    node_tester t;
    CHECK(t.verdict_of(packet_builder{}.ip4("10.0.0.66", "10.0.0.1").icmp_echo()) == "-> a (ARP)");
    t.advance(4s);
    CHECK(t.counted() ==
          counts{{"ip4-glean: host_unreachable", 1}, {"ip4-icmp-error: not_eligible", 1}});
    CHECK(t.engine.packets_in_flight() == 0);
}

TEST_CASE("without a protocol that resolves nothing waits", "[nodes]")
{
    node_tester t{{.neighbours = false, .arp = false}};
    CHECK(t.verdict_of(to_unknown()) == "ip4-glean: no_resolver");
}

TEST_CASE("a worker hands packets over to the main thread", "[nodes]")
{
    node_tester t{{.workers = {1}}};
    graph_thread& worker = t.engine.thread(1);
    worker.run_once();
    packet* p = t.make(to_unknown().bytes());
    REQUIRE(worker.inject_new(t.engine.registry().find("ethernet-input")->id, p));
    worker.run_once();
    CHECK(t.take().empty());
    CHECK(t.neighbours().waiting() == 0);
    t.run();
    CHECK(t.neighbours().waiting() == 1);
    CHECK(t.take_one().is_arp());
    t.hear_from("10.0.1.77", found_mac, 1);
    CHECK(t.take_one().ethernet().destination == found_mac);
}

TEST_CASE("a worker whose main thread is behind drops and says so", "[nodes]")
{
    node_tester t{{.workers = {1}}};
    graph_thread& worker = t.engine.thread(1);
    worker.run_once();
    const node_id glean = t.engine.registry().find("ip4-glean")->id;
    for (size_t i = 0; i < graph_thread::inbox_size / 2 + 3; ++i) { // half is left to ARP
        packet* p = t.make(to_unknown().bytes());
        p->metadata().l3_offset = 14;
        p->metadata().flags |= packet_metadata::aimed; // it has been let through
        REQUIRE(worker.inject_new(glean, p));
    }
    worker.run_once();
    CHECK(t.counted() == counts{{"ip4-glean: handoff_full", 3}});
}

TEST_CASE("a worker keeps from the main thread what is too much", "[nodes]")
{
    node_tester t{{.workers = {1}}};
    graph_thread& worker = t.engine.thread(1);
    worker.run_once();
    const node_id lookup = t.engine.registry().find("ip4-lookup")->id;
    for (size_t i = 0; i < 1000; ++i) {
        packet* p = t.make(to_unknown().bytes());
        p->metadata().l3_offset = 14;
        REQUIRE(worker.inject_new(lookup, p));
    }
    worker.run_once();
    CHECK(t.counted()["ip4-glean: rate_limited"] > 700);
    t.run();
    CHECK(t.neighbours().waiting() == fib::neighbour_table::max_waiting_each);
}
