// SPDX-License-Identifier: Apache-2.0
// Next hops, adjacencies and load balances: shared, replaced beside the live ones, freed after a
// grace period, bounded.
#include "nodes/interface/interface.hh"
#include "tests/nodes/node_tester.hh"

#include <set>

using namespace weft;
using namespace weft::test;
using fib::adjacency_index;
using fib::adjacency_kind;
using fib::forwarding;

namespace {

fib::next_hop_index hop_to(node_tester& t, interface_index i, std::string_view address)
{
    const auto hop = t.hops().acquire(i, ip(address));
    REQUIRE(hop.has_value());
    return *hop;
}

adjacency_index adjacency_of(node_tester& t, fib::next_hop_index hop)
{
    return t.hops().at(hop).adjacency;
}

// Thread 1 reads and says when it holds nothing any more.
class reader {
public:
    explicit reader(engine& engine) : engine_{engine} { engine.rcu().online(1); }
    ~reader() { engine_.rcu().offline(1); }
    void pause() { engine_.rcu().quiescent(1); }

private:
    engine& engine_;
};

} // namespace

TEST_CASE("a next hop is shared by all who use it and goes with the last", "[nodes]")
{
    node_tester t;
    const auto hop = hop_to(t, 1, "10.0.1.9");
    CHECK(hop_to(t, 1, "10.0.1.9") == hop);
    CHECK(hop_to(t, 0, "10.0.1.9") != hop);
    CHECK(t.hops().at(hop).users == 2);
    t.hops().release(hop);
    CHECK(t.hops().at(hop).users == 1);
    t.hops().release(hop);
    CHECK(hop_to(t, 1, "10.0.1.9") != hop);
}

TEST_CASE("a next hop gleans until its MAC is known, then rewrites", "[nodes]")
{
    node_tester t;
    const auto hop = hop_to(t, 1, "10.0.1.9");
    const auto& before = t.hops().adjacency_at(adjacency_of(t, hop));
    CHECK(before.kind == adjacency_kind::glean);
    CHECK(before.next_hop == ip("10.0.1.9"));
    REQUIRE(t.hops().set_mac(hop, mac_of(1, 9)));
    const auto& after = t.hops().adjacency_at(adjacency_of(t, hop));
    CHECK(after.kind == adjacency_kind::rewrite);
    CHECK(after.interface == 1);
    CHECK(after.mtu == 1500);
    CHECK(t.hops().describe(adjacency_of(t, hop)) ==
          "rewrite b via 10.0.1.9 mtu 1500 02:00:00:00:0b:01 -> 02:00:00:00:0b:09");
    REQUIRE(t.hops().set_mac(hop, {}));
    CHECK(t.hops().describe(adjacency_of(t, hop)) == "glean b via 10.0.1.9");
}

TEST_CASE("a new MAC makes a new adjacency and leaves the old one as it was", "[nodes]")
{
    node_tester t{{.workers = {1}}};
    reader worker{t.engine};
    const auto hop = hop_to(t, 1, "10.0.1.9");
    REQUIRE(t.hops().set_mac(hop, mac_of(1, 9)));
    const auto old = adjacency_of(t, hop);
    const auto description = t.hops().describe(old);
    REQUIRE(t.hops().set_mac(hop, mac_of(1, 10)));
    CHECK(adjacency_of(t, hop) != old);
    CHECK(t.hops().describe(old) == description);
    const auto fresh = adjacency_of(t, hop);
    REQUIRE(t.hops().set_mac(hop, mac_of(1, 10)));
    CHECK(adjacency_of(t, hop) == fresh); // nothing changed
}

TEST_CASE("an adjacency is used again only after a grace period", "[nodes]")
{
    node_tester t{{.workers = {1}}};
    t.run();
    reader worker{t.engine};
    const auto hop = hop_to(t, 1, "10.0.1.9");
    const auto old = adjacency_of(t, hop);
    REQUIRE(t.hops().set_mac(hop, mac_of(1, 9)));
    t.run();
    CHECK(t.engine.rcu().pending() == 1);
    CHECK(adjacency_of(t, hop_to(t, 1, "10.0.1.10")) != old);
    worker.pause();
    t.run();
    CHECK(t.engine.rcu().pending() == 0);
    CHECK(adjacency_of(t, hop_to(t, 1, "10.0.1.11")) == old);
}

