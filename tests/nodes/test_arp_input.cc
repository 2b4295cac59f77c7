// SPDX-License-Identifier: Apache-2.0
// arp-input: answers byte for byte, what is learned from whom, and what is refused.
#include "nodes/interface/interface.hh"
#include "tests/nodes/node_tester.hh"

#include <rte_cycles.h>

using namespace weft;
using namespace weft::test;
using fib::neighbour_state;

namespace {

constexpr net::mac_address peer = mac_of(0, 50);
constexpr const char* peer_ip = "10.0.0.50";

packet_builder request(std::string_view target = "10.0.0.1", std::string_view sender = peer_ip)
{
    return packet_builder{}.ethernet(net::broadcast_mac, peer).arp(1, peer, sender, {}, target);
}

packet_builder reply(std::string_view sender = peer_ip)
{
    return packet_builder{}
        .ethernet(mac_of(0, 1), peer)
        .arp(2, peer, sender, mac_of(0, 1), "10.0.0.1");
}

} // namespace

TEST_CASE("a request for the router's address is answered byte for byte", "[nodes]")
{
    node_tester t;
    CHECK(t.verdict_of(request().frame_bytes(42)) == "-> a (ARP)");
    CHECK(t.take_one().bytes == packet_builder{}
                                    .ethernet(peer, mac_of(0, 1))
                                    .arp(2, mac_of(0, 1), "10.0.0.1", peer, peer_ip)
                                    .bytes());
    CHECK(t.verdict_of(request().ethernet(mac_of(0, 1), peer)) == "-> a (ARP)"); // asked directly
}

TEST_CASE("what stands behind a request is not sent back", "[nodes]")
{
    node_tester t;
    for (size_t bytes : {42, 43, 60, 1400}) {
        CHECK(t.verdict_of(request().frame_bytes(bytes, 0xee)) == "-> a (ARP)");
        CHECK(t.take_one().bytes.size() == 42);
    }
}

TEST_CASE("a request that is padded gets an answer too", "[nodes]")
{
    node_tester t;
    CHECK(t.verdict_of(request().frame_bytes(60)) == "-> a (ARP)");
}

TEST_CASE("a probe is answered and teaches nothing", "[nodes]")
{
    node_tester t;
    const auto before = t.neighbours().all().size();
    CHECK(t.verdict_of(request("10.0.0.1", "0.0.0.0")) == "-> a (ARP)");
    CHECK(t.take_one().arp().target_ip.host() == 0);
    CHECK(t.neighbours().all().size() == before);
}

TEST_CASE("who asks for the router is learned, not yet as confirmed", "[nodes]")
{
    node_tester t;
    CHECK(t.verdict_of(request()) == "-> a (ARP)");
    CHECK(t.state_of(peer_ip) == neighbour_state::stale);
    CHECK(t.verdict_of(udp_packet("10.0.1.2", peer_ip).ethernet(mac_of(1, 1)), 1) == "-> a");
    CHECK(t.take_one().ethernet().destination == peer);
}

TEST_CASE("who answers the router is reachable", "[nodes]")
{
    node_tester t;
    CHECK(t.verdict_of(reply()) == "");
    CHECK(t.state_of(peer_ip) == neighbour_state::reachable);
}

TEST_CASE("a word to others updates what is known and makes nothing new", "[nodes]")
{
    node_tester t;
    CHECK(t.verdict_of(request("10.0.0.99")) == "");
    CHECK(t.state_of(peer_ip) == std::nullopt);
    CHECK(t.verdict_of(request(peer_ip)) == ""); // it announces itself
    CHECK(t.state_of(peer_ip) == std::nullopt);

    t.hear_from(peer_ip, mac_of(0, 51), 0);
    CHECK(t.verdict_of(request(peer_ip)) == "");
    CHECK(t.state_of(peer_ip) == neighbour_state::stale); // it moved
    CHECK(t.verdict_of(udp_packet("10.0.1.2", peer_ip), 0) == "-> a");
    CHECK(t.take_one().ethernet().destination == peer);
}

TEST_CASE("the same word from a reachable neighbour changes nothing", "[nodes]")
{
    node_tester t;
    t.hear_from(peer_ip, peer, 0);
    CHECK(t.verdict_of(request("10.0.0.99")) == "");
    CHECK(t.state_of(peer_ip) == neighbour_state::reachable);
}

TEST_CASE("a neighbour set by hand is not changed by what is heard", "[nodes]")
{
    node_tester t;
    t.hear_from("10.0.0.2", mac_of(0, 66), 0);
    CHECK(t.state_of("10.0.0.2") == neighbour_state::permanent);
    CHECK(t.verdict_of(udp_packet("10.0.1.2", "10.0.0.2")) == "-> a");
    CHECK(t.take_one().ethernet().destination == mac_of(0, 2));
}

