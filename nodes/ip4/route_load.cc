// SPDX-License-Identifier: Apache-2.0
// Applies changes of routes in short slices of time.
#include "nodes/ip4/route_load.hh"

#include <algorithm>
#include <chrono>

namespace weft::ip4 {

namespace {

constexpr auto slice = std::chrono::microseconds{500};
constexpr size_t group = 16; // changes whose misses overlap

// The load balances that a file's paths stand for, found when first asked for and held until
// forget(): others may take away a path's network between two slices.
class held_balances {
public:
    held_balances(tables& ip4, const route_list& list)
        : ip4_{ip4}, list_{list}, of_path_(list.paths.size(), none)
    {}
    ~held_balances() { forget(); }
    held_balances(const held_balances&) = delete;
    held_balances& operator=(const held_balances&) = delete;

    [[nodiscard]] result<load_balance_index> of(uint32_t path)
    {
        if (path == route_change::blackhole)
            return forwarding::special(adjacency_kind::blackhole);
        if (of_path_[path] != none)
            return of_path_[path];
        auto balance = ip4_.balance_via({list_.paths[path].begin(), list_.paths[path].end()});
        if (balance) {
            of_path_[path] = *balance;
            held_.push_back(path);
        }
        return balance;
    }

    void forget()
    {
        for (auto path : held_)
            ip4_.hops().release_balance(std::exchange(of_path_[path], none));
        held_.clear();
    }

private:
    static constexpr load_balance_index none = ~load_balance_index{0};
    tables& ip4_;
    const route_list& list_;
    std::vector<load_balance_index> of_path_;
    std::vector<uint32_t> held_;
};

result<void> apply_one(tables& ip4, const route_change& change, held_balances& balances,
                       load_counts& counts)
{
    const auto old = ip4.routes().find(change.prefix, route_source::fixed);
    if (change.path == route_change::removal) {
        ++(old ? counts.removed : counts.unchanged);
        return old ? ip4.remove_route(change.prefix) : result<void>{};
    }
    const auto balance = balances.of(change.path);
    if (!balance)
        return pass(balance);
    const auto& hops = ip4.hops();
    if (old == *balance ||
        (old && *old >= special_count && hops.hops_of(*old) == hops.hops_of(*balance))) {
        ++counts.unchanged;
        return {};
    }
    ip4.hops().hold_balance(*balance);
    auto done = ip4.routes().set(change.prefix, route_source::fixed, *balance);
    if (done)
        ++(old ? counts.changed : counts.added);
    return done;
}

} // namespace

result<load_counts> apply_routes(tables& ip4, const route_list& list, std::string_view name,
                                 const load_pause& pause)
{
    using clock = std::chrono::steady_clock;
    load_counts counts;
    held_balances balances{ip4, list};
    const auto& changes = list.changes;
    if (!ip4.routes().reserve(changes.size(), route_source::fixed))
        return fail(errc::exhausted, "{}: not enough memory for {} routes", name, changes.size());
    clock::time_point begun;
    for (size_t i = 0, allowed = 0; i < changes.size(); ++i) {
        if (i == allowed || (i % group == 0 && clock::now() - begun > slice)) {
            balances.forget();
            const size_t more = pause(i);
            if (more == 0)
                return fail(errc::timeout,
                            "{}: the load was interrupted; {} of {} routes were applied", name, i,
                            changes.size());
            allowed = more < changes.size() - i ? i + more : changes.size();
            begun = clock::now();
        }
        if (i % group == 0)
            for (size_t ahead = i; ahead < std::min(i + group, changes.size()); ++ahead)
                ip4.routes().prefetch(changes[ahead].prefix, route_source::fixed);
        if (auto done = apply_one(ip4, changes[i], balances, counts); !done)
            return fail(done.error().code, "{}:{}:1: {}; {} of {} routes were applied before it",
                        name, changes[i].line, done.error().message, i, changes.size());
    }
    return counts;
}

result<load_counts> load_routes(tables& ip4, const std::string& path,
                                const input_file::pause& reading, const load_pause& pause)
{
    const auto why_not = [&](net::ip4_address a) { return ip4.why_no_next_hop(a, default_vrf); };
    const auto list = read_route_file(path, why_not, reading);
    if (!list)
        return pass(list);
    return apply_routes(ip4, *list, path, pause);
}

} // namespace weft::ip4
