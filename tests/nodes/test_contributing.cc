// SPDX-License-Identifier: Apache-2.0
// The sample node of CONTRIBUTING.md does what its page says.
#include "tests/nodes/node_tester.hh"

using namespace weft;
using namespace weft::test;

TEST_CASE("the sample node lets near packets through and drops far ones with its reason", "[nodes]")
{
    node_tester t;
    const auto guard = [&](uint8_t ttl) {
        packet* p =
            t.make(packet_builder{}.ethernet().ip4("10.0.0.2", "10.0.1.2").ttl(ttl).bytes());
        p->metadata().l3_offset = sizeof(net::ethernet_header);
        t.inject("ttl-guard", p);
        t.run();
        return t.take().size();
    };
    CHECK(guard(250) == 1);
    CHECK(guard(249) == 0);
    CHECK(t.counted() == counts{{"ttl-guard: too_far", 1}});
    CHECK(t.went("ttl-guard", "ip4-lookup") == 1);
}

TEST_CASE("the sample node can be looked at like any other", "[nodes]")
{
    node_tester t;
    CHECK(t.command("show node ttl-guard").find("ip4-lookup") != std::string::npos);
    CHECK(t.command("trace add ttl-guard 10").empty());
}