TEST_CASE("the router answers for no one else", "[nodes]")
{
    node_tester t;
    t.add_route("16.0.0.0/8", {"10.0.1.2"});
    for (const char* target : {"10.0.1.1", "10.0.1.2", "16.0.0.1", "10.0.0.2", "10.0.0.255"})
        CHECK(t.verdict_of(request(target)) == "");
}

TEST_CASE("another station with the router's address is reported", "[nodes]")
{
    node_tester t;
    CHECK(t.verdict_of(request("10.0.0.1", "10.0.0.1")) == "arp-input: duplicate_address");
    CHECK(t.verdict_of(reply("10.0.0.1")) == "arp-input: duplicate_address");
    CHECK(t.state_of("10.0.0.1") == std::nullopt);
}

TEST_CASE("a sender of another network is refused", "[nodes]")
{
    node_tester t;
    for (const char* sender :
         {"10.0.1.2", "10.0.1.1", "99.0.0.1", "10.0.0.255", "10.0.0.0", "127.0.0.1", "224.0.0.1"})
        CHECK(t.verdict_of(request("10.0.0.1", sender)) == "arp-input: foreign_sender");
}

TEST_CASE("who claims a MAC address of the router's own is no neighbour", "[nodes]")
{
    node_tester t;
    for (const auto& own : {mac_of(0, 1), mac_of(1, 1)})
        for (auto p : {request(), reply(), request("10.0.0.1", "0.0.0.0")}) {
            p.arp_fields().sender_mac = own;
            CHECK(t.verdict_of(p) == "arp-input: own_mac");
            CHECK(t.state_of(peer_ip) == std::nullopt);
        }
    t.hear_from(peer_ip, peer, 0);
    auto moved = reply();
    moved.arp_fields().sender_mac = mac_of(1, 1);
    CHECK(t.verdict_of(moved) == "arp-input: own_mac");
    CHECK(t.verdict_of(udp_packet("10.0.1.2", peer_ip).ethernet(mac_of(1, 1)), 1) == "-> a");
    CHECK(t.take_one().ethernet().destination == peer);
}

TEST_CASE("ARP that was heard is no loss", "[nodes]")
{
    node_tester t;
    for (const auto& p :
         {reply(), request("10.0.0.99"), request(peer_ip), request("10.0.0.99", "99.0.0.1")})
        CHECK(t.verdict_of(p) == "");
    CHECK(t.engine.packets_in_flight() == 0);
    CHECK(interfaces_of(t.engine).count(0).drops == 0);
    CHECK(t.command_json("show errors")["errors"].empty());
    CHECK(t.verdict_of(request("10.0.0.1", "99.0.0.1")) == "arp-input: foreign_sender");
    CHECK(interfaces_of(t.engine).count(0).drops == 1);
}

TEST_CASE("a sender's MAC address must be a station's", "[nodes]")
{
    node_tester t;
    for (const auto& mac :
         {net::mac_address{}, net::broadcast_mac, net::mac_address{{1, 0, 0x5e, 0, 0, 1}}}) {
        auto p = request();
        p.arp_fields().sender_mac = mac;
        CHECK(t.verdict_of(p) == "arp-input: bad_sender");
    }
}

TEST_CASE("ARP that is not whole or not for IPv4 over Ethernet is refused", "[nodes]")
{
    node_tester t;
    CHECK(t.verdict_of(request().frame_bytes(14)) == "arp-input: too_short");
    CHECK(t.verdict_of(request().frame_bytes(41)) == "arp-input: too_short");
    const auto with = [](auto change) {
        auto p = request();
        change(p.arp_fields());
        return p;
    };
    for (const auto& p : {with([](auto& a) { a.hardware_type = net::be16{6}; }),
                          with([](auto& a) { a.protocol_type = net::be16{0x86dd}; }),
                          with([](auto& a) { a.hardware_length = 8; }),
                          with([](auto& a) { a.protocol_length = 16; }),
                          with([](auto& a) { a.operation = net::be16{0}; }),
                          with([](auto& a) { a.operation = net::be16{3}; }),
                          with([](auto& a) { a.operation = net::be16{0x0100}; })})
        CHECK(t.verdict_of(p) == "arp-input: bad_format");
}

TEST_CASE("an interface without an address takes part in no ARP", "[nodes]")
{
    node_tester t{{.addresses = false}};
    CHECK(t.verdict_of(request("10.0.0.1", "0.0.0.0")) == "");
    CHECK(t.verdict_of(request()) == "");
    CHECK(t.engine.packets_in_flight() == 0);
}

