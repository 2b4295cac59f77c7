// SPDX-License-Identifier: Apache-2.0
// The route table: which source decides, and what comes back when it is removed.
#include "tests/nodes/node_tester.hh"

#include <array>
#include <functional>
#include <map>
#include <numeric>

using namespace weft;
using namespace weft::test;
using fib::adjacency_kind;
using fib::forwarding;
using ip4::route_source;

namespace {

const auto net16 = prefix("16.0.0.0/8");

uint32_t special(adjacency_kind kind)
{
    return forwarding::special(kind);
}

// The value with which the forwarding table answers an address.
uint32_t found(node_tester& t, std::string_view address)
{
    return t.ip4().table().lookup(ip(address));
}

// "local connected" for what is said of a prefix, best first; only the first may be active.
std::string sources(node_tester& t, const net::ip4_prefix& of)
{
    std::string words;
    for (const auto& r : t.ip4().routes().of(of)) {
        CHECK(r.active == words.empty());
        words += fmt::format("{}{}", words.empty() ? "" : " ", to_string(r.rank.source));
    }
    return words;
}

} // namespace

TEST_CASE("the best source decides, whatever the order in which they come", "[nodes]")
{
    constexpr std::array all{route_source::special, route_source::local, route_source::connected,
                             route_source::fixed, route_source::neighbour};
    std::array<size_t, all.size()> order{0, 1, 2, 3, 4};
    node_tester t;
    auto& routes = t.ip4().routes();
    do {
        size_t best = all.size();
        for (size_t i : order) {
            REQUIRE(routes.set(net16, all[i], static_cast<uint32_t>(i) + 1));
            best = std::min(best, i);
            REQUIRE(found(t, "16.0.0.1") == best + 1);
        }
        for (size_t i = 0; i < all.size(); ++i) {
            REQUIRE(found(t, "16.0.0.1") == i + 1);
            REQUIRE(routes.remove(net16, all[i]));
        }
        REQUIRE(found(t, "16.0.0.1") == 0);
    } while (std::next_permutation(order.begin(), order.end()));
}

TEST_CASE("all that is said of a prefix is listed, best first", "[nodes]")
{
    node_tester t;
    auto& routes = t.ip4().routes();
    REQUIRE(routes.set(net16, route_source::neighbour, special(adjacency_kind::martian)));
    REQUIRE(routes.set(net16, route_source::fixed, special(adjacency_kind::blackhole)));
    REQUIRE(routes.set(net16, route_source::local, special(adjacency_kind::local)));
    CHECK(sources(t, net16) == "local static neighbour");
    CHECK(routes.find(net16, route_source::fixed) == special(adjacency_kind::blackhole));
    CHECK(routes.find(net16, route_source::connected) == std::nullopt);
    REQUIRE(routes.remove(net16, route_source::local));
    CHECK(sources(t, net16) == "static neighbour");
    CHECK(sources(t, prefix("16.0.0.0/9")) == "");
}

TEST_CASE("the distance decides between sources, the metric within one", "[nodes]")
{
    node_tester t;
    auto& routes = t.ip4().routes();
    const ip4::route_rank floating{route_source::fixed, 200}, ospf{route_source::kernel, 110, 20},
        longer{route_source::kernel, 110, 30}, ebgp{route_source::kernel, 20, 900};
    for (const auto& rank : {longer, floating, ospf, ebgp})
        REQUIRE(routes.set(net16, rank, special(adjacency_kind::blackhole)));
    std::string order;
    for (const auto& r : routes.of(net16))
        order +=
            fmt::format("{} {}/{}, ", to_string(r.rank.source), r.rank.distance, r.rank.metric);
    CHECK(order == "kernel 20/900, kernel 110/20, kernel 110/30, static 200/0, ");
    CHECK(routes.of(net16).front().active);
    REQUIRE(routes.remove(net16, ebgp));
    CHECK_FALSE(routes.remove(net16, ebgp).has_value());
    REQUIRE(routes.remove_all(net16, route_source::kernel));
    CHECK(sources(t, net16) == "static");
    REQUIRE(t.ip4().remove_route(net16)); // at any distance
    CHECK(sources(t, net16) == "");
}