TEST_CASE("a released next hop gives its adjacency back after a grace period", "[nodes]")
{
    node_tester t{{.workers = {1}}};
    reader worker{t.engine};
    const auto hop = hop_to(t, 1, "10.0.1.9");
    const auto old = adjacency_of(t, hop);
    t.hops().release(hop);
    t.run();
    CHECK(adjacency_of(t, hop_to(t, 1, "10.0.1.10")) != old);
    worker.pause();
    t.run();
    CHECK(adjacency_of(t, hop_to(t, 1, "10.0.1.11")) == old);
}

TEST_CASE("one load balance serves all routes over the same next hops", "[nodes]")
{
    node_tester t;
    const auto first = hop_to(t, 0, "10.0.0.9");
    const auto second = hop_to(t, 1, "10.0.1.9");
    const auto balance = t.hops().balance({first, second}).value();
    // order and repeats do not matter
    CHECK(t.hops().balance({second, first, second}).value() == balance);
    CHECK(t.hops().balance({first}).value() != balance);
    CHECK(t.hops().at(first).users == 3);
    t.hops().release_balance(balance);
    CHECK(t.hops().balance({first, second}).value() == balance);
    t.hops().release_balance(balance);
    t.hops().release_balance(balance);
    CHECK(t.hops().hops_of(balance).empty());
    CHECK(t.hops().at(second).users == 1);
}

TEST_CASE("a load balance has from 1 to 64 paths", "[nodes]")
{
    node_tester t;
    CHECK(t.hops().balance({}).error().message == "0 next hops; 1 to 64 are allowed");
    std::vector<fib::next_hop_index> many;
    for (unsigned n = 0; n < 65; ++n)
        many.push_back(hop_to(t, 1, fmt::format("10.0.1.{}", 100 + n)));
    CHECK(t.hops().balance(many).error().code == errc::invalid_argument);
    many.pop_back();
    const auto balance = t.hops().balance(many);
    REQUIRE(balance.has_value());
    CHECK(t.hops().buckets_of(*balance).size() == 64);
}

TEST_CASE("the shares of any number of paths differ by less than a quarter", "[nodes]")
{
    node_tester t;
    std::vector<fib::next_hop_index> hops;
    for (unsigned paths = 1; paths <= 64; ++paths) {
        hops.push_back(hop_to(t, 1, fmt::format("10.0.1.{}", 100 + paths)));
        const auto balance = t.hops().balance(hops);
        REQUIRE(balance.has_value());
        std::map<adjacency_index, size_t> shares;
        for (auto adjacency : t.hops().buckets_of(*balance))
            ++shares[adjacency];
        REQUIRE(shares.size() == paths);
        const auto [least, most] = std::minmax_element(
            shares.begin(), shares.end(), [](auto& a, auto& b) { return a.second < b.second; });
        INFO(paths << " paths: " << least->second << " to " << most->second);
        CHECK(most->second * 4 < least->second * 5 + 4);
        CHECK(most->second - least->second <= 1);
    }
}

TEST_CASE("a load balance leaves out what is down and takes it back as it was", "[nodes]")
{
    node_tester t;
    const auto first = hop_to(t, 0, "10.0.0.9");
    const auto second = hop_to(t, 1, "10.0.1.9");
    const auto balance = t.hops().balance({first, second}).value();
    using adjacencies = std::vector<adjacency_index>;
    CHECK(t.hops().buckets_of(balance) ==
          adjacencies{adjacency_of(t, first), adjacency_of(t, second)});
    t.set_up("b", false);
    CHECK(t.hops().buckets_of(balance) ==
          adjacencies{adjacency_of(t, first), adjacency_of(t, first)});
    t.set_up("a", false);
    CHECK(t.hops().buckets_of(balance) == adjacencies{0, 0});
    t.set_up("a", true);
    t.set_up("b", true);
    CHECK(t.hops().buckets_of(balance) ==
          adjacencies{adjacency_of(t, first), adjacency_of(t, second)});
}