TEST_CASE("an address that is added is announced", "[nodes]")
{
    node_tester t{{.addresses = false}};
    REQUIRE(t.ip4().add_address(0, own_address("10.0.0.1/24")));
    t.run();
    CHECK(t.take_one().bytes == packet_builder{}
                                    .ethernet(net::broadcast_mac, mac_of(0, 1))
                                    .arp(1, mac_of(0, 1), "10.0.0.1", {}, "10.0.0.1")
                                    .bytes());
}

TEST_CASE("addresses are announced when their interface comes up", "[nodes]")
{
    node_tester t{{.up = false}};
    REQUIRE(t.ip4().add_address(0, own_address("10.7.0.1/24")));
    t.run();
    CHECK(t.take().empty()); // nobody could hear it
    REQUIRE(interfaces_of(t.engine).set_admin(t.port("a"), true));
    t.run();
    const auto out = t.take();
    REQUIRE(out.size() == 2);
    CHECK(out[0].arp().sender_ip == ip("10.0.0.1").wire());
    CHECK(out[1].arp().sender_ip == ip("10.7.0.1").wire());
    CHECK(out[1].arp().target_ip == ip("10.7.0.1").wire());
}

TEST_CASE("a worker whose main thread is behind drops the ARP that does not fit", "[nodes]")
{
    node_tester t{{.workers = {1}}};
    graph_thread& worker = t.engine.thread(1);
    worker.run_once();
    CHECK(t.verdict_of(udp_packet("10.0.1.2", peer_ip).ethernet(mac_of(1, 1)), 1) ==
          "-> a (ARP)"); // asked for
    const node_id input = t.engine.registry().find("arp-input")->id;
    constexpr uint32_t too_many = 5;
    for (size_t i = 0; i < graph_thread::inbox_size + too_many; ++i) {
        packet* p = t.make(reply().bytes());
        p->metadata().l3_offset = 14;
        REQUIRE(worker.inject_new(input, p));
    }
    worker.run_once();
    CHECK(t.counted() == counts{{"arp-input: handoff_full", too_many}});
    t.run();
    CHECK(t.state_of(peer_ip) == neighbour_state::reachable);
}

TEST_CASE("senders without number are answered, but not all learned", "[nodes]")
{
    for (const bool has_worker : {false, true}) {
        node_tester t{{.workers = has_worker ? std::vector{1u} : std::vector<unsigned>{}}};
        graph_thread& thread = has_worker ? t.engine.thread(1) : t.engine.main();
        thread.set_replayed_time(rte_get_tsc_hz() * 1000);
        thread.run_once();
        const auto before = t.neighbours().all().size();
        for (unsigned n = 0; n < 200; ++n)
            REQUIRE(thread.inject_new(
                t.engine.registry().find("ethernet-input")->id,
                t.make(request("10.0.0.1", fmt::format("10.0.0.{}", 10 + n)).bytes())));
        thread.run_once();
        t.run();
        CHECK(t.take().size() == 200);
        CHECK(t.neighbours().all().size() - before == 100);
        CHECK(t.counted().empty());
    }
}

TEST_CASE("who is asked for is heard among senders without number", "[nodes]")
{
    node_tester t;
    t.engine.main().set_replayed_time(rte_get_tsc_hz() * 1000);
    for (unsigned n = 0; n < 150; ++n)
        t.inject("ethernet-input", request("10.0.0.1", fmt::format("10.0.0.{}", 60 + n)));
    t.run();
    CHECK(t.verdict_of(reply("10.0.0.51")) == "arp-input: rate_limited"); // nobody asked
    CHECK(t.verdict_of(request("10.0.0.99")) == "");
    CHECK(t.verdict_of(udp_packet("10.0.1.2", peer_ip).ethernet(mac_of(1, 1)), 1) == "-> a (ARP)");
    t.advance(2s);
    t.hear_from(peer_ip, peer, 0);
    CHECK(t.state_of(peer_ip) == neighbour_state::reachable);
    t.hear_from("10.0.1.50", peer, 1); // another interface's budget
    CHECK(t.state_of("10.0.1.50") == neighbour_state::reachable);
}

TEST_CASE("a worker hands ARP over to the main thread", "[nodes]")
{
    node_tester t{{.workers = {1}}};
    graph_thread& worker = t.engine.thread(1);
    worker.run_once();
    const node_id input = t.engine.registry().find("ethernet-input")->id;
    REQUIRE(worker.inject_new(input, t.make(request().bytes())));
    auto refused = request();
    refused.arp_fields().hardware_length = 0;
    REQUIRE(worker.inject_new(input, t.make(refused.bytes())));
    worker.run_once();
    // what is malformed ends on the worker
    CHECK(t.counted() == counts{{"arp-input: bad_format", 1}});
    CHECK(t.take().empty());
    t.run();
    CHECK(t.take_one().arp().operation == net::arp_operation::reply);
    CHECK(t.state_of(peer_ip) == neighbour_state::stale);
}