TEST_CASE("a floating static route forwards while the better one has no path", "[nodes]")
{
    node_tester t;
    CHECK(t.command("ip route add 16.0.0.0/8 via 10.0.1.2") == "");
    CHECK(t.command("ip route add 16.0.0.0/8 via 10.0.0.9 distance 200 metric 5") == "");
    CHECK(t.verdict_of(udp_packet("10.0.0.2", "16.0.0.1")) == "-> b");
    t.set_carrier("b", false);
    const auto data = t.command_json("show ip fib 16.0.0.0/8")["routes"];
    REQUIRE(data.size() == 2);
    CHECK(data[0]["active"] == false);
    CHECK(data[1]["active"] == true);
    CHECK(data[1]["distance"] == 200);
    CHECK(t.command("show ip fib 16.0.0.0/8").find("static [200/5]\n") != std::string::npos);
    t.set_carrier("b", true);
    CHECK(t.verdict_of(udp_packet("10.0.0.2", "16.0.0.1")) == "-> b");
    CHECK(t.command("ip route del 16.0.0.0/8 distance 200 metric 5") == "");
    CHECK(t.command_json("show ip fib 16.0.0.0/8")["routes"].size() == 1);
    CHECK(t.command("ip route add 16.0.0.0/8 via 10.0.1.2 distance 255")
              .starts_with("error: distance: 255 is not"));
}

TEST_CASE("the ranks in use are bounded, and those that are empty make room", "[nodes]")
{
    node_tester t;
    auto& routes = t.ip4().routes();
    const auto rank = [](uint32_t metric) {
        return ip4::route_rank{route_source::kernel, 110, metric};
    };
    const auto in_use = static_cast<uint32_t>(routes.ranks().size());
    for (uint32_t n = in_use; n < ip4::route_table::max_ranks; ++n)
        REQUIRE(routes.set(net16, rank(n), special(adjacency_kind::blackhole)));
    const auto one_more = routes.set(net16, rank(1000), special(adjacency_kind::blackhole));
    CHECK(one_more.error().code == errc::exhausted);
    REQUIRE(routes.remove(net16, rank(in_use)));
    CHECK(routes.set(net16, rank(1000), special(adjacency_kind::blackhole)).has_value());
    REQUIRE(routes.remove_all(net16, route_source::kernel));
}

namespace {

// Ends a refresh and sweeps in the smallest pieces.
size_t sweep(ip4::route_table& routes)
{
    routes.end_refresh(route_source::kernel);
    while (!routes.sweep_some(route_source::kernel, {})) {
    }
    return routes.swept(route_source::kernel);
}

} // namespace

TEST_CASE("a refresh removes what the source does not say again", "[nodes]")
{
    node_tester t;
    auto& routes = t.ip4().routes();
    const auto say = [&](uint32_t n, uint32_t metric) {
        REQUIRE(routes.set({{(16u << 24) + (n << 8)}, 24}, {route_source::kernel, 110, metric},
                           special(adjacency_kind::blackhole)));
    };
    t.add_route("16.0.0.0/24", {"10.0.1.9"});
    for (uint32_t n = 0; n < 3000; ++n)
        say(n, n % 2);
    routes.begin_refresh(route_source::kernel);
    CHECK(routes.count_of(route_source::kernel) == 3000); // forwards meanwhile
    for (uint32_t n = 0; n < 3000; n += 3)
        say(n, n % 2);
    say(1, 7);    // at another metric: the old one is not said again
    say(5000, 1); // new
    routes.end_refresh(route_source::kernel);
    CHECK_FALSE(routes.sweep_some(route_source::kernel, {}));
    say(6000, 0); // while it is swept
    CHECK(sweep(routes) == 2000);
    CHECK(routes.count_of(route_source::kernel) == 1003);
    CHECK(sources(t, prefix("16.0.0.0/24")) == "static kernel"); // other sources stay
    CHECK(found(t, "16.0.1.1") != 0);
    CHECK(found(t, "16.0.2.1") == 0);
    CHECK(routes.sweep_some(route_source::kernel, {}));
}

