// SPDX-License-Identifier: Apache-2.0
// Kinds of adjacencies register themselves, and the nodes that take their packets: weft's own and a
// plugin's.
#include "graph/node_run.hh"
#include "nodes/fib/adjacency_kind.hh"
#include "nodes/ip4/lookup_ways.hh"
#include "tests/nodes/node_tester.hh"

using namespace weft;
using namespace weft::test;
using fib::adjacency_kind;
using fib::kind_registration;
using fib::way_registration;

namespace weft::test_adjacency_kind {

namespace {

enum reasons : uint16_t { taken };

void kind_node(node_run& run, frame& in) noexcept
{
    run.each(in, [](packet&) noexcept { return drop(taken); });
}

const node_registration node{{
    .name = "test-kind",
    .function = kind_node,
    .reasons = {{taken, "taken", "it came here"}},
    .joined_later = true,
}};

std::string faults(node_tester& t)
{
    const auto sound = fib::check_kinds(t.engine.registry());
    return sound ? std::string{} : sound.error().message;
}

} // namespace

TEST_CASE("a kind that registers has its packets sent to its node, and goes again", "[nodes]")
{
    const kind_registration fresh{"test-kind"};
    REQUIRE(fresh.kind() > adjacency_kind::rewrite);
    {
        const way_registration way{fresh.kind(), net::family::ip4, {.node = "test-kind"}};
        node_tester t;
        CHECK(faults(t).empty());
        REQUIRE(t.ip4().add_special(prefix("16.0.0.0/8"), fresh.kind()));
        for (const auto form : {variant::plain, variant::baseline}) {
            t.use_variant(form);
            CHECK(t.verdict_of(udp_packet("10.0.0.2", "16.1.2.3")) == "test-kind: taken");
        }
        CHECK(t.command("show ip fib 16.0.0.0/8").find("] test-kind") != std::string::npos);
    }
    node_tester t; // nothing of IPv4's takes them any more
    REQUIRE(t.ip4().add_special(prefix("16.0.0.0/8"), fresh.kind()));
    CHECK(t.verdict_of(udp_packet("10.0.0.2", "16.1.2.3")) == "ip4-lookup: no_way");
}

TEST_CASE("two kinds have two numbers, and the number of one that went is used again", "[nodes]")
{
    const kind_registration first{"test-first"};
    auto second = std::make_unique<kind_registration>("test-second");
    const auto number = second->kind();
    CHECK(number != first.kind());
    CHECK(to_string(number) == "test-second");
    second.reset();
    CHECK(to_string(number).empty());
    CHECK(kind_registration{"test-third"}.kind() == number);
}

TEST_CASE("what is claimed twice is told with both places", "[nodes]")
{
    node_tester t;
    CHECK(faults(t).empty());
    const kind_registration again{"glean"};
    CHECK(faults(t).find("two kinds of adjacency are called `glean': ") != std::string::npos);
    CHECK(faults(t).find("nodes/fib/adjacency_kind.cc:") != std::string::npos);
    const way_registration way{adjacency_kind::glean, net::family::ip4, {.node = "test-kind"}};
    const auto text = faults(t);
    INFO(text);
    CHECK(text.find("IPv4 packets for adjacencies of kind `glean' are claimed twice: ") !=
          std::string::npos);
    CHECK(text.find("nodes/ip4/ip4_glean.cc:") != std::string::npos);
    CHECK(text.find("tests/nodes/test_adjacency_kind.cc:") != std::string::npos);
}

TEST_CASE("a way that leads nowhere is told", "[nodes]")
{
    node_tester t;
    const kind_registration fresh{"test-kind"};
    const way_registration to_none{fresh.kind(), net::family::ip4, {.node = "no-such-node"}};
    const way_registration empty{fresh.kind(), net::family::ip6, {}};
    const auto text = faults(t);
    INFO(text);
    CHECK(text.find("go to node `no-such-node', which does not exist") != std::string::npos);
    CHECK(text.find("IPv6 packets for adjacencies of kind `test-kind' (") != std::string::npos);
    CHECK(text.find("have neither a node nor a reason to be dropped") != std::string::npos);
}

TEST_CASE("each of weft's own kinds has a way for IPv4, and a reason where it is dropped",
          "[nodes]")
{
    node_tester t;
    const auto& ways = t.engine.module<ip4::lookup::ways>();
    for (auto n = 0; n <= static_cast<int>(adjacency_kind::rewrite); ++n) {
        const auto& way = ways.of(static_cast<adjacency_kind>(n));
        INFO(to_string(static_cast<adjacency_kind>(n)));
        CHECK(way.to != drop(ip4::lookup::no_way));
        CHECK((way.refuses || way.to.is_drop()) == (way.reason != ip4::lookup::no_way));
    }
    CHECK(ways.of(adjacency_kind::rewrite).to == verdict{ip4::lookup::to_rewrite});
    CHECK(ways.of(adjacency_kind::prohibited).icmp_code == net::icmp4::communication_prohibited);
}

} // namespace weft::test_adjacency_kind
