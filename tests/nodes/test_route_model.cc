// SPDX-License-Identifier: Apache-2.0
// Routes, addresses, links and neighbours change at random; after each step every address must find
// what a model finds that goes through all there is.
#include "tests/nodes/node_tester.hh"

#include <random>
#include <set>

using namespace weft;
using namespace weft::test;

namespace {

constexpr interface_index interfaces = 4;
using ways = std::set<std::string>; // what the flows to an address may end in

struct model {
    struct port {
        bool admin = true, carrier = true;
    };
    struct route {
        bool blackhole = false;
        std::vector<net::ip4_address> via;
    };
    std::array<port, interfaces> ports;
    std::vector<std::pair<interface_index, net::ip4_interface_address>> addresses;
    std::map<net::ip4_prefix, route> routes;
    std::map<std::pair<interface_index, net::ip4_address>, net::mac_address> neighbours;

    [[nodiscard]] bool up(interface_index i) const { return ports[i].admin && ports[i].carrier; }
    [[nodiscard]] std::optional<interface_index> towards(net::ip4_address a) const
    {
        std::optional<interface_index> found;
        for (const auto& [i, own] : addresses) {
            if (own.address == a)
                return {};
            if (own.network().contains(a) && a != own.network().network &&
                a != own.network().last())
                found = i;
        }
        return found;
    }
    // The router's own address, or an end of a network of its.
    [[nodiscard]] bool is_nobodys(net::ip4_address a) const
    {
        return std::any_of(addresses.begin(), addresses.end(), [&](const auto& own) {
            const auto network = own.second.network();
            return own.second.address == a || a == network.network || a == network.last();
        });
    }
    [[nodiscard]] std::string hop(interface_index i, net::ip4_address a) const
    {
        const char name = static_cast<char>('a' + i);
        const auto known = neighbours.find({i, a});
        return known == neighbours.end()
                   ? fmt::format("glean {} via {}", name, net::to_string(a))
                   : fmt::format("rewrite {} via {} mtu 1500 {} -> {}", name, net::to_string(a),
                                 net::to_string(mac_of(i, 1)), net::to_string(known->second));
    }
    // `under`: the next hops that the route is asked for, one resting on the other.
    [[nodiscard]] ways of(const route& r, std::vector<net::ip4_address> under = {}) const
    {
        if (r.blackhole)
            return {"blackhole"};
        ways found;
        for (auto a : r.via) {
            const auto i = towards(a);
            if (i && up(*i))
                found.insert(hop(*i, a));
            if (!i && !is_nobodys(a))
                found.merge(rest(a, under));
        }
        return found;
    }
    // How far the search for one address has gone: its time is exponential, and the router's, too,
    // gives up some time.
    static constexpr size_t max_looks = 500;
    mutable size_t looks = 0;
    // What a next hop on no network comes to.
    [[nodiscard]] ways rest(net::ip4_address a, std::vector<net::ip4_address> under) const
    {
        if (++looks > max_looks || under.size() >= 8 ||
            std::find(under.begin(), under.end(), a) != under.end())
            return {};
        under.push_back(a);
        for (uint8_t length = 32; length > 0; --length) {
            const auto r = routes.find({{a.value & net::ip4_prefix::mask_of(length)}, length});
            if (r == routes.end())
                continue;
            const ways found = r->second.blackhole ? ways{} : of(r->second, under);
            if (r->second.blackhole || !found.empty())
                return found;
        }
        return {};
    }
    struct found_route {
        int length = -1;
        int rank = 9; // lower is better
        ways to{"unreachable"};
        std::optional<interface_index> connected; // of which interface it is the network
    };
    void addresses_found(net::ip4_address a, const std::function<void(found_route)>& take) const;
    [[nodiscard]] ways find(net::ip4_address a) const;
};

void model::addresses_found(net::ip4_address a, const std::function<void(found_route)>& take) const
{
    for (const auto& [i, own] : addresses) {
        if (!up(i))
            continue;
        const auto network = own.network();
        if (own.address == a)
            take({32, 1, {"local"}, {}});
        if (a == network.network || a == network.last())
            take({32, 2, {"broadcast"}, {}});
        if (network.contains(a))
            take({network.length, 2, {fmt::format("glean {}", static_cast<char>('a' + i))}, i});
    }
}

ways model::find(net::ip4_address a) const
{
    found_route best;
    const auto take = [&](const found_route& r) {
        if (std::pair{-r.length, r.rank} < std::pair{-best.length, best.rank})
            best = r;
    };
    addresses_found(a, take);
    for (const auto& [to, r] : routes)
        if (to.contains(a))
            if (const auto paths = of(r); !paths.empty())
                take({to.length, 3, paths, {}});
    for (const auto& [key, mac] : neighbours)
        if (key.second == a && best.connected == key.first && towards(a) == key.first)
            return {hop(key.first, a)};
    return best.to;
}

// Both the router and the model, changed alike.
class walk {
public:
    explicit walk(unsigned seed) : random_{seed} {}