TEST_CASE("a refresh that is begun again forgets what the first one heard", "[nodes]")
{
    node_tester t;
    auto& routes = t.ip4().routes();
    const auto say = [&](const char* to) {
        REQUIRE(routes.set(prefix(to), route_source::kernel, special(adjacency_kind::blackhole)));
    };
    say("16.0.0.0/8");
    say("17.0.0.0/8");
    routes.begin_refresh(route_source::kernel);
    say("16.0.0.0/8");
    routes.begin_refresh(route_source::kernel);
    say("17.0.0.0/8");
    REQUIRE(
        routes.set(prefix("18.0.0.0/8"), route_source::kernel, special(adjacency_kind::blackhole)));
    REQUIRE(routes.remove(prefix("18.0.0.0/8"), route_source::kernel));
    CHECK(sweep(routes) == 1);
    CHECK(sources(t, prefix("17.0.0.0/8")) == "kernel");
    CHECK(sources(t, net16) == "");
}

TEST_CASE("removing what is not there is an error and changes nothing", "[nodes]")
{
    node_tester t;
    auto& routes = t.ip4().routes();
    const auto missing = routes.remove(net16, route_source::fixed);
    REQUIRE_FALSE(missing.has_value());
    CHECK(missing.error().code == errc::not_found);
    CHECK(missing.error().message == "no static route to 16.0.0.0/8");
    REQUIRE(routes.set(net16, route_source::neighbour, special(adjacency_kind::blackhole)));
    CHECK_FALSE(routes.remove(net16, route_source::fixed).has_value());
    CHECK(found(t, "16.0.0.1") == special(adjacency_kind::blackhole));
}

TEST_CASE("a route holds its load balance, and lets it go when replaced or removed", "[nodes]")
{
    node_tester t;
    const auto users = [&](std::string_view address) -> uint32_t {
        for (auto index : t.hops().next_hops())
            if (t.hops().at(index).address == ip(address))
                return t.hops().at(index).users;
        return 0;
    };
    t.add_route("16.0.0.0/8", {"10.0.1.50"});
    t.add_route("17.0.0.0/8", {"10.0.1.50"}); // the same load balance
    CHECK(users("10.0.1.50") == 1);
    t.add_route("16.0.0.0/8", {"10.0.1.51"});
    CHECK(users("10.0.1.51") == 1);
    REQUIRE(t.ip4().remove_route(prefix("17.0.0.0/8")));
    CHECK(users("10.0.1.50") == 0);
    REQUIRE(t.ip4().remove_route(net16));
    CHECK(users("10.0.1.51") == 0);
}

TEST_CASE("a route that cannot be installed is not remembered", "[nodes]")
{
    node_tester t;
    auto& routes = t.ip4().routes();
    REQUIRE(routes.set(net16, route_source::fixed, special(adjacency_kind::blackhole)));
    CHECK_FALSE(
        routes.set({ip("17.1.2.3"), 8}, route_source::fixed, special(adjacency_kind::blackhole))
            .has_value());
    CHECK(sources(t, {ip("17.1.2.3"), 8}) == "");
    CHECK(routes.find(net16, route_source::fixed) == special(adjacency_kind::blackhole));
}

TEST_CASE("routes are listed by prefix, as many as are asked for", "[nodes]")
{
    node_tester t{{.interfaces = 0}};
    t.run();
    for (const char* text : {"99.0.0.0/8", "16.0.0.0/16", "16.0.0.0/8"})
        REQUIRE(t.ip4().add_blackhole(prefix(text)));
    std::string list;
    for (const auto& r : t.ip4().routes().sorted(5))
        list += net::to_string(r.prefix) + " ";
    CHECK(list == "0.0.0.0/8 16.0.0.0/8 16.0.0.0/16 99.0.0.0/8 127.0.0.0/8 ");
    CHECK(t.ip4().routes().sorted(0).empty());
    CHECK(t.ip4().routes().sorted(1000).size() == 8);
}

TEST_CASE("routes are counted by the length of their prefix", "[nodes]")
{
    node_tester t{{.interfaces = 1, .neighbours = false}};
    const auto counts = t.ip4().routes().count_by_length();
    CHECK(counts[4] == 2);
    CHECK(counts[8] == 2);
    CHECK(counts[24] == 1);
    CHECK(counts[32] == 4); // 255.255.255.255, the address, and both ends of its network
    CHECK(std::accumulate(counts.begin(), counts.end(), size_t{0}) == t.ip4().table().size());
}

