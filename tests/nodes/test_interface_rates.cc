// SPDX-License-Identifier: Apache-2.0
// Packets and bits a second of an interface, over 1, 10 and 60 seconds; show interface has them.
#include "nodes/interface/rates.hh"
#include "tests/nodes/node_tester.hh"

using namespace weft;
using namespace weft::test;
using Catch::Contains;

namespace {

// Each second so many packets of 100 bytes come in by interface a.
void pass(node_tester& t, unsigned seconds, unsigned packets, double& now)
{
    for (unsigned s = 0; s < seconds; ++s) {
        auto& counters = interfaces_of(t.engine).counters(0, 0);
        counters.rx_packets.add(packets);
        counters.rx_bytes.add(100 * packets);
        t.engine.module<interface_rates>().sample(0, now += 1);
    }
}

} // namespace

TEST_CASE("rates are those of the last second, ten and sixty", "[interface]")
{
    node_tester t;
    auto& rates = t.engine.module<interface_rates>();
    double now = 0;
    CHECK(rates.of(0, 0).rx_packets == 0);
    pass(t, 1, 7, now);
    CHECK(rates.of(0, 0).rx_packets == 0); // no second sample yet
    pass(t, 100, 10, now);
    for (size_t span = 0; span < 3; ++span)
        CHECK(rates.of(0, span).rx_packets == Approx(10));
    pass(t, 9, 30, now);
    pass(t, 1, 50, now);
    CHECK(rates.of(0, 0).rx_packets == Approx(50));
    CHECK(rates.of(0, 0).rx_bits == Approx(50 * 800));
    CHECK(rates.of(0, 1).rx_packets == Approx(32));
    CHECK(rates.of(0, 2).rx_packets == Approx((50 * 10 + 9 * 30 + 50) / 60.0).epsilon(0.2));
    CHECK(rates.of(0, 2).tx_packets == 0);
}

TEST_CASE("show interface has state, link, speed, description and rates", "[interface]")
{
    node_tester t;
    double now = 0;
    pass(t, 3, 5, now);
    REQUIRE(t.command("set interface description a to the lab, rack 7") == "");
    const auto text = t.command("show interface a");
    CHECK_THAT(text, Contains("Admin") && Contains("Link") && Contains("Speed"));
    CHECK_THAT(text, Contains("10G") && Contains("to the lab, rack 7"));
    CHECK_THAT(text, Contains("rx packets/s") && !Contains("tx packets/s"));
    for (size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
        CHECK(std::min(text.find('\n', at), text.size()) - at <= 80);
        if (text.find('\n', at) == text.npos)
            break;
    }
    const auto data = t.command_json("show interface a")["interfaces"][0];
    CHECK(data["admin"] == "up");
    CHECK(data["speed_mbps"] == 10'000);
    CHECK(data["rates"][0]["rx_packets_per_second"] == 5);
    CHECK(t.command("set interface description a " + std::string(256, 'x')) ==
          "error: text: it has 256 bytes, more than 255");
}

TEST_CASE("a MAC address changes at run time, and frames to the old one are not taken",
          "[interface]")
{
    node_tester t;
    const auto p = packet_builder{}.ip4("10.0.0.2", "10.0.1.2").udp();
    REQUIRE(t.command("set interface mac a 02:00:00:00:00:44") == "");
    t.run(); // announcements
    CHECK(t.verdict_of(p) == "ethernet-input: not_for_us");
    CHECK(t.verdict_of(packet_builder{p}.ethernet({{2, 0, 0, 0, 0, 0x44}})) == "-> b");
    CHECK_THAT(t.command("set interface mac a 03:00:00:00:00:44"),
               Contains("not a unicast MAC address"));
    REQUIRE(t.command("set interface mac b 02:00:00:00:00:45") == "");
    t.run();
    CHECK(t.verdict_of(packet_builder{p}.ethernet({{2, 0, 0, 0, 0, 0x44}})) == "-> b");
    CHECK(t.take_one().ethernet().source == net::mac_address{{2, 0, 0, 0, 0, 0x45}});
}
