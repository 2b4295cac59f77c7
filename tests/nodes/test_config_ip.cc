// SPDX-License-Identifier: Apache-2.0
// What the configuration's sections check of addresses, routes and neighbours, and that they apply.
#include "tests/nodes/node_tester.hh"
#include "tests/nodes/parsed_yaml.hh"

#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace weft;
using namespace weft::test;

namespace {

using strings = std::vector<std::string>;

constexpr const char* interfaces = R"(interfaces:
  a: {device: "net_null0", addresses: [10.0.0.1/24]}
  b: {device: "net_null1", addresses: [10.0.1.1/24, 10.0.1.3/24]}
)";

strings faults(const std::string& text)
{
    config::problems found;
    config::schema::registered().value().check(parsed(text), found);
    strings all;
    for (const auto& p : found.sorted())
        all.push_back(format_problem("f", p));
    return all;
}

// Of a file that begins with the three lines above.
strings faults_with(const std::string& text)
{
    return faults(interfaces + text);
}

// Applies the named sections only: the others want ports.
std::string apply(const std::string& text, node_tester& t)
{
    const config::schema schema = config::schema::registered().value();
    const auto done = schema.apply(parsed(text), t.engine);
    return done ? "" : done.error().message;
}

class file_of_routes {
public:
    explicit file_of_routes(std::string_view text)
    {
        std::ofstream file{path};
        file << text;
    }
    ~file_of_routes() { std::filesystem::remove(path); }
    const std::string path = fmt::format("/tmp/weft-test-{}.routes", getpid());
};

} // namespace

TEST_CASE("a sound configuration has no faults", "[nodes]")
{
    CHECK(faults_with("routes:\n"
                      "  - {to: 16.0.0.0/8, via: 10.0.1.2}\n"
                      "  - {to: 17.0.0.0/8, via: [10.0.0.2, 10.0.1.2]}\n"
                      "  - {to: 0.0.0.0/0, via: 10.0.0.254, type: unicast}\n"
                      "  - {to: 192.0.2.0/24, type: blackhole}\n"
                      "neighbors:\n"
                      "  - {interface: b, address: 10.0.1.2, macaddress: '02:00:00:00:0b:02'}\n") ==
          strings{});
}

TEST_CASE("addresses that are no station's are found", "[nodes]")
{
    CHECK(faults("interfaces:\n"
                 "  a: {device: x, addresses: [127.0.0.1/8, 10.1.0.0/16, 10.2.255.255/16]}\n"
                 "  b: {device: y, addresses: [224.0.0.1/24, 10.3.0.0/31, 10.3.0.9/32]}\n") ==
          strings{
              "f:2:30: interfaces.a.addresses[0]: 127.0.0.1/8 is in loopback (127.0.0.0/8)",
              "f:2:43: interfaces.a.addresses[1]: 10.1.0.0/16 is the first address of its network",
              "f:2:56: interfaces.a.addresses[2]: 10.2.255.255/16 is the broadcast address of its "
              "network",
              "f:3:30: interfaces.b.addresses[0]: 224.0.0.1/24 is in multicast (224.0.0.0/4)"});
}

TEST_CASE("addresses that overlap are found, with where the other stands", "[nodes]")
{
    CHECK(faults_with("  c: {device: z, addresses: [10.0.0.1/30]}\n"
                      "  d: {device: w, addresses: [10.0.1.77/24]}\n"
                      "  e: {device: v, addresses: [10.5.0.1/16, 10.5.1.1/24]}\n") ==
          strings{"f:4:30: interfaces.c.addresses[0]: 10.0.0.1/30 is already an address of "
                  "interface a (line 2)",
                  "f:5:30: interfaces.d.addresses[0]: 10.0.1.77/24 overlaps 10.0.1.1/24 of "
                  "interface b (line 3)",
                  "f:6:43: interfaces.e.addresses[1]: 10.5.1.1/24 overlaps 10.5.0.1/16 of "
                  "interface e (line 6)"});
}

TEST_CASE("next hops off every network wait for one", "[nodes]")
{
    CHECK(faults_with("routes: [{to: 16.0.0.0/8, via: [99.0.0.1, 10.0.0.2]}]\n") == strings{});
}

TEST_CASE("next hops that no station can have are found", "[nodes]")
{
    const std::string end = "is the first or the broadcast address of a network";
    for (const auto& [via, why] :
         {std::pair{"10.0.0.255", end}, std::pair{"10.0.0.0", end},
          std::pair{"10.0.1.3", std::string{"is an address of this router"}},
          std::pair{"127.0.0.1", std::string{"is not a unicast host address"}}}) {
        INFO(via);
        CHECK(faults_with(fmt::format("routes: [{{to: 16.0.0.0/8, via: {}}}]\n", via)) ==
              strings{fmt::format("f:4:32: routes[0].via: next hop {} {}", via, why)});
    }
}