namespace {

// 16.0.0.0/24, 16.0.1.0/24, ...
net::ip4_prefix nth(uint32_t n)
{
    return {{(16u << 24) + (n << 8)}, 24};
}

// Changes while a large table is gone through: some routes go, some come, and so many that the
// table is laid out anew.
void churn(node_tester& t, std::map<uint32_t, std::string>& model, uint32_t round)
{
    for (uint32_t n = round; n < 20'000; n += 97)
        if (model.erase(n) > 0)
            REQUIRE(t.ip4().remove_route(nth(n)));
    for (uint32_t n = 30'000 + round * 4'000; n < 34'000 + round * 4'000; ++n) {
        model[n] = n % 3 == 0 ? "10.0.0.9" : "10.0.1.9";
        REQUIRE(t.ip4().add_route(nth(n), {ip(model[n])}));
    }
}

} // namespace

TEST_CASE("the routes of a dead link leave a large table in pieces, whatever changes meanwhile",
          "[nodes]")
{
    node_tester t;
    auto& routes = t.ip4().routes();
    std::map<uint32_t, std::string> model;
    for (uint32_t n = 0; n < 20'000; ++n) {
        model[n] = n % 2 == 0 ? "10.0.0.9" : "10.0.1.9";
        REQUIRE(t.ip4().add_route(nth(n), {ip(model[n])}));
    }
    for (const bool up : {false, true}) {
        t.set_carrier("b", up);
        uint32_t pieces = 0;
        for (; !routes.judge_some({}); ++pieces)
            if (pieces < 2)
                churn(t, model, pieces + (up ? 2 : 0));
        CHECK(pieces >= 2);
        for (uint32_t n = 0; n < 50'000; ++n) {
            const auto known = model.find(n);
            const bool active = known != model.end() && (up || known->second == "10.0.0.9");
            if (t.ip4().table().find(nth(n)).has_value() != active)
                FAIL(net::to_string(nth(n)) << (active ? " is missing" : " is left"));
        }
    }
}

TEST_CASE("a link that comes back while its routes are leaving has them all", "[nodes]")
{
    node_tester t;
    auto& routes = t.ip4().routes();
    for (uint32_t n = 0; n < 20'000; ++n)
        REQUIRE(t.ip4().add_route(nth(n), {ip("10.0.1.9")}));
    const size_t before = t.ip4().table().size();
    t.set_carrier("b", false);
    CHECK_FALSE(routes.judge_some({}));
    t.set_carrier("b", true);
    while (!routes.judge_some({})) {
    }
    CHECK(t.ip4().table().size() == before);
}

TEST_CASE("a route that finds no memory to come back is tried again", "[nodes]")
{
    node_tester t;
    auto table =
        ip4::prefix_table::make([](const std::function<void()>& release) { release(); }, 1);
    ip4::route_table routes{t.hops(), ip4::lookup_table{std::move(table.value())}};
    const auto balance = t.hops().balance({t.hops().acquire(1, ip("10.0.1.9")).value()}).value();
    const auto judge = [&] {
        routes.judge_routes_over(std::array{balance});
        REQUIRE(routes.judge_some({}));
    };
    REQUIRE(routes.set(prefix("16.0.0.0/30"), route_source::fixed, balance));
    t.set_carrier("b", false);
    judge();
    REQUIRE(
        routes.set(prefix("17.0.0.0/30"), route_source::fixed, special(adjacency_kind::blackhole)));
    t.set_carrier("b", true);
    judge();
    CHECK(routes.left_out() == 1);
    CHECK(routes.table().lookup(ip("16.0.0.1")) == 0);
    REQUIRE(routes.remove(prefix("17.0.0.0/30"), route_source::fixed));
    routes.judge_left_out();
    REQUIRE(routes.judge_some({}));
    CHECK(routes.left_out() == 0);
    CHECK(routes.table().lookup(ip("16.0.0.1")) == balance);
    REQUIRE(routes.remove(prefix("16.0.0.0/30"), route_source::fixed));
}
