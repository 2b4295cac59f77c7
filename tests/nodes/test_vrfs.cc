// SPDX-License-Identifier: Apache-2.0
// VRFs: what one says is nothing to the others, but where a route leads from one to another.
#include "tests/nodes/node_tester.hh"

#include <fstream>
#include <unistd.h>

using namespace weft;
using namespace weft::test;

namespace {

// a and b are in VRF blue, c and d in red; both have 10.0.0.1/24 and 10.0.1.1/24, and neighbours
// that end in .2.
class two_vrfs : public node_tester {
public:
    two_vrfs() : node_tester{{.interfaces = 4, .addresses = false}}
    {
        for (const char* name : {"blue", "red"})
            CHECK(command(fmt::format("vrf add {}", name)) == "");
        for (interface_index i = 0; i < 4; ++i) {
            const std::string name(1, static_cast<char>('a' + i));
            CHECK(command(fmt::format("set interface vrf {} {}", name, i < 2 ? "blue" : "red")) ==
                  "");
            REQUIRE(ip4().add_address(i, own_address(fmt::format("10.0.{}.1/24", i % 2))));
            REQUIRE(
                neighbours().add_permanent(i, ip(fmt::format("10.0.{}.2", i % 2)), mac_of(i, 2)));
        }
        run();
        forget();
    }
    vrf_index blue() { return *engine.module<vrf_table>().find("blue"); }
    vrf_index red() { return *engine.module<vrf_table>().find("red"); }
    void forget() { [[maybe_unused]] const auto left = take(); }
    // A packet of a station behind an interface.
    std::string sent(interface_index from, std::string_view to)
    {
        const auto source = fmt::format("10.0.{}.2", from % 2);
        packet_builder p = udp_packet(source, to);
        return verdict_of(p.ethernet(mac_of(from, 1), mac_of(from, 2)), from);
    }
    void in_each_variant(const std::function<void()>& check)
    {
        for (auto which : {variant::plain, variant::baseline, variant::avx2, variant::avx512})
            if (is_supported(which)) {
                use_variant(which);
                check();
            }
    }
};

// The first line of /proc/self/statm is in pages: all, and those that are resident.
size_t resident_bytes()
{
    std::ifstream file{"/proc/self/statm"};
    size_t all = 0, resident = 0;
    file >> all >> resident;
    return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

} // namespace

TEST_CASE("a packet goes by the routes of its interface's VRF", "[nodes]")
{
    two_vrfs t;
    CHECK(t.command("ip route add 16.0.0.0/8 via 10.0.1.2 vrf blue") == "");
    CHECK(t.command("ip route add 17.0.0.0/8 via 10.0.1.2 vrf red") == "");
    t.in_each_variant([&] {
        CHECK(t.sent(0, "16.0.0.1") == "-> b");
        CHECK(t.take_one().ethernet().destination == mac_of(1, 2));
        CHECK(t.sent(2, "17.0.0.1") == "-> d");
        CHECK(t.sent(0, "10.0.1.2") == "-> b");
        CHECK(t.sent(2, "10.0.1.2") == "-> d");
        CHECK(t.sent(2, "16.0.0.1") == "ip4-lookup: no_route -> c");
        CHECK(t.sent(0, "17.0.0.1") == "ip4-lookup: no_route -> a");
        CHECK(t.take_one().ip4().source == ip("10.0.0.1").wire());
    });
}

TEST_CASE("each VRF has its own addresses, broadcasts and neighbours", "[nodes]")
{
    two_vrfs t;
    REQUIRE(t.ip4().add_address(0, own_address("10.9.0.1/24")));
    t.run();
    t.in_each_variant([&] {
        CHECK(t.sent(0, "10.9.0.1") == "ip4-local: no_listener -> a");
        CHECK(t.sent(2, "10.9.0.1") == "ip4-lookup: no_route -> c");
        CHECK(t.sent(0, "10.9.0.255") == "ip4-lookup: broadcast");
        CHECK(t.sent(2, "10.9.0.255") == "ip4-lookup: no_route -> c");
        // a station of one VRF may have the address that the router has in another
        const auto from = udp_packet("10.9.0.1", "10.0.1.2").ethernet(mac_of(2, 1), mac_of(2, 9));
        CHECK(t.verdict_of(from, 2) == "-> d");
        CHECK(t.verdict_of(udp_packet("10.9.0.1", "10.0.1.2"), 0) == "ip4-input: own_source");
    });
}

TEST_CASE("neighbours are resolved and answered in their VRF", "[nodes]")
{
    two_vrfs t;
    const auto heard = [&](interface_index on) {
        t.inject("ethernet-input",
                 packet_builder{}
                     .ethernet(mac_of(on, 1), mac_of(on, 77))
                     .arp(1, mac_of(on, 77), "10.0.1.77", net::mac_address{}, "10.0.1.1"),
                 on);
        t.run();
    };
    CHECK(t.sent(0, "10.0.1.77") == "-> b (ARP)");
    CHECK(t.sent(2, "10.0.1.77") == "-> d (ARP)");
    heard(1);
    CHECK(t.sent(0, "10.0.1.77") == "-> b");
    CHECK(t.sent(2, "10.0.1.77") == ""); // waits still
    t.forget();
    heard(3);
    CHECK(t.sent(2, "10.0.1.77") == "-> d");
    CHECK(t.take_one().ethernet().destination == mac_of(3, 77));
}

TEST_CASE("a route leads into another VRF where it says so", "[nodes]")
{
    two_vrfs t;
    CHECK(t.command("ip route add 20.0.0.0/8 via 10.0.1.2 vrf blue via-vrf red") == "");
    t.in_each_variant([&] {
        CHECK(t.sent(0, "20.0.0.1") == "-> d");
        CHECK(t.sent(2, "20.0.0.1") == "ip4-lookup: no_route -> c");
    });
    const auto data = t.command_json("show ip fib 20.0.0.1 vrf blue");
    CHECK(data["vrf"] == "blue");
    CHECK(data["routes"][0]["next_hops"][0]["vrf"] == "red");
    CHECK(t.command("ip route del 20.0.0.0/8 vrf blue") == "");
    CHECK(t.sent(0, "20.0.0.1") == "ip4-lookup: no_route -> a");
}

TEST_CASE("flows are spread over the paths of a VRF", "[nodes]")
{
    two_vrfs t;
    CHECK(t.command("ip route add 16.0.0.0/8 via 10.0.0.2 via 10.0.1.2 vrf red") == "");
    std::map<std::string, int> ways;
    for (uint16_t port = 1; port <= 64; ++port) {
        packet_builder p = udp_packet("10.0.0.2", "16.0.0.1").udp(port, 9);
        ++ways[t.verdict_of(p.ethernet(mac_of(2, 1), mac_of(2, 2)), 2)];
    }
    CHECK(ways.size() == 2);
    CHECK(ways["-> c"] + ways["-> d"] == 64);
    t.set_carrier("d", false);
    packet_builder p = udp_packet("10.0.0.2", "16.0.0.1");
    CHECK(t.verdict_of(p.ethernet(mac_of(2, 1), mac_of(2, 2)), 2) == "-> c");
    t.set_carrier("d", true);
}

TEST_CASE("an interface changes its VRF only without addresses, a VRF goes only unused", "[nodes]")
{
    two_vrfs t;
    CHECK(t.command("set interface vrf a red") ==
          "error: interface a has addresses in VRF blue; remove them first");
    CHECK(t.command("vrf del blue") == "error: interface a is in VRF `blue'");
    CHECK(t.command("vrf del default") == "error: the default VRF cannot be removed");
    CHECK(t.command("vrf add blue") == "error: VRF `blue' already exists");
    CHECK(t.command("vrf add a/b").starts_with("error: `a/b' is not a valid VRF name"));
    CHECK(t.command("ip route add 20.0.0.0/8 via 10.9.0.9 vrf blue") == "");
    for (interface_index i = 0; i < 2; ++i) {
        REQUIRE(t.ip4().remove_address(i, own_address(fmt::format("10.0.{}.1/24", i))));
        CHECK(t.command(fmt::format("set interface vrf {} default", i == 0 ? "a" : "b")) == "");
    }
    CHECK(t.command("vrf del blue") == "error: VRF blue has 1 static routes");
    CHECK(t.command("ip route del 20.0.0.0/8 vrf blue") == "");
    CHECK(t.command("vrf del blue") == "");
    t.run();
    CHECK(t.command("show vrf").find("blue") == std::string::npos);
    CHECK(t.command("vrf add green") == "");
    CHECK(t.command_json("show vrf")["vrfs"][1]["name"] == "green"); // the number again
}

TEST_CASE("show vrf and show ip fib vrf tell what is in a VRF", "[nodes]")
{
    two_vrfs t;
    CHECK(t.command("ip route add 16.0.0.0/8 via 10.0.1.2 vrf blue") == "");
    CHECK(t.command_json("show vrf")["vrfs"][1] ==
          nlohmann::ordered_json{{"name", "blue"}, {"index", 1}, {"interfaces", {"a", "b"}}});
    CHECK(t.command("show ip fib vrf blue").starts_with("ipv4-VRF:blue, fib_index:1, prefixes:"));
    CHECK(t.command("show ip fib vrf blue").find("\n16.0.0.0/8\n  static") != std::string::npos);
    CHECK(t.command("show ip fib vrf red").find("\n16.0.0.0/8\n") == std::string::npos);
    CHECK(t.command("show ip fib vrf green").starts_with("error: no vrf `green'"));
    CHECK(t.command("show ip fib exact-path 10.0.0.2 16.0.0.1 vrf blue").find("via 10.0.1.2") !=
          std::string::npos);
}

TEST_CASE("a VRF with many routes gets a large table under its packets", "[nodes]")
{
    two_vrfs t;
    for (uint32_t n = 0; n <= ip4::lookup_table::max_small; ++n)
        REQUIRE(t.ip4().add_route({{(16u << 24) + (n << 8)}, 24}, {ip("10.0.1.2")},
                                  {t.blue(), t.blue()}));
    CHECK(t.ip4().table(t.blue()).is_large());
    CHECK_FALSE(t.ip4().table(t.red()).is_large());
    t.in_each_variant([&] {
        CHECK(t.sent(0, "16.0.0.1") == "-> b");
        CHECK(t.sent(2, "16.0.0.1") == "ip4-lookup: no_route -> c");
    });
}

TEST_CASE("a thousand VRFs of ten routes take less than 300 MB", "[nodes]")
{
    node_tester t;
    t.run();
    const size_t before = resident_bytes();
    for (uint32_t n = 0; n < 1000; ++n) {
        const auto vrf = t.engine.module<vrf_table>().add(fmt::format("v{}", n));
        REQUIRE(vrf.has_value());
        for (uint32_t k = 0; k < 10; ++k)
            REQUIRE(t.ip4().add_route({{(16u + 7 * k) << 24 | n << 8}, 24}, {ip("10.0.1.2")},
                                      {*vrf, default_vrf}));
    }
    const size_t taken = (resident_bytes() - before) >> 20;
    WARN(taken << " MiB for 1000 VRFs of ten routes");
    CHECK(taken < 280); // 300 MB are 286 MiB
}

TEST_CASE("a static route waits for its next hop's network and says so", "[nodes]")
{
    two_vrfs t;
    CHECK(t.command("ip route add 16.0.0.0/8 via 10.7.0.2 vrf blue") == "");
    CHECK(t.sent(0, "16.0.0.1") == "ip4-lookup: no_route -> a");
    const auto text = t.command("show ip fib 16.0.0.0/8 vrf blue");
    CHECK(text.find("static [1/0] (not used: no usable next hop)") != std::string::npos);
    CHECK(text.find("not used: via 10.7.0.2: no connected network") != std::string::npos);
    REQUIRE(t.ip4().add_address(2, own_address("10.7.0.1/24"))); // in the other VRF
    t.run();
    CHECK(t.sent(0, "16.0.0.1") == "ip4-lookup: no_route -> a");
    REQUIRE(t.ip4().add_address(1, own_address("10.7.0.1/24")));
    t.run();
    CHECK(t.sent(0, "16.0.0.1") == "-> b (ARP)");
    CHECK(t.command_json("show ip fib 16.0.0.0/8 vrf blue")["routes"][0]["active"] == true);
    REQUIRE(t.ip4().remove_address(1, own_address("10.7.0.1/24")));
    t.run();
    CHECK(t.sent(0, "16.0.0.1") == "ip4-lookup: no_route -> a");
}

TEST_CASE("a route of type unreachable or prohibit tells the sender which", "[nodes]")
{
    node_tester t;
    CHECK(t.command("ip route add 16.0.0.0/8 unreachable") == "");
    CHECK(t.command("ip route add 17.0.0.0/8 prohibit") == "");
    for (auto which : {variant::plain, variant::baseline}) {
        t.use_variant(which);
        CHECK(t.verdict_of(udp_packet("10.0.0.2", "16.0.0.1")) ==
              "ip4-lookup: host_unreachable -> a");
        CHECK(t.take_one().icmp().code == 1);
        CHECK(t.verdict_of(udp_packet("10.0.0.2", "17.0.0.1")) == "ip4-lookup: prohibited -> a");
        CHECK(t.take_one().icmp().code == 13);
    }
    CHECK(t.command("show ip fib exact-path 10.0.0.2 17.0.0.1")
              .ends_with("dropped: ip4-lookup, prohibited"));
}

TEST_CASE("a gateway that is on no network is reached where a route says it is", "[nodes]")
{
    node_tester t;
    CHECK(t.command("ip route add 16.0.0.0/8 via 99.0.0.9 dev b") == "");
    CHECK(t.verdict_of(udp_packet("10.0.0.2", "16.0.0.1")) == "-> b (ARP)");
    CHECK(t.take_one().arp().target_ip == ip("99.0.0.9").wire());
    t.hear_from("99.0.0.9", mac_of(1, 9), 1);
    CHECK(t.take().size() <= 1);
    CHECK(t.verdict_of(udp_packet("10.0.0.2", "16.0.0.1")) == "-> b");
    CHECK(t.take_one().ethernet().destination == mac_of(1, 9));
    CHECK(t.verdict_of(udp_packet("10.0.0.2", "99.0.0.9")) == "ip4-lookup: no_route -> a");
}

TEST_CASE("a route by an interface asks for its destinations there", "[nodes]")
{
    node_tester t;
    CHECK(t.command("ip route add 16.0.0.0/8 dev b") == "");
    CHECK(t.verdict_of(udp_packet("10.0.0.2", "16.0.0.1")) == "-> b (ARP)");
    t.hear_from("16.0.0.1", mac_of(1, 9), 1);
    CHECK(t.take().size() == 2); // the question, and what waited for the answer
    CHECK(t.verdict_of(udp_packet("10.0.0.2", "16.0.0.1")) == "-> b");
    CHECK(t.take_one().ethernet().destination == mac_of(1, 9));
    REQUIRE(t.ip4().add_address(1, own_address("10.9.0.1/24"))); // the route is watched still
    t.run();
    CHECK(t.command("ip route del 16.0.0.0/8") == "");
    CHECK(t.verdict_of(udp_packet("10.0.0.2", "16.0.0.1")) == "ip4-lookup: no_route -> a");
}

TEST_CASE("paths get flows by their weights, and who goes moves only its own", "[nodes]")
{
    node_tester t{{.interfaces = 3}};
    const auto hop = [&](interface_index i) {
        return t.hops().acquire(i, ip(fmt::format("10.0.{}.9", i))).value();
    };
    const std::vector<fib::weighted_hop> three{{hop(0), 1}, {hop(1), 3}, {hop(2), 4}};
    const auto balance = t.hops().weighted_balance(three).value();
    const auto whole = t.hops().buckets_of(balance);
    REQUIRE(whole.size() == 8);
    for (const auto& h : three)
        CHECK(std::count(whole.begin(), whole.end(), t.hops().at(h.hop).adjacency) == h.weight);
    t.set_carrier("c", false);
    const auto less = t.hops().buckets_of(balance);
    const auto gone = t.hops().at(three[2].hop).adjacency;
    for (size_t n = 0; n < whole.size(); ++n)
        CHECK((whole[n] == gone || whole[n] == less[n]));
    CHECK(std::count(less.begin(), less.end(), t.hops().at(three[0].hop).adjacency) == 2);
    t.set_carrier("c", true);
    CHECK(t.hops().buckets_of(balance) == whole);
    const auto heavy = t.hops().weighted_balance({{hop(0), 1}, {hop(1), 256}}).value();
    CHECK(t.hops().buckets_of(heavy).size() == 4096);
    CHECK(t.hops().weighted_balance({{hop(0), 257}}).error().message ==
          "a weight of 257; 1 to 256 are allowed");
}
