// SPDX-License-Identifier: Apache-2.0
// What --check finds in the sections of the daemon and of its ports, each with its place.
#include "daemon/settings.hh"
#include "daemon/yaml_file.hh"

#include <catch2/catch.hpp>
#include <sched.h>

using namespace weft;

namespace {

std::vector<std::string> check_of(const std::string& text)
{
    config::problems found;
    const auto root = parse_yaml(text, "f", found);
    REQUIRE(root.has_value());
    config::schema::registered().value().check(*root, found);
    std::vector<std::string> all;
    for (const auto& p : found.sorted())
        all.push_back(format_problem("f", p));
    return all;
}

using strings = std::vector<std::string>;

std::string usable_core()
{
    return std::to_string(usable_cores().front());
}

// Two interfaces with these devices.
strings two_ports(const std::string& one, const std::string& two)
{
    return check_of(
        fmt::format("interfaces:\n  a: {{device: \"{}\"}}\n  b: {{device: \"{}\"}}\n", one, two));
}

} // namespace

TEST_CASE("a core has one worker, and a key without a value is no list", "[config]")
{
    CHECK(check_of(fmt::format("cpu: {{main: {0}, workers: [{0}]}}\n", usable_core())) ==
          strings{});
    CHECK(
        check_of(fmt::format("cpu: {{workers: [{0}, {0}]}}\n", usable_core())) ==
        strings{fmt::format("f:1:{}: cpu.workers[1]: core {} already has a worker (cpu.workers[0])",
                            17 + usable_core().size() + 2, usable_core())});
    CHECK(check_of(fmt::format("cpu: {{workers: [{0}, {{core: {0}}}]}}\n", usable_core())).size() ==
          1);
    CHECK(check_of("cpu: {workers: }\n") ==
          strings{"f:1:7: cpu.workers: no value; expected a list of cores, or [] for none (the "
                  "main thread then forwards)"});
    CHECK(check_of("cpu: {workers: []}\n") == strings{});
    for (const char* nodes : {"", "[]"})
        CHECK(check_of(fmt::format("cpu: {{workers: [{{core: {}, nodes: {}}}]}}\n", usable_core(),
                                   nodes))
                  .at(0)
                  .find("cpu.workers[0].nodes: the list is empty") != std::string::npos);
}

TEST_CASE("the kernel's lists of cores are understood", "[config]")
{
    using cores = std::vector<unsigned>;
    CHECK(parse_core_list("") == cores{});
    CHECK(parse_core_list("3") == cores{3});
    CHECK(parse_core_list("0-2,5,8-9") == cores{0, 1, 2, 5, 8, 9});
    CHECK(parse_core_list("4-2,x,1") == cores{1});
    CHECK(parse_core_list("0-4000000000").size() == CPU_SETSIZE);
}

TEST_CASE("commands that run at start are commands", "[config]")
{
    CHECK(check_of("startup: [\"show interface\", \"set interface state not-there-yet up\"]\n") ==
          strings{});
    const auto found =
        check_of("startup:\n  - show interface\n  - foo bar\n  - set interface mtu a\n");
    REQUIRE(found.size() == 2);
    CHECK(found[0].find("f:3:5: startup[1]: unknown input `foo', expected ") == 0);
    CHECK(found[1] == "f:4:5: startup[2]: incomplete command: expected <mtu>");
}

TEST_CASE("what one interface has another cannot have", "[config]")
{
    CHECK(two_ports("net_tap0,iface=x", "net_tap1,iface=x") ==
          strings{"f:3:15: interfaces.b.device: TAP `x' is already used by interface a"});
    CHECK(two_ports("net_tap0,iface=x", "net_tap1,iface=y") == strings{});
    CHECK(two_ports("net_tap0,iface=x", "net_tap0,iface=y").size() == 1);
    CHECK(two_ports("net_tap0,iface=x", "net_af_packet0,iface=x") == strings{}); // its other end
    CHECK(two_ports("net_af_packet0,iface=x", "net_af_packet1,iface=x").size() == 1);
    CHECK(two_ports("net_pcap0,iface=x", "net_af_xdp0,iface=x").size() == 1);
    CHECK(two_ports("net_pcap0,iface=x", "net_pcap1,tx_iface=y,rx_iface=y") == strings{});
    CHECK(two_ports("net_pcap0,rx_pcap=/a,tx_pcap=/b", "net_pcap1,rx_pcap=/a,tx_pcap=/b").size() ==
          1);
    CHECK(two_ports("0000:03:00.0", "03:00.0").size() == 1);
    CHECK(two_ports("null", "null") == strings{});
}

TEST_CASE("a memif's socket has one server, and an id one client", "[config]")
{
    const auto memif = [](const char* role, int id, const char* more = "") {
        static int number = 0;
        return fmt::format("net_memif{},role={},id={},socket=/tmp/m{}", number++, role, id, more);
    };
    CHECK(two_ports(memif("server", 0), memif("server", 1)) ==
          strings{
              "f:3:15: interfaces.b.device: memif socket `/tmp/m' is already used by interface a"});
    CHECK(two_ports(memif("server", 0), memif("server", 1, ",socket-abstract=yes")) == strings{});
    CHECK(two_ports(memif("client", 0), memif("client", 0)).size() == 1);
    CHECK(two_ports(memif("client", 0), memif("client", 1)) == strings{});
    CHECK(two_ports(memif("server", 0), memif("client", 0)) == strings{}); // a loop
}

TEST_CASE("names of TAPs, numbers of queues and workers that cannot be are found", "[config]")
{
    const auto one = [](const std::string& text) {
        return check_of("interfaces: {a: {" + text + "}}\nbuffers: {count: 65536}\n");
    };
    CHECK(one("device: \"net_tap0,iface=fifteen-letters\", queues: 16") == strings{});
    CHECK(one("device: \"net_tap0,iface=sixteen--letters\"")
              .at(0)
              .find("argument `iface': `sixteen--letters' is not a valid Linux interface name") !=
          std::string::npos);
    CHECK(one("device: \"net_tap0,iface=a/b\"").size() == 1);
    CHECK(one("device: net_tap0") == strings{});
    CHECK(one("device: \"net_tap0,iface=x\", queues: 17") ==
          strings{
              "f:1:26: interfaces.a.device: it has at most 16 receive queues, 17 were requested"});
    CHECK(one("device: \"net_af_packet0,iface=x\", queues: 2").size() == 1);
    CHECK(one("device: \"net_af_packet0,iface=x,qpairs=2\", queues: 2") == strings{});
    CHECK(one("device: \"null\", handoff: 1") == strings{});
    CHECK(one("device: \"null\", handoff: [1, 2]") ==
          strings{"f:1:43: interfaces.a.handoff: no worker 2; there are 1 (cpu.workers)"});
    CHECK(one("device: \"null\", handoff: [1, 1]").size() == 1);
}