TEST_CASE("flows of a path that can be used stay on it while others go and come", "[nodes]")
{
    node_tester t{{.interfaces = 5}};
    std::vector<fib::next_hop_index> hops;
    for (interface_index i = 0; i < 5; ++i)
        hops.push_back(hop_to(t, i, fmt::format("10.0.{}.9", i)));
    const auto balance = t.hops().balance(hops).value();
    const auto whole = t.hops().buckets_of(balance);
    const std::array ports{"a", "b", "c", "d", "e"};
    auto before = whole;
    for (const auto& [name, up] : std::vector<std::pair<size_t, bool>>{{1, false},
                                                                       {3, false},
                                                                       {0, false},
                                                                       {3, true},
                                                                       {4, false},
                                                                       {1, true},
                                                                       {4, true},
                                                                       {0, true}}) {
        t.set_carrier(ports[name], up);
        const auto now = t.hops().buckets_of(balance);
        std::map<adjacency_index, size_t> shares;
        size_t moved = 0;
        for (size_t bucket = 0; bucket < now.size(); ++bucket) {
            ++shares[now[bucket]];
            // away from what is up, and not to what came back: for the sake of equal shares only
            moved += now[bucket] != before[bucket] &&
                     before[bucket] != adjacency_of(t, hops[name]) &&
                     now[bucket] != adjacency_of(t, hops[name]);
        }
        CHECK(moved <= 1);
        const auto [least, most] = std::minmax_element(
            shares.begin(), shares.end(), [](auto& a, auto& b) { return a.second < b.second; });
        INFO(least->second << " to " << most->second);
        CHECK(most->second - least->second <= 2);
        before = now;
    }
    CHECK(before == whole);
}

namespace {

// How many flows moved between next hops that a route has before and after.
size_t flows_moved(const std::vector<adjacency_index>& before,
                   const std::vector<adjacency_index>& after)
{
    const std::set<adjacency_index> had{before.begin(), before.end()};
    const std::set<adjacency_index> has{after.begin(), after.end()};
    size_t count = 0;
    for (size_t flow = 0; flow < 4096; ++flow) {
        const auto from = before[flow % before.size()];
        const auto to = after[flow % after.size()];
        count += from != to && has.contains(from) && had.contains(to);
    }
    return count;
}

std::vector<adjacency_index> flows_to(node_tester& t, std::string_view address)
{
    return t.hops().buckets_of(t.ip4().table().lookup(ip(address)));
}

} // namespace

TEST_CASE("flows stay with the next hops that a changed route keeps", "[nodes]")
{
    node_tester t;
    const std::vector<std::string> all{"10.0.0.9", "10.0.0.10", "10.0.1.9", "10.0.1.10"};
    t.add_route("17.0.0.0/8", {all[0], all[1]}); // whose buckets are others
    t.add_route("16.0.0.0/8", {all[0], all[1], all[2]});
    auto before = flows_to(t, "16.1.2.3");
    for (const auto& now : std::vector<std::vector<std::string>>{
             {all[0], all[1]}, all, {all[1], all[3]}, {all[1]}, {all[1], all[0], all[2]}}) {
        t.add_route("16.0.0.0/8", now);
        const auto after = flows_to(t, "16.1.2.3");
        CHECK(std::set<adjacency_index>{after.begin(), after.end()}.size() == now.size());
        CHECK(flows_moved(before, after) == 0);
        before = after;
    }
    CHECK(flows_to(t, "17.1.2.3").size() == 2); // as before
}

TEST_CASE("routes that change alike share what they come to, and arrangements are few", "[nodes]")
{
    node_tester t;
    const auto route = [](uint32_t n) { return fmt::format("16.{}.0.0/16", n); };
    for (uint32_t n = 0; n < 40; ++n)
        t.add_route(route(n), {"10.0.0.9", "10.0.1.9", "10.0.1.10"});
    for (uint32_t n = 0; n < 40; ++n)
        t.add_route(route(n), {"10.0.0.9", "10.0.1.9"});
    const auto first = t.ip4().table().lookup(ip("16.0.0.1"));
    CHECK(t.ip4().table().lookup(ip("16.39.0.1")) == first);
    CHECK(t.hops().users_of(first) == 40);
    std::set<fib::load_balance_index> arrangements;
    for (uint32_t n = 0; n < 40; ++n) { // each comes from another set of next hops
        t.add_route(route(n), {"10.0.0.9", "10.0.1.9", fmt::format("10.0.1.{}", 100 + n)});
        t.add_route(route(n), {"10.0.0.9", fmt::format("10.0.0.{}", 100 + n), "10.0.1.9"});
        t.add_route(route(n), {"10.0.0.9", "10.0.1.9"});
        arrangements.insert(t.ip4().table().lookup(ip(fmt::format("16.{}.0.1", n))));
    }
    CHECK(arrangements.size() <= 8);
}

