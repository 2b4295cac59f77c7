// SPDX-License-Identifier: Apache-2.0
// The sections icmp, ip and ecmp: what they set, and where the seed comes from.
#include "daemon/yaml_file.hh"
#include "nodes/interface/flow_hash.hh"
#include "nodes/interface/interface.hh"
#include "nodes/ip4/ip4_settings.hh"
#include "tests/nodes/node_tester.hh"

using namespace weft;
using namespace weft::test;

namespace {

// The router after it was configured so.
ip4::settings& configured(node_tester& t, const std::string& text)
{
    config::problems found;
    const auto root = parse_yaml(text, "f", found);
    REQUIRE(root.has_value());
    config::schema::registered().value().check(*root, found);
    REQUIRE(found.empty());
    ip4::configure(t.engine.module<ip4::settings>(), *root, interfaces_of(t.engine));
    return t.engine.module<ip4::settings>();
}

constexpr const char* no_interfaces = "interfaces: {}\n";

} // namespace

TEST_CASE("icmp.source and ip.source-routes are off unless they are set", "[nodes]")
{
    node_tester t;
    const std::string base{no_interfaces};
    CHECK_FALSE(configured(t, base).icmp_from_rx);
    CHECK_FALSE(configured(t, base).source_routes);
    CHECK_FALSE(configured(t, base + "ip: {source-routes: false}\n").source_routes);
    CHECK(configured(t, base + "icmp: {source: rx-interface}\n").icmp_from_rx);
    CHECK_FALSE(configured(t, base + "icmp: {source: tx-interface}\n").icmp_from_rx);
    CHECK(configured(t, base + "ip: {source-routes: true}\n").source_routes);
}

TEST_CASE("a router's seed is the configured one, or stays with its MAC addresses", "[nodes]")
{
    node_tester t;
    const std::string base{no_interfaces};
    CHECK(configured(t, base + "ecmp: {seed: 7}\n").flow_seed == flow_seed(7));
    const uint64_t own = configured(t, base).flow_seed;
    CHECK(own != flow_seed(7));
    CHECK(configured(t, base).flow_seed == own);
    interfaces_of(t.engine).hot(1).mac = mac_of(0, 0); // lower than all
    const uint64_t other = configured(t, base).flow_seed;
    CHECK(other != own);
    interfaces_of(t.engine).hot(0).mac = mac_of(1, 7); // not the lowest before or after
    CHECK(configured(t, base).flow_seed == other);
    interfaces_of(t.engine).hot(0).mac = net::mac_address{}; // of a port that is nowhere
    CHECK(configured(t, base).flow_seed == other);
}