    void step();
    void compare();
    [[nodiscard]] size_t compared() const { return compared_; }

private:
    [[nodiscard]] uint32_t below(uint32_t bound) { return random_() % bound; }
    // Of few, so that they meet: 10.0.0-5.x, or beyond the connected networks.
    [[nodiscard]] net::ip4_address address()
    {
        return {10u << 24 | below(6) << 8 |
                std::array<uint32_t, 8>{0, 1, 2, 9, 130, 140, 200, 255}[below(8)]};
    }
    [[nodiscard]] net::ip4_prefix network()
    {
        const uint8_t length = std::array<uint8_t, 9>{0, 8, 16, 23, 24, 25, 26, 30, 32}[below(9)];
        return {{address().value & net::ip4_prefix::mask_of(length)}, length};
    }
    void change_address();
    void change_route();
    void change_neighbour();
    void change_port();

    std::mt19937 random_;
    model model_;
    size_t compared_ = 0;
    node_tester t_{{.interfaces = interfaces, .addresses = false, .neighbours = false}};
};

void walk::change_address()
{
    const auto i = static_cast<interface_index>(below(interfaces));
    if (!model_.addresses.empty() && below(3) == 0) {
        const size_t n = below(static_cast<uint32_t>(model_.addresses.size()));
        const auto [owner, own] = model_.addresses[n];
        REQUIRE(t_.ip4().remove_address(owner, own));
        model_.addresses.erase(model_.addresses.begin() + static_cast<ptrdiff_t>(n));
        return;
    }
    const net::ip4_interface_address own{address(), std::array<uint8_t, 2>{24, 25}[below(2)]};
    if (t_.ip4().add_address(i, own))
        model_.addresses.emplace_back(i, own);
}

void walk::change_route()
{
    const auto to = network();
    model::route r{below(4) == 0, {}};
    constexpr uint32_t max_routes = 9; // the model's search takes exponential time
    if (model_.routes.size() >= max_routes) {
        auto old = model_.routes.begin();
        std::advance(old, below(max_routes));
        REQUIRE(t_.ip4().remove_route(old->first));
        model_.routes.erase(old);
    }
    if (below(3) == 0) {
        CHECK(t_.ip4().remove_route(to).has_value() == (model_.routes.erase(to) > 0));
        return;
    }
    for (uint32_t paths = r.blackhole ? 0 : 1 + below(3); paths > 0; --paths)
        r.via.push_back(address());
    const bool good =
        std::all_of(r.via.begin(), r.via.end(), [&](auto a) { return !model_.is_nobodys(a); });
    const auto done = r.blackhole ? t_.ip4().add_blackhole(to)
                                  : t_.ip4().add_route(to, {r.via.begin(), r.via.end()});
    CHECK(done.has_value() == good);
    if (done)
        model_.routes[to] = r;
}

void walk::change_neighbour()
{
    const auto i = static_cast<interface_index>(below(interfaces));
    const auto a = address();
    if (below(3) == 0) {
        t_.ip4().neighbour_down(i, a);
        model_.neighbours.erase({i, a});
        return;
    }
    const auto mac = mac_of(i, 100 + below(3));
    REQUIRE(t_.ip4().neighbour_up(i, a, mac));
    model_.neighbours[{i, a}] = mac;
}

void walk::change_port()
{
    const uint32_t n = below(interfaces);
    const std::string name(1, static_cast<char>('a' + n));
    auto& port = model_.ports[n];
    if (below(2) == 0)
        t_.set_carrier(name, port.carrier = !port.carrier);
    else
        t_.set_up(name, port.admin = !port.admin);
}

void walk::step()
{
    switch (below(8)) {
    case 0:
        change_port();
        break;
    case 1:
    case 2:
        change_address();
        break;
    case 3:
    case 4:
        change_neighbour();
        break;
    default:
        change_route();
        break;
    }
    t_.run();
}

void walk::compare()
{
    for (int n = 0; n < 20; ++n) {
        const auto a = address();
        ways found;
        for (auto to : t_.hops().buckets_of(t_.ip4().table().lookup(a)))
            found.insert(t_.hops().describe(to));
        INFO(net::to_string(a));
        model_.looks = 0;
        const ways expected = model_.find(a);
        if (model_.looks <= model::max_looks) {
            REQUIRE(found == expected);
            ++compared_;
        }
    }
}

} // namespace

TEST_CASE("whatever changes, an address finds what is said of it and can be used", "[nodes]")
{
    for (unsigned seed = 1; seed <= 4; ++seed) {
        walk router{seed};
        for (int n = 0; n < 300; ++n) {
            INFO("seed " << seed << ", step " << n);
            router.step();
            router.compare();
        }
        CHECK(router.compared() > 300 * 20 * 2 / 3); // most
    }
}