TEST_CASE("what VRFs and routes name must be there", "[nodes]")
{
    CHECK(faults("vrfs: {blue: {}, default: {}}\n"
                 "interfaces:\n"
                 "  a: {device: x, vrf: blue, addresses: [10.0.0.1/24]}\n"
                 "  b: {device: y, vrf: red, addresses: [10.0.1.1/24]}\n"
                 "  c: {device: z, addresses: [10.0.0.1/24]}\n"
                 "routes:\n"
                 "  - {to: 16.0.0.0/8, via: 10.0.0.1, vrf: red, via-vrf: blue}\n"
                 "  - {to: 16.0.0.0/8, dev: d}\n"
                 "  - {to: 16.0.0.0/8, via: 10.0.0.9, vrf: blue}\n"
                 "  - {to: 16.0.0.0/8, type: prohibit, vrf: blue}\n") ==
          strings{"f:1:18: vrfs.default: the default VRF always exists",
                  "f:4:23: interfaces.b.vrf: no VRF `red' is configured under `vrfs'",
                  "f:7:27: routes[0].via: next hop 10.0.0.1 is an address of this router",
                  "f:7:42: routes[0].vrf: no VRF `red' is configured under `vrfs'",
                  "f:8:27: routes[1].dev: no interface `d' is configured",
                  "f:10:10: routes[3].to: 16.0.0.0/8 already has a route (line 9)"});
}

TEST_CASE("routes that contradict themselves are found", "[nodes]")
{
    CHECK(
        faults_with("routes:\n"
                    "  - {to: 16.0.0.0/8}\n"
                    "  - {to: 17.0.0.0/8, via: 10.0.0.2, type: blackhole}\n"
                    "  - {to: 127.0.0.0/8, type: blackhole}\n"
                    "  - {to: 16.0.0.0/8, type: blackhole}\n") ==
        strings{
            "f:5:5: routes[0]: a route needs `via' with one or more next hops, `dev', `paths', or "
            "a `type' such as blackhole",
            "f:6:27: routes[1].via: a route of type blackhole has no next hop",
            "f:7:10: routes[2].to: 127.0.0.0/8 is in loopback (127.0.0.0/8), which is never routed",
            "f:8:10: routes[3].to: 16.0.0.0/8 already has a route (line 5)"});
}

TEST_CASE("paths have weights, and routes distances and metrics", "[nodes]")
{
    const std::string file = "routes:\n"
                             "  - {to: 16.0.0.0/8, paths: [{via: 10.0.0.9, weight: 1}, "
                             "{via: 99.0.0.9, dev: b, weight: 3}]}\n"
                             "  - {to: 16.0.0.0/8, via: 10.0.0.2, distance: 200, metric: 7}\n";
    CHECK(faults_with(file) == strings{});
    CHECK(faults_with("routes:\n"
                      "  - {to: 16.0.0.0/8, dev: a, paths: [{weight: 2}, {dev: c}]}\n"
                      "  - {to: 17.0.0.0/8, dev: a, type: prohibit}\n") ==
          strings{"f:5:27: routes[0].dev: it cannot be combined with `paths'",
                  "f:5:38: routes[0].paths[0]: a path needs `via' or `dev'",
                  "f:5:57: routes[0].paths[1].dev: no interface `c' is configured",
                  "f:6:27: routes[1].dev: a route of type prohibit has no next hop"});
}

TEST_CASE("a route has at most 64 next hops", "[nodes]")
{
    std::string via;
    for (unsigned n = 0; n < 65; ++n)
        via += fmt::format("{}10.0.0.{}", n == 0 ? "" : ", ", n + 100);
    CHECK(faults_with("routes: [{to: 16.0.0.0/8, via: [" + via + "]}]\n") ==
          strings{"f:4:32: routes[0].via: 65 next hops, more than the maximum of 64"});
}

TEST_CASE("neighbours that are nowhere are found", "[nodes]")
{
    CHECK(faults_with("neighbors:\n"
                      "  - {interface: z, address: 10.0.1.2, macaddress: '02:00:00:00:0b:02'}\n"
                      "  - {interface: a, address: 10.0.1.2, macaddress: '02:00:00:00:0b:02'}\n"
                      "  - {interface: b, address: 10.0.1.2, macaddress: '03:00:00:00:0b:02'}\n") ==
          strings{"f:7:51: neighbors[2].macaddress: 03:00:00:00:0b:02 is a multicast address (a "
                  "unicast MAC address, such as 02:00:00:00:0a:01)"});
    CHECK(faults_with("neighbors:\n"
                      "  - {interface: z, address: 10.0.1.2, macaddress: '02:00:00:00:0b:02'}\n"
                      "  - {interface: a, address: 10.0.1.2, macaddress: '02:00:00:00:0b:02'}\n") ==
          strings{"f:5:17: neighbors[0].interface: no interface `z' is configured",
                  "f:6:29: neighbors[1].address: 10.0.1.2 is on a network of interface b"});
}

