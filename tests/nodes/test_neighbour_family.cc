// SPDX-License-Identifier: Apache-2.0
// The neighbour table serves each address family by its own protocol: here one of a test's, for
// IPv6.
#include "tests/nodes/node_tester.hh"

using namespace weft;
using namespace weft::test;
using fib::neighbour_state;

namespace weft::test_neighbour_family {

namespace {

const net::ip_address who{*net::parse<net::ip6_address>("2001:db8::77")};

// Asks nobody, and notes what it is told.
struct test_family final : fib::neighbour_protocol, fib::neighbour_routes {
    [[nodiscard]] fib::neighbour_timers timers() const override
    {
        return {.max_requests = 2, .reachable = 10s};
    }
    [[nodiscard]] fib::neighbour_nodes nodes() const override
    {
        return {"ip4-lookup", "ip4-glean", ip4::glean::forgotten, ip4::glean::queue_full};
    }
    bool solicit(interface_index i, const net::ip_address& target,
                 const net::mac_address* at) override
    {
        told.push_back(fmt::format("{} on {} {}", net::to_string(target), i,
                                   at == nullptr ? "who" : net::to_string(*at)));
        return true;
    }
    result<void> neighbour_up(interface_index, const net::ip_address& a,
                              const net::mac_address& mac) override
    {
        told.push_back(fmt::format("{} is {}", net::to_string(a), net::to_string(mac)));
        return {};
    }
    void neighbour_down(interface_index, const net::ip_address& a) override
    {
        told.push_back(net::to_string(a) + " is gone");
    }
    void watch_neighbour(interface_index, const net::ip_address&, bool) override {}
    [[nodiscard]] bool neighbour_used(interface_index, const net::ip_address&) const override
    {
        return false;
    }
    [[nodiscard]] bool is_next_hop(interface_index, const net::ip_address&) const override
    {
        return false;
    }
    [[nodiscard]] bool is_near(interface_index, const net::ip_address&) const override
    {
        return true;
    }

    std::vector<std::string> told;
};

using words = std::vector<std::string>;

struct has_family { // for longer than the router
    test_family six;
};

struct two_families : has_family, node_tester {
    two_families() { neighbours().serve(net::family::ip6, six, six); }
    [[nodiscard]] words take_told() { return std::exchange(six.told, {}); }
    [[nodiscard]] std::optional<neighbour_state> state()
    {
        for (const auto* n : neighbours().all())
            if (n->address == who)
                return n->state;
        return {};
    }
};

} // namespace

TEST_CASE("a neighbour of another family is asked for by its protocol, and confirmed", "[nodes]")
{
    two_families t;
    REQUIRE(t.neighbours().learn(1, who, mac_of(1, 77), true, true));
    CHECK(t.take_told() == words{"2001:db8::77 is 02:00:00:00:0b:4d"});
    CHECK(t.state() == neighbour_state::reachable);
    t.advance(10s); // its protocol's time, not ARP's
    CHECK(t.state() == neighbour_state::stale);
    t.advance(5s);
    CHECK(t.take_told() == words{"2001:db8::77 on 1 02:00:00:00:0b:4d"});
    CHECK(t.neighbours().asked().has(1, who));
    CHECK(t.take().empty()); // no ARP
}

TEST_CASE("a neighbour of another family fails after as many requests as its protocol says",
          "[nodes]")
{
    two_families t;
    REQUIRE(t.neighbours().learn(1, who, mac_of(1, 77), false, true));
    t.advance(7s); // 5 s stale, then two requests a second apart
    CHECK(t.take_told() == words{"2001:db8::77 is 02:00:00:00:0b:4d",
                                 "2001:db8::77 on 1 02:00:00:00:0b:4d",
                                 "2001:db8::77 on 1 02:00:00:00:0b:4d", "2001:db8::77 is gone"});
    CHECK(t.state() == neighbour_state::failed);
    t.advance(3s);
    CHECK(t.state() == std::nullopt);
}

TEST_CASE("both families' neighbours go with their interface", "[nodes]")
{
    two_families t;
    REQUIRE(t.neighbours().learn(1, who, mac_of(1, 77), true, true));
    t.hear_from("10.0.1.77", mac_of(1, 77), 1);
    CHECK(t.neighbours().used_by(1).neighbours == 3);
    t.set_up("b", false);
    CHECK(t.neighbours().used_by(1).neighbours == 1); // the one set by hand
    CHECK(t.take_told().back() == "2001:db8::77 is gone");
}

} // namespace weft::test_neighbour_family
