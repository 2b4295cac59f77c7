// SPDX-License-Identifier: Apache-2.0
// Kinds of interfaces, and interfaces that are made and deleted while packets go on.
#include "nodes/interface/kind.hh"
#include "nodes/interface/lifecycle.hh"
#include "tests/nodes/node_tester.hh"

using namespace weft;
using namespace weft::test;
using Catch::Contains;

namespace {

result<interface_kinds> kinds_of(const interface_kind_registration& a,
                                 const interface_kind_registration& b)
{
    const std::array both{&a, &b};
    return interface_kinds::of(both);
}

// As a file would have them.
config::value null_settings()
{
    std::vector<config::value::entry> keys;
    keys.push_back({"kind", {}, config::value::scalar("null", {}, "interfaces.n.kind")});
    return config::value::mapping(std::move(keys), {}, "interfaces.n");
}

} // namespace

TEST_CASE("two kinds of one name are an error that names both places", "[interface]")
{
    const interface_kind_registration one{{.name = "tunnel"}};
    const interface_kind_registration other{{.name = "tunnel", .devices = {"net_tun"}}};
    const auto made = kinds_of(one, other);
    REQUIRE_FALSE(made);
    CHECK_THAT(made.error().message, Contains("claim the name `tunnel'"));
    CHECK_THAT(made.error().message,
               Contains(fmt::format("test_lifecycle.cc:{}", one.where.line())));
    CHECK_THAT(made.error().message,
               Contains(fmt::format("test_lifecycle.cc:{}", other.where.line())));
}

TEST_CASE("two kinds of one key or device are an error as well", "[interface]")
{
    const interface_kind_registration one{{.name = "a", .key = "k", .devices = {"net_x"}}};
    const interface_kind_registration other{{.name = "b", .key = "k", .devices = {"net_x"}}};
    const auto made = kinds_of(one, other);
    REQUIRE_FALSE(made);
    CHECK_THAT(made.error().message, Contains("claim the key `k'"));
    CHECK_THAT(made.error().message, Contains("claim the device `net_x'"));
}

TEST_CASE("interfaces are made and deleted by command", "[interface]")
{
    node_tester t;
    CHECK(t.command("interface create null n mtu 1400 macaddress 02:00:00:00:00:77") == "");
    const interface_index index = t.port("n").index;
    CHECK(interfaces_of(t.engine).hot(index).mtu == 1400);
    CHECK(interfaces_of(t.engine).hot(index).admin_up);
    CHECK(t.port("n").kind == "null");
    CHECK(t.command("interface create null n") == "error: an interface `n' already exists");
    CHECK(t.command("interface delete n") == "");
    CHECK(interfaces_of(t.engine).find("n") == nullptr);
    CHECK_THAT(t.command("interface delete n"), Contains("no interface `n'"));
}

TEST_CASE("what is wrong with an interface to be made is told by key", "[interface]")
{
    node_tester t;
    CHECK_THAT(t.command("interface create nul n"),
               Contains("`nul' is not a kind of interface; did you mean `null'?"));
    CHECK_THAT(t.command("interface create null n mtu"),
               Contains("`mtu' is a key without a value"));
    CHECK_THAT(t.command("interface create null n mtu 20"),
               Contains("interfaces.n.mtu: 20 is below"));
    CHECK_THAT(t.command("interface create null n mtt 20"), Contains("did you mean `mtu'"));
    CHECK_THAT(t.command("interface create null ..  mtu 68"),
               Contains("is not a valid interface name"));
    CHECK_THAT(t.command("interface create null n234567890123456"),
               Contains("is not a valid interface name"));
    CHECK(interfaces_of(t.engine).all().size() == 2);
}

TEST_CASE("addresses come with an interface and go with it", "[interface]")
{
    node_tester t;
    REQUIRE(t.command("interface create null n addresses 10.0.9.1/24,10.0.10.1/24") == "");
    const interface_index index = t.port("n").index;
    CHECK(t.ip4().addresses_of(index).size() == 2);
    CHECK(t.ip4().interface_towards(ip("10.0.10.7")) == index);
    REQUIRE(t.command("ip neighbor add n 10.0.9.2 02:00:00:00:00:09") == "");
    REQUIRE(t.command("interface delete n") == "");
    t.run(); // what was about to leave
    CHECK_FALSE(t.ip4().interface_towards(ip("10.0.10.7")));
    CHECK(t.ip4().addresses_of(index).empty());
    CHECK_FALSE(t.state_of("10.0.9.2"));
    CHECK(t.verdict_of(packet_builder{}.ip4("10.0.0.2", "10.0.9.2").udp()) ==
          "ip4-lookup: no_route -> a");
}

TEST_CASE("an address that cannot be had leaves no interface behind", "[interface]")
{
    node_tester t;
    CHECK_THAT(t.command("interface create null n addresses 10.0.0.9/24"), Contains("overlaps"));
    CHECK(interfaces_of(t.engine).find("n") == nullptr);
}

// 10,000 times over: numbers are used again, and memory does not grow with how many there were.
TEST_CASE("interfaces come and go under traffic", "[interface]")
{
    node_tester t;
    auto& lifecycle = t.engine.module<interface_lifecycle>();
    const auto settings = null_settings();
    size_t sent = 0;
    interface_index highest = 0;
    for (unsigned n = 0; n < 10'000; ++n) {
        const auto made = lifecycle.create("n", settings);
        REQUIRE(made);
        REQUIRE(lifecycle.bring_up(**made, nullptr));
        highest = std::max(highest, (*made)->index);
        t.inject("ethernet-input", packet_builder{}.ip4("10.0.0.2", "10.0.1.2").udp());
        t.run();
        sent += t.take().size();
        REQUIRE(lifecycle.remove(**made, nullptr));
    }
    CHECK(sent == 10'000);
    CHECK(highest < 16);
    t.run();
    lifecycle.reclaim();
    CHECK(lifecycle.retired() < 16);
    CHECK(interfaces_of(t.engine).all().size() == 2);
}

TEST_CASE("16,384 interfaces at once, and not one more", "[interface]")
{
    node_tester t;
    const auto settings = null_settings();
    for (unsigned n = 2; n < max_interfaces; ++n)
        REQUIRE(t.engine.module<interface_lifecycle>().create(fmt::format("n{}", n), settings));
    REQUIRE(t.engine.module<interface_lifecycle>().bring_up(t.port("n16383"), nullptr));
    CHECK_THAT(t.command("interface create null more"), Contains("which is the maximum"));
    CHECK(t.command_json("show interface")["interfaces"].size() == max_interfaces);
    t.inject("interface-output", packet_builder{}.ip4().udp(), t.port("n16383").index);
    t.run();
    CHECK(interfaces_of(t.engine).count(t.port("n16383").index).tx_packets == 1);
}

TEST_CASE("an interface that is in use is not deleted, and who uses it is named", "[interface]")
{
    node_tester t;
    REQUIRE(t.command("interface create null n") == "");
    REQUIRE(t.command("packet-generator new s interface n limit 1 source 10.0.0.2 destination "
                      "10.0.1.2") == "");
    CHECK(t.command("interface delete n") == "error: stream `s' sends packets into interface n");
    REQUIRE(t.command("packet-generator delete s") == "");
    CHECK(t.command("interface delete n") == "");
}
