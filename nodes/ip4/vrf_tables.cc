// SPDX-License-Identifier: Apache-2.0
// The tables of each VRF, and what workers see of them.
#include "graph/adjacency_names.hh"
#include "nodes/interface/interface.hh"
#include "nodes/ip4/ip4.hh"
#include "nodes/ip4/lookup_ways.hh"
#include "nodes/ip4/trace.hh"

#include <array>

namespace weft::ip4 {

namespace {

struct range {
    net::ip4_prefix prefix;
    adjacency_kind kind;
    std::string_view name;
};
constexpr std::array<range, 5> special_ranges{{
    {{{0}, 8}, adjacency_kind::martian, "`this network' (0.0.0.0/8)"},
    {{{0x7f00'0000}, 8}, adjacency_kind::martian, "loopback (127.0.0.0/8)"},
    {{{0xe000'0000}, 4}, adjacency_kind::multicast, "multicast (224.0.0.0/4)"},
    {{{0xf000'0000}, 4}, adjacency_kind::martian, "reserved (240.0.0.0/4)"},
    {{{0xffff'ffff}, 32}, adjacency_kind::broadcast, "broadcast"},
}};

lookup_table::defer_function deferring(engine& engine)
{
    return [&engine](std::function<void()> release) { engine.rcu().defer(std::move(release)); };
}

lookup_table make_large(engine& engine)
{
    auto made = prefix_table::make(deferring(engine));
    if (!made)
        throw std::bad_alloc{};
    return lookup_table{std::move(*made)};
}

} // namespace

std::string_view unroutable(const net::ip4_prefix& prefix) noexcept
{
    for (const auto& r : special_ranges)
        if (r.prefix.contains(prefix))
            return r.name;
    return {};
}

std::string why_no_address(const net::ip4_interface_address& a)
{
    if (const auto range = unroutable({a.address, 32}); !range.empty())
        return fmt::format("is in {}", range);
    const auto network = a.network();
    if (network.is_end(a.address))
        return fmt::format("is the {} address of its network",
                           a.address == network.network ? "first" : "broadcast");
    return {};
}

std::string_view why_no_next_hop(net::ip4_address a, const own_addresses& own)
{
    if (!unroutable({a, 32}).empty())
        return "is not a unicast host address";
    if (own.contains(a))
        return "is an address of this router";
    return own.is_broadcast(a) ? "is the first or the broadcast address of a network"
                               : std::string_view{};
}

tables::tables(engine& engine)
    : engine_{engine}, names_{engine.module<vrf_table>()}, hops_{engine}, own_{new own_addresses}
{
    [[maybe_unused]] auto& ways = engine.module<lookup::ways>(); // before the first plan
    auto made = make_vrf(default_vrf, make_large(engine));
    if (!made)
        throw std::bad_alloc{};
    default_table_ = (*made)->routes.table().read().large();
    for (auto& view : views_)
        view.store((*made)->view.load());
    vrfs_.push_back(std::move(*made));
    names_.add_user(*this);
    interfaces_of(engine).observe([this](const interface& i) { interface_changed(i.index); });
    interfaces_of(engine).observe_release([this](interface_index i) { leaving_.erase(i); });
    auto& names = engine.module<adjacency_names>();
    names.describe = [this](uint32_t index) { return hops_.describe(index); };
    names.route_of["ip4-lookup"] = [&engine](const trace_record& r) {
        return trace_route(engine, r);
    };
    names.count = [this] { return hops_.adjacency_count(); };
}

tables::~tables()
{
    delete own_.load();
}

result<std::unique_ptr<vrf>> tables::make_vrf(vrf_index index, lookup_table table)
{
    auto made = std::make_unique<vrf>(index, hops_, std::move(table));
    for (const auto& r : special_ranges)
        if (auto done =
                made->routes.set(r.prefix, route_source::special, forwarding::special(r.kind));
            !done)
            return pass(done);
    made->routes.observe(
        [this, index](const net::ip4_prefix& changed) { judge_neighbours(changed, index); });
    made->routes.observe_routes([this, index](const net::ip4_prefix& changed) {
        if (recursive_.note_route(index, changed))
            wake_judging();
    });
    return made;
}

// Gives the workers what is said of a VRF now.
void tables::publish(vrf& of, own_addresses own)
{
    const auto* fresh = new vrf_view{of.routes.table().read(), std::move(own), of.index};
    const auto* old = of.view.exchange(fresh, std::memory_order_acq_rel);
    for (interface_index i = 0; i < max_interfaces; ++i)
        if (names_.of(i) == of.index)
            views_[i].store(fresh, std::memory_order_release);
    engine_.rcu().defer([old] { delete old; });
}

void tables::publish_own(vrf_index vrf, std::vector<own_addresses::owned> all)
{
    auto& routes = this->routes(vrf);
    routes.watch_nothing();
    for (const auto& o : all)
        routes.watch(o.network());
    for (const auto& to : vrfs_[vrf]->by_device)
        routes.watch(to);
    publish(*vrfs_[vrf], own_addresses{std::move(all)});
}

// The addresses of all VRFs together.
void tables::publish_anywhere()
{
    std::vector<own_addresses::owned> anywhere;
    for (const auto& v : vrfs_)
        if (v)
            anywhere.insert(anywhere.end(), own(v->index).all().begin(), own(v->index).all().end());
    const auto* old =
        own_.exchange(new own_addresses{std::move(anywhere)}, std::memory_order_acq_rel);
    engine_.rcu().defer([old] { delete old; });
}

result<void> tables::add_vrf(vrf_index index)
{
    if (blocks_ == nullptr)
        blocks_ = trie_blocks::make();
    if (blocks_ == nullptr)
        return fail(errc::exhausted, "cannot reserve address space for small route tables");
    if (index >= vrfs_.size())
        vrfs_.resize(index + size_t{1});
    auto small = prefix_trie::make(blocks_, deferring(engine_));
    if (!small)
        return pass(small);
    lookup_table table{std::move(*small), deferring(engine_), [this, index] {
                           if (vrfs_[index] != nullptr)
                               publish(*vrfs_[index], own(index));
                       }};
    auto made = make_vrf(index, std::move(table));
    if (!made)
        return pass(made);
    vrfs_[index] = std::move(*made);
    return {};
}

result<void> tables::may_remove_vrf(vrf_index index) const
{
    if (const auto count = vrfs_[index]->routes.count_of(route_source::fixed); count > 0)
        return fail(errc::exists, "VRF {} has {} static routes", names_.name_of(index), count);
    for (auto hop : hops_.next_hops())
        if (hops_.at(hop).vrf == index)
            return fail(errc::exists, "routes of other VRFs lead through VRF {}",
                        names_.name_of(index));
    return {};
}

void tables::remove_vrf(vrf_index index)
{
    engine_.rcu().defer([old = std::shared_ptr<vrf>{std::move(vrfs_[index])}] {});
}

result<void> tables::may_bind(interface_index i) const
{
    const auto& name = interfaces_of(engine_).at(i).name;
    if (!addresses_of(i).empty())
        return fail(errc::exists, "interface {} has addresses in VRF {}; remove them first", name,
                    names_.name_of(vrf_of(i)));
    for (auto hop : hops_.next_hops())
        if (hops_.at(hop).interface == i && hops_.at(hop).on_link)
            return fail(errc::exists, "routes of VRF {} lead through interface {}",
                        names_.name_of(hops_.at(hop).vrf), name);
    return {};
}

void tables::bind(interface_index i, vrf_index vrf)
{
    views_[i].store(vrfs_[vrf]->view.load(), std::memory_order_release);
    several_vrfs_.store(names_.several(), std::memory_order_release);
    take_up_device(i);
    settle();
}

} // namespace weft::ip4
