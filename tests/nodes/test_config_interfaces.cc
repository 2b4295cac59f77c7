// SPDX-License-Identifier: Apache-2.0
// The configuration's interfaces: what is wrong with them, and how they come to life.
#include "nodes/interface/lifecycle.hh"
#include "nodes/interface/link.hh"
#include "tests/base/temporary_directory.hh"
#include "tests/nodes/node_tester.hh"
#include "tests/nodes/parsed_yaml.hh"

#include <fstream>

namespace weft::test::config_interfaces_tests {

namespace {

std::string first_fault(const std::string& interfaces)
{
    config::problems found;
    config::schema::registered().value().check(parsed("interfaces:\n" + interfaces), found);
    const auto all = found.sorted();
    return all.empty() ? "" : all.front().key + ": " + all.front().message;
}

struct file_tester : node_tester {
    // As the daemon does, but for what is no interface's.
    std::string start(const std::string& interfaces)
    {
        const auto schema = config::schema::registered().value();
        auto done = schema.apply_below("interfaces", parsed("interfaces:\n" + interfaces), engine);
        if (done)
            done = engine.publish_plans("start");
        run();
        if (done)
            done = engine.module<interface_lifecycle>().start();
        run();
        static_cast<void>(take());
        return done ? "" : done.error().message;
    }
    [[nodiscard]] nlohmann::ordered_json shown(const std::string& name)
    {
        return command_json("show interface " + name)["interfaces"][0];
    }
};

} // namespace

TEST_CASE("an interface stays down where the file says so, and its sub-interfaces without a link",
          "[interface]")
{
    file_tester t;
    REQUIRE(t.start("  n: {device: \"null\", state: down}\n"
                    "  n.5: {vlan: 5, link: n, addresses: [10.5.0.1/24]}\n"
                    "  m: {device: \"null\"}\n") == "");
    CHECK(t.shown("n")["admin"] == "down");
    CHECK(t.shown("m")["admin"] == "up");
    CHECK(t.shown("n.5")["admin"] == "up");
    CHECK(t.shown("n.5")["link"] == "down");
    CHECK_FALSE(is_up(interfaces_of(t.engine), t.port("n.5").index));
    REQUIRE(t.command("set interface state n up") == "");
    CHECK(t.shown("n.5")["link"] == "up");
    CHECK(t.verdict_of(packet_builder{}.ip4("10.0.0.2", "10.5.0.9").udp()) == "");
    t.run(); // the request for the neighbour, which the null interface counts
    CHECK(t.shown("n")["counters"]["tx packets"] > 0);
}

TEST_CASE("an interface is described by the file and by hand", "[interface]")
{
    file_tester t;
    REQUIRE(t.start("  n: {device: \"null\", description: \"uplink, rack 7 (ä)\"}\n") == "");
    CHECK(t.shown("n")["description"] == "uplink, rack 7 (ä)");
    CHECK_THAT(t.command("show interface n"), Catch::Contains("uplink, rack 7"));
    REQUIRE(t.command("set interface description n lab 2") == "");
    CHECK(t.shown("n")["description"] == "lab 2");
    CHECK(first_fault("  n: {device: \"null\", description: \"" + std::string(255, 'x') +
                      "\"}\n") == "");
    CHECK_THAT(
        first_fault("  n: {device: \"null\", description: \"" + std::string(256, 'x') + "\"}\n"),
        Catch::Contains("it has 256 bytes, more than 255"));
}

TEST_CASE("sub-interfaces may stand before what they lie on", "[interface]")
{
    file_tester t;
    REQUIRE(t.start("  a.7.8: {vlan: 8, link: a.7}\n"
                    "  a.7: {vlan: 7, link: n, protocol: 802.1ad}\n"
                    "  n: {device: \"null\", mtu: 9000}\n") == "");
    CHECK(t.shown("a.7")["mtu"] == 9000);
    CHECK(t.shown("a.7.8")["mtu"] == 8996);
    CHECK(t.shown("a.7.8")["link"] == "up");
}

TEST_CASE("a sub-interface's MTU is within what lies below leaves for it", "[interface]")
{
    const std::string below = "  n: {device: \"null\", mtu: 9000}\n"
                              "  n.7: {vlan: 7, link: n}\n";
    CHECK(first_fault(below + "  n.7.8: {vlan: 8, link: n.7, mtu: 8996}\n") == "");
    CHECK(first_fault(below + "  n.7.8: {vlan: 8, link: n.7, mtu: 8997}\n") ==
          "interfaces.n.7.8.mtu: 8997 is above 8996, which interface n.7 leaves for it");
    CHECK(first_fault(below + "  n.9: {vlan: 9, link: n, mtu: 9001}\n") ==
          "interfaces.n.9.mtu: 9001 is above 9000, which interface n leaves for it");
}

TEST_CASE("an interface without its device waits for it, and so do its sub-interfaces",
          "[interface]")
{
    const temporary_directory folder;
    const std::string socket = folder.file("later/m.sock"); // `later' is no directory yet
    std::ofstream{folder.file("later")} << "a file";
    const std::string device =
        fmt::format("device: \"net_memif0,role=server,socket={},socket-abstract=no\"", socket);
    file_tester t;
    CHECK_THAT(t.start("  m: {" + device + "}\n"), Catch::Contains("interfaces.m: "));
    REQUIRE(t.start("  m.5: {vlan: 5, link: m, addresses: [10.5.0.1/24]}\n  m: {" + device +
                    ", optional: true}\n") == "");
    CHECK(t.shown("m")["device"] == "missing");
    CHECK(t.shown("m.5")["link"] == "down");
    CHECK_FALSE(is_up(interfaces_of(t.engine), t.port("m.5").index));
    for (const auto* process : registered_processes())
        if (process->name == "device-watch")
            REQUIRE(t.engine.loop().start("device-watch", process->function, process->stack_size));
    std::filesystem::remove(folder.file("later"));
    t.advance(7s);
    CHECK(t.shown("m")["device"] == "present");
    CHECK(std::filesystem::exists(socket));
    REQUIRE(t.command("interface delete m") == "");
    CHECK(interfaces_of(t.engine).all().size() == 2);
}

TEST_CASE("what no device can be told is found in the file", "[interface]")
{
    CHECK_THAT(first_fault("  lo: {kind: loopback, promiscuous: true}\n"),
               Catch::Contains("an interface of kind loopback has no `promiscuous'"));
    CHECK_THAT(first_fault("  n: {device: \"null\", secondary-macaddresses: "
                           "['01:00:5e:00:00:01']}\n"),
               Catch::Contains("01:00:5e:00:00:01 is a multicast address"));
    CHECK_THAT(first_fault("  n: {device: \"null\", macaddress: '02:00:00:00:00:01', "
                           "secondary-macaddresses: ['02:00:00:00:00:01']}\n"),
               Catch::Contains("is given twice"));
    CHECK_THAT(first_fault("  p: {device: \"net_af_packet0,iface=x\", mtu: 9000}\n"),
               Catch::Contains("uses one for each frame"));
    CHECK(first_fault("  p: {device: \"net_tap0,iface=x\", mtu: 9000}\n") == "");
}

} // namespace weft::test::config_interfaces_tests
