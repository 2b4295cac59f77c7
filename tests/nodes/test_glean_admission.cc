// SPDX-License-Identifier: Apache-2.0
// Which packets to unknown neighbours are let through, under times that the test gives.
#include "nodes/interface/interface.hh"
#include "nodes/ip4/glean_admission.hh"
#include "tests/nodes/node_tester.hh"

#include <rte_cycles.h>
#include <set>

using namespace weft;
using namespace weft::test;
using ip4::glean_admission;

namespace {

constexpr unsigned all_reserves = 3 * glean_admission::reserved_burst;

struct admission_tester : node_tester {
    glean_admission admission{engine};
    uint64_t now = rte_get_tsc_hz() * 1000;

    // How many of `count` packets like this one are let through at once.
    unsigned admitted(unsigned count, std::string_view source, interface_index in = 0,
                      interface_index out = 1, uint16_t port = 53)
    {
        packet* p = make(
            packet_builder{}.ethernet().ip4(source, "10.0.1.77").udp(4000, port).payload(8).bytes(),
            in);
        p->metadata().l3_offset = packet_builder::ethernet_bytes;
        unsigned let_through = 0;
        for (; count > 0; --count)
            let_through += admission.admit(*p, ip("10.0.1.77"), out, now) ? 1 : 0;
        rte_pktmbuf_free(p->mbuf());
        return let_through;
    }
    void flood() { CHECK(admitted(10'000, "10.0.0.66") == glean_admission::burst + all_reserves); }
    // A sweep of a network of 65,536 for three seconds, and one by one among it packets of the same
    // sender and service to ten of its addresses, each of which is sent once a second. How many of
    // those were let through at all.
    size_t found_in_sweep(unsigned per_second)
    {
        packet* p = make(udp_packet("10.0.0.66", "10.64.0.9").bytes());
        p->metadata().l3_offset = packet_builder::ethernet_bytes;
        std::set<unsigned> found;
        const unsigned most = 3 * per_second;
        for (unsigned n = 0; n < most; ++n, now += rte_get_tsc_hz() / per_second) {
            [[maybe_unused]] const bool swept =
                admission.admit(*p, {0x0a40'0000 + n % 65536}, 1, now);
            const unsigned who = n % per_second * 10 / per_second;
            if (n % (per_second / 10) == 0 && admission.admit(*p, {0x0a40'c800 + who}, 1, now))
                found.insert(who);
        }
        rte_pktmbuf_free(p->mbuf());
        return found.size();
    }
    void pass(duration d) { now += rte_get_tsc_hz() / 1000 * static_cast<uint64_t>(d / 1ms); }
};

} // namespace

TEST_CASE("one sender uses a budget and its own reserves, no more", "[nodes]")
{
    admission_tester t;
    t.flood();
    CHECK(t.admitted(1000, "10.0.0.66") == 0);
    t.pass(1s);
    const unsigned again = 1; // as one that is sent again
    CHECK(t.admitted(1000, "10.0.0.66") ==
          glean_admission::burst + 3 * glean_admission::reserved_per_second + again);
}

TEST_CASE("a steady flood gets the budget's rate", "[nodes]")
{
    admission_tester t;
    t.flood();
    unsigned sum = 0;
    for (int i = 0; i < 1000; ++i) {
        t.pass(1ms);
        sum += t.admitted(50, "10.0.0.66");
    }
    CHECK(sum >= glean_admission::per_second - 5);
    CHECK(sum <= glean_admission::per_second + 3 * glean_admission::reserved_per_second + 10);
}

TEST_CASE("a flood leaves another sender its reserve", "[nodes]")
{
    admission_tester t;
    t.flood();
    CHECK(t.admitted(1000, "10.0.0.2") ==
          2 * glean_admission::reserved_burst); // as a sender, and its flow
    t.pass(500ms);
    CHECK(t.admitted(1000, "10.0.0.66") < 1000);
    CHECK(t.admitted(1000, "10.0.0.2") == 2 * glean_admission::reserved_per_second / 2);
}

TEST_CASE("a sender's flood leaves its other services their reserve", "[nodes]")
{
    admission_tester t;
    t.flood();
    CHECK(t.admitted(1000, "10.0.0.66", 0, 1, 443) == glean_admission::reserved_burst);
}

TEST_CASE("senders without number behind one interface leave those behind another theirs",
          "[nodes]")
{
    admission_tester t;
    for (unsigned n = 0; n < 5000; ++n)
        [[maybe_unused]] const auto some =
            t.admitted(20, fmt::format("10.8.{}.{}", n / 250, 1 + n % 250));
    CHECK(t.admitted(100, "10.0.0.2") == 0); // behind the same
    CHECK(t.admitted(100, "10.0.2.2", 2) >= glean_admission::reserved_burst);
}

TEST_CASE("a flood to one interface's network costs the other interfaces nothing", "[nodes]")
{
    admission_tester t;
    t.flood();
    CHECK(t.admitted(10'000, "10.0.0.66", 0, 2) == glean_admission::burst + all_reserves);
}

TEST_CASE("who is asked for again is found in a sweep of the same sender", "[nodes]")
{
    for (const unsigned per_second : {200u, 5000u, 50'000u}) {
        INFO(per_second << " packets a second");
        admission_tester t;
        CHECK(t.found_in_sweep(per_second) == 10);
    }
}

TEST_CASE("packets to one silent neighbour are let through ten times a second at most once the "
          "budget is gone",
          "[nodes]")
{
    admission_tester t;
    t.flood();
    unsigned sum = 0;
    for (int i = 0; i < 100; ++i) {
        t.pass(10ms);
        sum += t.admitted(50, "10.0.0.66");
    }
    CHECK(sum <= glean_admission::per_second + 12 + 12);
}

TEST_CASE("threads share the budget", "[nodes]")
{
    node_tester t{{.workers = {1, 1}}};
    glean_admission admission{t.engine};
    packet* p = t.make(udp_packet("10.0.0.66", "10.0.1.77").bytes());
    p->metadata().l3_offset = packet_builder::ethernet_bytes;
    uint64_t now = rte_get_tsc_hz() * 1000;
    unsigned sum = 0;
    for (int i = 0; i < 2000; ++i, now += rte_get_tsc_hz() / 1000)
        for (int k = 0; k < 5; ++k)
            sum += admission.admit(*p, ip("10.0.1.77"), 1, now) ? 1 : 0;
    CHECK(sum <=
          glean_admission::per_second + glean_admission::burst + all_reserves + 3 * 2 * 4 + 2 * 10);
    CHECK(sum >= glean_admission::per_second - 5);
    rte_pktmbuf_free(p->mbuf());
}

TEST_CASE("packets that are too many are dropped with a reason", "[nodes]")
{
    node_tester t;
    t.engine.main().set_replayed_time(rte_get_tsc_hz() * 1000);
    for (unsigned i = 0; i < 300; ++i)
        t.inject("ethernet-input", udp_packet("10.0.0.66", fmt::format("10.0.1.{}", 10 + i % 200)));
    t.run();
    const uint64_t refused = 300 - glean_admission::burst - all_reserves;
    CHECK(t.counted() == counts{{"ip4-glean: rate_limited", refused}});
    CHECK(interfaces_of(t.engine).count(0).drops == refused);
    CHECK(t.verdict_of(udp_packet("10.0.0.3", "10.0.1.250")) == "-> b (ARP)"); // another sender's
}