TEST_CASE("a neighbour may wait for a network that comes later, but has one entry", "[nodes]")
{
    CHECK(faults_with("neighbors:\n"
                      "  - {interface: b, address: 10.7.0.2, macaddress: '02:00:00:00:0b:02'}\n"
                      "  - {interface: a, address: 10.7.0.2, macaddress: '02:00:00:00:0b:02'}\n") ==
          strings{});
    CHECK(
        faults_with("neighbors:\n"
                    "  - {interface: b, address: 10.0.1.2, macaddress: '02:00:00:00:0b:02'}\n"
                    "  - {interface: b, address: 10.0.1.4, macaddress: '02:00:00:00:0b:04'}\n"
                    "  - {interface: b, address: 10.0.1.2, macaddress: '02:00:00:00:0b:03'}\n") ==
        strings{
            "f:7:29: neighbors[2].address: 10.0.1.2 on interface b already has an entry (line 5)"});
}

TEST_CASE("neighbours with an address of the router's own or of nobody are found", "[nodes]")
{
    for (const auto& [who, what] :
         {std::pair{"10.0.1.1", "an address of interface b"},
          std::pair{"10.0.0.1", "an address of interface a"},
          std::pair{"10.0.1.3", "an address of interface b"},
          std::pair{"10.0.1.0", "the first address of 10.0.1.0/24"},
          std::pair{"10.0.1.255", "the broadcast address of 10.0.1.0/24"}}) {
        const std::string line = fmt::format(
            "  - {{interface: b, address: {}, macaddress: '02:00:00:00:0b:02'}}\n", who);
        CHECK(faults_with("neighbors:\n" + line) ==
              strings{fmt::format("f:5:29: neighbors[0].address: {} is {}", who, what)});
    }
    CHECK(
        faults_with(
            "neighbors: [{interface: b, address: 127.0.0.9, macaddress: '02:00:00:00:0b:02'}]\n") ==
        strings{"f:4:37: neighbors[0].address: 127.0.0.9 is in loopback (127.0.0.0/8)"});
}

TEST_CASE("keys that are misspelt or missing are found with a proposal", "[nodes]")
{
    const auto found = faults_with("routes: [{too: 16.0.0.0/8, via: 10.0.0.2}]\n"
                                   "neighbors: [{interface: b, address: 10.0.1.2}]\n");
    REQUIRE(found.size() == 3);
    const auto all = fmt::format("{}\n{}\n{}", found[0], found[1], found[2]);
    CHECK(all.find("routes[0].too: ") != std::string::npos);
    CHECK(all.find("`to'") != std::string::npos);
    CHECK(all.find("macaddress") != std::string::npos);
}

TEST_CASE("routes and neighbours of a configuration come to life", "[nodes]")
{
    const file_of_routes file{"16.0.0.0/8 blackhole\n18.0.0.0/8 via 10.0.1.9\n"};
    node_tester t;
    REQUIRE(::apply("route-files: [" + file.path +
                        "]\n"
                        "routes:\n"
                        "  - {to: 16.0.0.0/8, via: 10.0.1.9}\n"
                        "  - {to: 17.0.0.0/8, type: blackhole}\n"
                        "  - {to: 19.0.0.0/8, paths: [{via: 10.0.0.9}, {via: 99.0.0.9, dev: b, "
                        "weight: 3}]}\n"
                        "  - {to: 19.0.0.0/8, via: 10.0.0.2, distance: 200, metric: 7}\n"
                        "neighbors:\n"
                        "  - {interface: b, address: 10.0.1.9, macaddress: '02:00:00:00:00:99'}\n",
                    t) == "");
    const auto routes = t.command_json("show ip fib 19.0.0.0/8")["routes"];
    REQUIRE(routes.size() == 2);
    CHECK(routes[0]["buckets"] == 4);
    CHECK(routes[0]["next_hops"][1]["weight"] == 3);
    CHECK(routes[1]["distance"] == 200);
    CHECK(routes[1]["metric"] == 7);
    // `routes' is applied after the files
    CHECK(t.verdict_of(udp_packet("10.0.0.2", "16.0.0.1")) == "-> b");
    CHECK(t.verdict_of(udp_packet("10.0.0.2", "18.0.0.1")) == "-> b");
    CHECK(net::to_string(t.take_one().ethernet().destination) == "02:00:00:00:00:99");
    CHECK(t.verdict_of(udp_packet("10.0.0.2", "17.0.0.1")) == "ip4-lookup: blackhole");
}

TEST_CASE("files of routes are checked with the configuration", "[nodes]")
{
    const file_of_routes file{
        "16.0.0.0/8 via 10.0.1.2\n16.0.0.1/8 blackhole\n1.0.0.0/8 via 10.0.1.1\n"};
    CHECK(faults_with(fmt::format("route-files: [{}]\n", file.path)) ==
          strings{fmt::format("f:4:15: route-files[0]: {}:2:1: expected a network such as "
                              "10.0.0.0/24, with no bits set beyond its length",
                              file.path),
                  fmt::format("f:4:15: route-files[0]: {}:3:15: this next hop is an address of "
                              "this router",
                              file.path)});
    CHECK(faults_with("route-files: [routes.txt]\n") ==
          strings{"f:4:15: route-files[0]: `routes.txt' is not an absolute path"});
}
