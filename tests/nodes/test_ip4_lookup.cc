// SPDX-License-Identifier: Apache-2.0
// ip4-lookup: longest prefix, special destinations, and flows over several paths.
#include "tests/nodes/node_tester.hh"

#include <map>

using namespace weft;
using namespace weft::test;

namespace {

packet_builder flow(uint16_t number, std::string_view to = "16.0.0.1")
{
    return packet_builder{}.ip4("10.0.0.2", to).udp(number, 9);
}

// By which interface each of `count` flows left; 'x' for none.
std::string paths_of_flows(node_tester& t, uint16_t count)
{
    std::string paths(count, 'x');
    for (uint16_t i = 0; i < count; ++i) {
        t.inject("ethernet-input", flow(i).id(i));
        if (i % vector_size == 0)
            t.run();
    }
    t.run();
    for (const auto& out : t.take())
        paths[out.ip4().id.host()] = static_cast<char>('a' + out.interface);
    return paths;
}

constexpr uint16_t flows = 2000;

} // namespace

TEST_CASE("the longest prefix decides", "[nodes]")
{
    node_tester t{{.interfaces = 4}};
    t.add_route("0.0.0.0/0", {"10.0.1.2"});
    t.add_route("16.0.0.0/8", {"10.0.2.2"});
    t.add_route("16.1.0.0/16", {"10.0.3.2"});
    t.add_route("16.1.1.1/32", {"10.0.1.2"});
    CHECK(t.verdict_of(udp_packet("10.0.0.2", "9.9.9.9")) == "-> b");
    CHECK(t.verdict_of(udp_packet("10.0.0.2", "16.0.255.255")) == "-> c");
    CHECK(t.verdict_of(udp_packet("10.0.0.2", "16.1.0.0")) == "-> d");
    CHECK(t.verdict_of(udp_packet("10.0.0.2", "16.1.1.0")) == "-> d");
    CHECK(t.verdict_of(udp_packet("10.0.0.2", "16.1.1.1")) == "-> b");
    CHECK(t.verdict_of(udp_packet("10.0.0.2", "16.2.0.0")) == "-> c");
    CHECK(t.verdict_of(udp_packet("10.0.0.2", "17.0.0.0")) == "-> b");
}

TEST_CASE("a packet may leave by the interface that it came in by", "[nodes]")
{
    node_tester t;
    t.add_route("16.0.0.0/8", {"10.0.0.2"});
    CHECK(t.verdict_of(udp_packet("10.0.0.7", "16.0.0.1")) == "-> a");
}

TEST_CASE("the router's own addresses are local on every interface", "[nodes]")
{
    node_tester t;
    CHECK(t.verdict_of(packet_builder{}.ip4("10.0.0.2", "10.0.0.1").icmp_echo()) == "-> a");
    CHECK(t.verdict_of(packet_builder{}.ip4("10.0.0.2", "10.0.1.1").icmp_echo()) == "-> a");
    CHECK(t.went("ip4-lookup", "ip4-local") == 2);
}

TEST_CASE("a blackhole drops in silence", "[nodes]")
{
    node_tester t;
    t.add_route("16.0.0.0/8", {"10.0.1.2"});
    REQUIRE(t.ip4().add_blackhole(prefix("16.1.0.0/16")));
    CHECK(t.verdict_of(udp_packet("10.0.0.2", "16.1.2.3")) == "ip4-lookup: blackhole");
    CHECK(t.verdict_of(udp_packet("10.0.0.2", "16.2.2.3")) == "-> b");
}

TEST_CASE("without a route the sender is told that the network is unreachable", "[nodes]")
{
    node_tester t;
    CHECK(t.verdict_of(udp_packet("10.0.0.2", "99.0.0.1")) == "ip4-lookup: no_route -> a");
    const auto message = t.take_one().icmp();
    CHECK(message.type == net::icmp4::unreachable);
    CHECK(message.code == net::icmp4::net_unreachable);
    CHECK(t.verdict_of(packet_builder{}.ip4("10.0.0.2", "99.0.0.1").icmp(3, 1)) ==
          "ip4-icmp-error: not_eligible, ip4-lookup: no_route");
}

TEST_CASE("broadcast, multicast and martian destinations are never forwarded", "[nodes]")
{
    node_tester t;
    t.add_route("0.0.0.0/0", {"10.0.1.2"});
    const std::map<std::string, std::vector<std::string>> expected{
        {"broadcast", {"255.255.255.255", "10.0.1.255", "10.0.1.0", "10.0.0.255", "10.0.0.0"}},
        {"multicast", {"224.0.0.0", "224.0.0.1", "239.255.255.255"}},
        {"martian_destination",
         {"0.0.0.0", "0.255.255.255", "127.0.0.1", "127.255.255.255", "240.0.0.0",
          "255.255.255.254"}}};
    for (const auto& [reason, destinations] : expected)
        for (const auto& to : destinations)
            CHECK(t.verdict_of(udp_packet("10.0.0.2", to)) == "ip4-lookup: " + reason);
    for (const char* to : {"1.0.0.0", "126.255.255.255", "128.0.0.0", "223.255.255.255"})
        CHECK(t.verdict_of(udp_packet("10.0.0.2", to)) == "-> b");
}

