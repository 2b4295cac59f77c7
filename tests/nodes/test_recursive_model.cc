// SPDX-License-Identifier: Apache-2.0
// Routes over recursive next hops, in two VRFs, change at random; after each step every address
// must find what a resolver finds that keeps nothing and tries all there is.
#include "nodes/fib/vrfs.hh"
#include "tests/nodes/node_tester.hh"

#include <random>
#include <set>

using namespace weft;
using namespace weft::test;
using ip4::route_path;
using ip4::route_rank;
using ip4::route_source;

namespace weft::test_recursive_model {

namespace {

constexpr interface_index interfaces = 3; // a and b in VRF default, c in blue
constexpr vrf_index blue = 1;
constexpr uint32_t max_routes = 8;
using ways = std::set<std::string>; // what the flows to an address may end in

struct model_route {
    vrf_index through;
    std::vector<route_path> via; // none: a blackhole
};

struct model {
    using place = std::tuple<vrf_index, net::ip4_prefix, route_rank>;
    using hop = std::pair<vrf_index, net::ip4_address>;
    std::map<place, model_route> routes;
    std::array<bool, interfaces> up{true, true, true};

    [[nodiscard]] static vrf_index vrf_of(interface_index i) { return i == 2 ? blue : default_vrf; }
    [[nodiscard]] ways over(interface_index i, const std::string& what) const
    {
        return up[i] ? ways{fmt::format("glean {}{}", static_cast<char>('a' + i), what)} : ways{};
    }
    [[nodiscard]] ways path(const route_path& way, vrf_index through,
                            std::optional<net::ip4_address> to, std::vector<hop> under) const;
    [[nodiscard]] ways find(vrf_index vrf, net::ip4_address a, bool is_hop,
                            const std::vector<hop>& under) const;
};

// What one path of a route comes to; `to`: whom it is to lead to, if it is asked for a next hop.
ways model::path(const route_path& way, vrf_index through, std::optional<net::ip4_address> to,
                 std::vector<hop> under) const
{
    if (way.dev != no_interface && way.via.value == 0)
        return over(way.dev, to ? " via " + net::to_string(*to) : "");
    const std::string via = " via " + net::to_string(way.via);
    if (way.dev != no_interface)
        return over(way.dev, via);
    for (interface_index i = 0; i < interfaces; ++i)
        if (way.via.value >> 8 == (10u << 16 | i) && vrf_of(i) == through)
            return over(i, via);
    const hop next{through, way.via};
    if (std::find(under.begin(), under.end(), next) != under.end() || under.size() >= 8)
        return {};
    under.push_back(next);
    return find(through, way.via, true, under);
}

ways model::find(vrf_index vrf, net::ip4_address a, bool is_hop,
                 const std::vector<hop>& under) const
{
    for (int length = 32; length >= (is_hop ? 1 : 0); --length)
        for (const auto& [where, r] : routes) { // by rank, best first
            const auto& [in, prefix, rank] = where;
            if (in != vrf || prefix.length != length || !prefix.contains(a))
                continue;
            if (r.via.empty())
                return is_hop ? ways{} : ways{"blackhole"};
            ways found;
            for (const auto& way : r.via)
                found.merge(path(way, r.through, is_hop ? std::optional{a} : std::nullopt, under));
            if (!found.empty())
                return found;
        }
    return is_hop ? ways{} : ways{"unreachable"};
}

class walk {
public:
    explicit walk(unsigned seed);
    void step();
    void compare();

private:
    [[nodiscard]] uint32_t below(uint32_t bound) { return random_() % bound; }
    // Of few, so that they meet: 20.0-1.0-1.1-2.
    [[nodiscard]] net::ip4_address remote()
    {
        return {20u << 24 | below(2) << 16 | below(2) << 8 | (1 + below(2))};
    }
    [[nodiscard]] net::ip4_prefix network()
    {
        const uint8_t length = std::array<uint8_t, 7>{0, 8, 15, 16, 23, 24, 32}[below(7)];
        return {{remote().value & net::ip4_prefix::mask_of(length)}, length};
    }
    [[nodiscard]] route_path way(vrf_index in);
    void change_route();

    std::mt19937 random_;
    model model_;
    node_tester t_{{.interfaces = interfaces, .addresses = false, .neighbours = false}};
};

walk::walk(unsigned seed) : random_{seed}
{
    auto& vrfs = t_.engine.module<vrf_table>();
    REQUIRE(vrfs.add("blue") == blue);
    REQUIRE(vrfs.bind(2, blue));
    for (interface_index i = 0; i < interfaces; ++i)
        REQUIRE(t_.ip4().add_address(i, own_address(fmt::format("10.0.{}.1/24", i))));
    t_.run();
}

route_path walk::way(vrf_index in)
{
    const auto near = static_cast<interface_index>(in == blue ? 2 : below(2));
    switch (below(8)) {
    case 0:
        return {{}, near};
    case 1:
        return {remote(), near};
    case 2:
    case 3:
        return {{10u << 24 | below(interfaces) << 8 | 9}};
    default:
        return {remote()};
    }
}

void walk::change_route()
{
    const vrf_index in = below(4) == 0 ? blue : default_vrf;
    const route_rank rank{route_source::fixed, static_cast<uint8_t>(1 + below(2))};
    const auto to = network();
    if (model_.routes.size() >= max_routes) { // the model's search takes exponential time
        auto old = model_.routes.begin();
        std::advance(old, below(max_routes));
        const auto [vrf, prefix, its] = old->first;
        REQUIRE(t_.ip4().remove_route(prefix, vrf, its));
        model_.routes.erase(old);
    }
    if (below(5) < 2) {
        CHECK(t_.ip4().remove_route(to, in, rank).has_value() ==
              (model_.routes.erase({in, to, rank}) > 0));
        return;
    }
    model_route r{below(6) == 0 ? blue : in, {}};
    if (below(10) == 0) {
        REQUIRE(t_.ip4().add_special(to, fib::adjacency_kind::blackhole, in, rank));
    } else {
        for (uint32_t paths = 1 + below(3); paths > 0; --paths)
            r.via.push_back(way(in));
        REQUIRE(t_.ip4().add_route(to, r.via, {in, r.through}, rank));
    }
    model_.routes[{in, to, rank}] = r;
}

void walk::step()
{
    if (below(5) == 0) {
        const uint32_t n = below(interfaces);
        t_.set_carrier(std::string(1, static_cast<char>('a' + n)), model_.up[n] = !model_.up[n]);
    } else {
        change_route();
    }
    t_.run();
}

void walk::compare()
{
    for (const vrf_index vrf : {default_vrf, blue})
        for (uint32_t n = 0; n < 8; ++n) {
            const net::ip4_address a{20u << 24 | (n >> 2 & 1) << 16 | (n >> 1 & 1) << 8 |
                                     (1 + (n & 1))};
            ways found;
            for (auto to : t_.hops().buckets_of(t_.ip4().table(vrf).lookup(a)))
                found.insert(t_.hops().describe(to));
            INFO(net::to_string(a) << " in VRF " << vrf);
            REQUIRE(found == model_.find(vrf, a, false, {}));
        }
}

} // namespace

TEST_CASE("recursive next hops come to what a search through all routes finds", "[nodes]")
{
    for (unsigned seed = 1; seed <= 4; ++seed) {
        walk router{seed};
        for (int n = 0; n < 200; ++n) {
            INFO("seed " << seed << ", step " << n);
            router.step();
            router.compare();
        }
    }
}

} // namespace weft::test_recursive_model
