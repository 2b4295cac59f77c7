// SPDX-License-Identifier: Apache-2.0
// Kinds of interfaces, and interfaces that are made and deleted while packets go on.
#include "nodes/interface/kind.hh"
#include "nodes/interface/lifecycle.hh"
#include "tests/nodes/node_tester.hh"

#include <malloc.h>
#if defined(__SANITIZE_ADDRESS__)
extern "C" size_t __sanitizer_get_current_allocated_bytes(); // of the run-time library
#endif

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

// What the program has allocated and not freed.
size_t heap_bytes()
{
#if defined(__SANITIZE_ADDRESS__)
    return __sanitizer_get_current_allocated_bytes();
#else
    return mallinfo2().uordblks;
#endif
}

// What interfaces leave behind where they leave anything.
struct traces {
    explicit traces(node_tester& t)
    {
        auto& lifecycle = t.engine.module<interface_lifecycle>();
        for (int loop = 0; loop < 20 && (t.engine.rcu().pending() > 0 || lifecycle.retired() > 0);
             ++loop) {
            t.advance(1s);
            t.engine.reclaim_graph();
            lifecycle.reclaim();
        }
        static_cast<void>(t.take());
        waiting = t.engine.rcu().pending() + lifecycle.retired();
        for ([[maybe_unused]] const auto& node : t.engine.registry().all())
            ++nodes;
        slots = t.engine.registry().find("interface-output")->nexts.size();
        interfaces = interfaces_of(t.engine).all().size();
        heap = heap_bytes();
    }
    size_t waiting = 0, nodes = 0, slots = 0, interfaces = 0, heap = 0;
};

// An interface of each kind with all that may refer to it, used and deleted again.
void make_and_delete(node_tester& t)
{
    for (const char* line :
         {"interface create vlan a.9 link a vlan 9 addresses 10.9.0.1/24",
          "interface create vlan a.9.7 link a.9 vlan 7 ip4 true",
          "interface create loopback l addresses 10.99.0.1/32",
          "interface create null n addresses 10.98.0.1/24 secondary-macaddresses 02:00:00:00:09:07",
          "ip neighbor add a.9 10.9.0.2 02:00:00:00:09:02",
          "ip route add 10.97.0.0/16 via 10.98.0.7", "ip route add 10.96.0.0/16 via 10.9.0.2"})
        REQUIRE(t.command(line) == "");
    t.inject("ethernet-input", packet_builder{}.ip4("10.9.0.2", "10.0.1.2").udp().tag(9));
    t.inject("ethernet-input", packet_builder{}.ip4("10.0.0.2", "10.97.0.9").udp());
    t.inject("ethernet-input", packet_builder{}.ip4("10.0.0.2", "10.96.0.9").udp());
    t.run();
    REQUIRE(t.take().size() >= 2);
    for (const char* line : {"ip route del 10.97.0.0/16", "ip route del 10.96.0.0/16",
                             "interface delete a.9", "interface delete l", "interface delete n"})
        REQUIRE(t.command(line) == "");
    t.run();
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

TEST_CASE("interfaces of each kind leave nothing behind", "[interface]")
{
    node_tester t;
    for (unsigned warm = 0; warm < 50; ++warm)
        make_and_delete(t);
    const traces before{t};
    for (unsigned n = 0; n < 400; ++n)
        make_and_delete(t);
    const traces after{t};
    CHECK(after.waiting == 0);
    CHECK(after.nodes == before.nodes);
    CHECK(after.slots == before.slots);
    CHECK(after.interfaces == 2);
    CHECK(after.heap < before.heap + 16 * 1024);
    CHECK(t.command("interface create null n") == "");
    CHECK(t.port("n").index < 16);
}

TEST_CASE("numbers come back side by side, also where packets are handed over", "[interface]")
{
    node_tester t{{.workers = {1}}};
    graph_thread& worker = t.engine.thread(1);
    worker.run_once();
    const node_id input = t.engine.registry().find("ethernet-input")->id;
    REQUIRE(
        worker.inject_new(input, t.make(packet_builder{}.ip4("10.0.0.2", "10.0.1.77").bytes())));
    worker.run_once(); // which hands it to the main thread: the neighbour is unknown
    t.run();
    REQUIRE(t.take_one().is_arp());
    auto& lifecycle = t.engine.module<interface_lifecycle>();
    std::vector<interface*> made;
    for (unsigned n = 0; n < 50; ++n)
        made.push_back(*lifecycle.create(fmt::format("n{}", n), null_settings()));
    worker.run_once();
    for (interface* i : made)
        REQUIRE(lifecycle.remove(*i, nullptr));
    REQUIRE(lifecycle.retired() == 50);
    for (int loop = 0; loop < 10; ++loop) {
        worker.run_once();
        t.run();
        lifecycle.reclaim();
    }
    CHECK(lifecycle.retired() == 0);
}

TEST_CASE("an interface whose device cannot be opened gives back what it has taken", "[interface]")
{
    static int left;
    struct broken final : interface_driver {
        result<void> plug(engine&) override { return fail(errc::io, "no such device"); }
        void leave(engine&) override { ++left; }
        result<void> set_admin(bool) override { return {}; }
        result<void> set_mtu(uint16_t) override { return {}; }
        link_status link() const override { return {}; }
        hardware_status hardware() const override { return {}; }
    };
    left = 0;
    const interface_kind_registration kind{
        {.name = "broken",
         .make = [](engine&, const std::string&, const config::value&)
             -> result<std::unique_ptr<interface_driver>> { return std::make_unique<broken>(); }}};
    node_tester t;
    CHECK_THAT(t.command("interface create broken x"), Contains("no such device"));
    CHECK(left == 1);
    CHECK(interfaces_of(t.engine).find("x") == nullptr);
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