namespace {

// A router with a worker, to which the peer at 10.0.0.50 is known.
struct worker_tester : node_tester {
    worker_tester() : node_tester{{.workers = {1}}}
    {
        hear_from(peer_ip, peer, 0);
        (void)counted();
        engine.thread(1).run_once(); // takes up its plan
    }
    void give_worker(const packet_builder& p, interface_index from = 0)
    {
        REQUIRE(engine.thread(1).inject_new(engine.registry().find("ethernet-input")->id,
                                            make(p.bytes(), from)));
        engine.thread(1).run_once();
    }
    // What the worker makes of a packet by itself.
    [[nodiscard]] std::string fate_on_worker(const packet_builder& p, interface_index from = 0)
    {
        give_worker(p, from);
        std::string words;
        for (const auto& [reason, count] : counted())
            words += reason;
        for (const auto& sent : take())
            words += fmt::format("-> {}", interfaces_of(engine).at(sent.interface).name);
        if (engine.packets_in_flight() == 0)
            return words;
        run(); // the main thread has it
        (void)counted();
        return "handed over";
    }
};

} // namespace

TEST_CASE("a worker answers those to whom packets go already", "[nodes]")
{
    worker_tester t;
    CHECK(t.fate_on_worker(request()) == "-> a");
    CHECK(t.fate_on_worker(request("10.0.0.1", "0.0.0.0")) == "-> a"); // a probe
    CHECK(t.fate_on_worker(request("10.0.0.99")) == "");
    CHECK(t.fate_on_worker(request(peer_ip)) == ""); // it announces itself
    CHECK(t.state_of(peer_ip) == neighbour_state::reachable);
}

TEST_CASE("a worker's answer is the main thread's, byte for byte", "[nodes]")
{
    worker_tester t;
    t.give_worker(request());
    const auto answer = t.take_one();
    t.inject("ethernet-input", request());
    t.run();
    CHECK(t.take_one().bytes == answer.bytes);
}

TEST_CASE("a worker hands over what can change the neighbour table", "[nodes]")
{
    worker_tester t;
    SECTION("an answer")
    {
        t.advance(fib::neighbour_timers{}.reachable + 2s);
        (void)t.take();
        REQUIRE(t.state_of(peer_ip) != neighbour_state::reachable);
        CHECK(t.fate_on_worker(reply()) == "handed over");
        CHECK(t.state_of(peer_ip) == neighbour_state::reachable);
    }
    SECTION("a station that is not known")
    {
        CHECK(t.fate_on_worker(request("10.0.0.1", "10.0.0.51")) == "handed over");
        CHECK(t.state_of("10.0.0.51") == neighbour_state::stale);
    }
    SECTION("a station that moved")
    {
        auto moved = request();
        moved.arp_fields().sender_mac = mac_of(0, 51);
        CHECK(t.fate_on_worker(moved) == "handed over");
        CHECK(t.state_of(peer_ip) == neighbour_state::stale);
    }
    SECTION("a station whose interface went down and came up")
    {
        t.set_up("a", false);
        t.set_up("a", true);
        CHECK(t.fate_on_worker(request()) == "handed over");
        CHECK(t.state_of(peer_ip) == neighbour_state::stale);
    }
    SECTION("one behind a route of its own")
    {
        t.add_route("10.0.0.50/32", {"10.0.1.2"});
        CHECK(t.fate_on_worker(request()) == "handed over");
    }
    SECTION("one behind a route of several ways")
    {
        t.add_route("10.0.0.50/32", {"10.0.0.2", "10.0.1.2"});
        CHECK(t.fate_on_worker(request()) == "handed over");
    }
    SECTION("a new one with the MAC address of the one that its route leads to")
    {
        t.add_route("10.0.0.51/32", {"10.0.0.2"});
        auto second = request("10.0.0.1", "10.0.0.51");
        second.arp_fields().sender_mac = mac_of(0, 2);
        CHECK(t.fate_on_worker(second) == "handed over");
        CHECK(t.state_of("10.0.0.51") == neighbour_state::stale);
    }
}

TEST_CASE("a worker trusts no station of its own address or of another network", "[nodes]")
{
    worker_tester t;
    CHECK(t.fate_on_worker(request("10.0.0.1", "10.0.0.1")) == "arp-input: duplicate_address");
    CHECK(t.fate_on_worker(request("10.0.0.1", "10.0.1.2")) ==
          "arp-input: foreign_sender"); // known, elsewhere
    CHECK(t.fate_on_worker(request("10.0.1.1"), 1) ==
          "arp-input: foreign_sender"); // known on the other interface
    REQUIRE(t.ip4().remove_address(0, own_address("10.0.0.1/24")));
    t.run();
    CHECK(t.fate_on_worker(request()) ==
          ""); // forgotten with its network, and the interface has no other
    CHECK(t.state_of(peer_ip) == std::nullopt);
}