TEST_CASE("parts of a whole are combined by their weights, in lowest terms", "[nodes]")
{
    using shares = std::vector<fib::path_share>;
    CHECK(fib::combine({{1, {{7, 1}}}}, 64) == shares{{7, 1}});
    CHECK(fib::combine({{2, {{1, 1}, {2, 1}}}, {1, {{3, 5}}}}, 64) ==
          shares{{1, 1}, {2, 1}, {3, 1}});
    CHECK(fib::combine({{1, {{1, 1}, {2, 2}}}, {1, {{2, 1}, {3, 1}}}}, 64) ==
          shares{{1, 2}, {2, 7}, {3, 3}});
    CHECK(fib::combine({{256, {{1, 1}}}, {1, {{2, 1}}}}, 64) == shares{{1, 256}, {2, 1}});
    CHECK(fib::combine({{1, {{1, 1}, {2, 3}, {3, 2}}}}, 2) == shares{{2, 3}, {3, 2}});
    const auto many = fib::combine({{256, {{1, 251}, {2, 241}}}, {255, {{3, 239}, {4, 233}}}}, 64);
    uint64_t sum = 0;
    for (const auto& p : many)
        sum += p.weight;
    CHECK((many.size() == 4 && sum <= fib::forwarding::max_buckets));
}

TEST_CASE("an interface's MTU reaches its adjacencies", "[nodes]")
{
    node_tester t;
    const auto hop = hop_to(t, 1, "10.0.1.9");
    const auto other = hop_to(t, 0, "10.0.0.9");
    const auto old = adjacency_of(t, other);
    t.set_mtu("b", 777);
    CHECK(t.hops().adjacency_at(adjacency_of(t, hop)).mtu == 777);
    CHECK(adjacency_of(t, other) == old);
}

TEST_CASE("adjacencies are bounded, and what is full recovers", "[nodes]")
{
    node_tester t{{.neighbours = false}};
    std::vector<fib::next_hop_index> all;
    auto last = t.hops().acquire(1, net::ip4_address{1});
    for (uint32_t n = 2; last; ++n) {
        all.push_back(*last);
        last = t.hops().acquire(1, net::ip4_address{n});
    }
    CHECK(last.error().code == errc::exhausted);
    CHECK(last.error().message == "131072 adjacencies exist, which is the maximum");
    CHECK(all.size() > forwarding::max_adjacencies - fib::max_kinds - 20);
    const auto changed = t.hops().set_mac(all.front(), mac_of(1, 9));
    REQUIRE_FALSE(changed.has_value());
    CHECK(changed.error().code == errc::exhausted);
    CHECK_FALSE(t.hops().at(all.front()).mac.has_value());
    t.hops().release(all.back());
    t.run();
    CHECK(t.hops().set_mac(all.front(), mac_of(1, 9)).has_value());
}

TEST_CASE("a path that goes down is left out even when adjacencies are used up", "[nodes]")
{
    node_tester t{{.neighbours = false}};
    const auto balance = t.hops().balance({hop_to(t, 0, "10.0.0.9"), hop_to(t, 1, "10.0.1.9")});
    REQUIRE(balance.has_value());
    for (uint32_t n = 1; t.hops().acquire(1, net::ip4_address{n}); ++n) {
    }
    REQUIRE(interfaces_of(t.engine).set_admin(t.port("b"), false));
    const auto buckets = t.hops().buckets_of(*balance);
    CHECK(buckets[0] == buckets[1]);
    CHECK(t.hops().adjacency_at(buckets[0]).interface == 0);
}

TEST_CASE("kinds have names, and adjacencies of their own", "[nodes]")
{
    node_tester t;
    const std::array names{"unreachable", "blackhole",        "local",     "multicast", "broadcast",
                           "martian",     "host unreachable", "prohibited"};
    for (uint32_t i = 0; i < names.size(); ++i) {
        CHECK(to_string(static_cast<adjacency_kind>(i)) == names[i]);
        CHECK(t.hops().describe(i) == names[i]);
        CHECK(t.hops().buckets_of(i) == std::vector<adjacency_index>{i});
        t.hops().release_balance(i); // has no effect
    }
    CHECK(to_string(adjacency_kind::glean) == "glean");
    CHECK(to_string(adjacency_kind::rewrite) == "rewrite");
}