TEST_CASE("flows spread evenly over two paths", "[nodes]")
{
    node_tester t{{.interfaces = 3}};
    t.add_route("16.0.0.0/8", {"10.0.1.2", "10.0.2.2"});
    const auto paths = paths_of_flows(t, flows);
    const auto by_b = std::count(paths.begin(), paths.end(), 'b');
    const auto by_c = std::count(paths.begin(), paths.end(), 'c');
    CHECK(by_b + by_c == flows);
    CHECK(by_b > flows * 45 / 100); // 4.5 standard deviations
    CHECK(by_b < flows * 55 / 100);
}

TEST_CASE("flows spread over three paths with shares a quarter apart at most", "[nodes]")
{
    node_tester t{{.interfaces = 4}};
    t.add_route("16.0.0.0/8", {"10.0.1.2", "10.0.2.2", "10.0.3.2"});
    const auto paths = paths_of_flows(t, flows);
    for (char path : {'b', 'c', 'd'}) {
        const auto share = std::count(paths.begin(), paths.end(), path);
        CHECK(share > flows / 4);
        CHECK(share < flows * 2 / 5);
    }
}

TEST_CASE("a flow stays on its path", "[nodes]")
{
    node_tester t{{.interfaces = 3}};
    t.add_route("16.0.0.0/8", {"10.0.1.2", "10.0.2.2"});
    const auto before = paths_of_flows(t, 200);
    CHECK(paths_of_flows(t, 200) == before);
    // neither length nor TTL nor the identification belongs to a flow
    for (uint16_t i = 0; i < 20; ++i)
        CHECK(t.verdict_of(flow(i).ttl(9).tos(8).id(1).payload(100)) ==
              std::string("-> ") + before[i]);
}

TEST_CASE("all fragments of a packet take one path", "[nodes]")
{
    node_tester t{{.interfaces = 3}};
    t.add_route("16.0.0.0/8", {"10.0.1.2", "10.0.2.2"});
    std::string seen;
    for (int engine = 1; engine < 40; ++engine) {
        const std::string to = fmt::format("16.0.0.{}", engine);
        const auto first = t.verdict_of(flow(77, to).payload(64).fragment(0, true));
        // what follows begins with payload where the ports were
        const auto later = packet_builder{}.ip4("10.0.0.2", to).protocol(17).payload(64);
        CHECK(t.verdict_of(packet_builder{later}.fragment(9, true)) == first);
        CHECK(t.verdict_of(packet_builder{later}.fragment(18, false)) == first);
        seen += first.back();
    }
    CHECK(seen.find('b') != std::string::npos);
    CHECK(seen.find('c') != std::string::npos);
}

TEST_CASE("only the flows of a path that goes down move, and they come back", "[nodes]")
{
    node_tester t{{.interfaces = 4}};
    t.add_route("16.0.0.0/8", {"10.0.1.2", "10.0.2.2", "10.0.3.2"});
    const auto before = paths_of_flows(t, flows);
    t.set_up("b", false);
    const auto without = paths_of_flows(t, flows);
    std::map<char, int> moved;
    for (size_t i = 0; i < flows; ++i) {
        if (before[i] == 'b')
            ++moved[without[i]];
        else
            CHECK(without[i] == before[i]);
    }
    CHECK(moved.size() == 2); // shared by both that are left
    CHECK(moved['c'] > 0);
    CHECK(moved['d'] > 0);
    t.set_up("b", true);
    CHECK(paths_of_flows(t, flows) == before);
}

TEST_CASE("without any path that is up the network is unreachable", "[nodes]")
{
    node_tester t{{.interfaces = 3}};
    t.add_route("16.0.0.0/8", {"10.0.1.2", "10.0.2.2"});
    t.set_up("b", false);
    t.set_up("c", false);
    CHECK(t.verdict_of(flow(1)) == "ip4-lookup: no_route -> a");
    t.set_up("c", true);
    CHECK(t.verdict_of(flow(1)) == "-> c");
}

TEST_CASE("a vector of many destinations is looked up packet by packet", "[nodes]")
{
    node_tester t{{.interfaces = 3}};
    t.add_route("16.0.0.0/8", {"10.0.1.2"});
    t.add_route("17.0.0.0/8", {"10.0.2.2"});
    for (uint16_t i = 0; i < vector_size; ++i)
        t.inject("ip4-lookup", udp_packet("10.0.0.2", i % 3 == 0 ? "17.0.0.1" : "16.0.0.1").id(i));
    t.run();
    const auto out = t.take();
    REQUIRE(out.size() == vector_size);
    for (const auto& p : out)
        CHECK(p.interface == (p.ip4().id.host() % 3 == 0 ? 2 : 1));
}
