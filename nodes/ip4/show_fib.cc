// SPDX-License-Identifier: Apache-2.0
// show ip fib: routes and what they end in, a page or all, written while others get their turns.
#include "base/text_table.hh"
#include "control/command/command.hh"
#include "graph/process/process.hh"
#include "nodes/fib/vrf_arguments.hh"
#include "nodes/interface/interface.hh"
#include "nodes/ip4/ip4.hh"

#include <algorithm>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>

namespace weft::ip4 {

namespace {

using json = nlohmann::ordered_json;
using clock = std::chrono::steady_clock;

constexpr size_t usual_page = 1000; // prefixes
constexpr size_t max_page = 5000;
constexpr auto slice = std::chrono::microseconds{500};

// Gives way when a slice is used up.
class turns {
public:
    explicit turns(process* self) : self_{self} {}
    void operator()()
    {
        if (self_ == nullptr || clock::now() - begun_ < slice)
            return;
        self_->yield();
        begun_ = clock::now();
    }

private:
    process* const self_;
    clock::time_point begun_ = clock::now();
};

json paths_json(const tables& ip4, const route& r)
{
    std::map<adjacency_index, unsigned> shares;
    for (auto adjacency : ip4.hops().buckets_of(r.balance))
        ++shares[adjacency];
    json paths = json::array();
    for (auto [adjacency, count] : shares)
        paths.push_back({{"adjacency", adjacency},
                         {"kind", to_string(ip4.hops().adjacency_at(adjacency).kind)},
                         {"buckets", count},
                         {"description", ip4.hops().describe(adjacency)}});
    return paths;
}

json interface_json(engine& engine, const next_hop& hop)
{
    if (hop.interface != no_interface)
        return interfaces_of(engine).at(hop.interface).name;
    return hop.device.empty() ? json(nullptr) : json(hop.device);
}

// The prefix by which a next hop is reached that is on no network of the router's.
json recursive_json(const tables& ip4, next_hop_index hop)
{
    if (!ip4.hops().is_unlinked(hop))
        return nullptr;
    const auto through = ip4.recursive().of(hop).through;
    return through ? json(net::to_string(*through)) : json(nullptr);
}

// And what that comes to.
json resolved_json(engine& engine, const tables& ip4, const next_hop& hop)
{
    json list = json::array();
    for (const auto& p : hop.rests_on) {
        const next_hop& to = ip4.hops().at(p.hop);
        list.push_back({{"address", net::to_string(to.address)},
                        {"interface", interface_json(engine, to)},
                        {"weight", p.weight},
                        {"usable", ip4.hops().usable(to)}});
    }
    return list;
}

json next_hops_json(engine& engine, const tables& ip4, const route& r)
{
    json hops = json::array();
    for (const auto& path : ip4.hops().hops_of(r.balance)) {
        const next_hop& hop = ip4.hops().at(path.hop);
        const auto why = ip4.why_unusable(path.hop);
        hops.push_back(
            {{"address", hop.address.is_none() ? json(nullptr) : json(net::to_string(hop.address))},
             {"interface", interface_json(engine, hop)},
             {"vrf", engine.module<vrf_table>().name_of(hop.vrf)},
             {"weight", path.weight},
             {"usable", why.empty()},
             {"reason", why},
             {"recursive_via", recursive_json(ip4, path.hop)},
             {"resolved", resolved_json(engine, ip4, hop)}});
    }
    return hops;
}

json route_json(engine& engine, const tables& ip4, const route& r)
{
    const bool has_path = ip4.hops().has_path(r.balance);
    return {{"prefix", net::to_string(r.prefix)},
            {"source", to_string(r.rank.source)},
            {"distance", r.rank.distance},
            {"metric", r.rank.metric},
            {"active", r.active},
            {"reason", r.active   ? ""
                       : has_path ? "there is a better route"
                                  : "no usable next hop"},
            {"load_balance", r.balance},
            {"buckets", ip4.hops().buckets_of(r.balance).size()},
            {"paths", paths_json(ip4, r)},
            {"next_hops", next_hops_json(engine, ip4, r)}};
}

// "b via 10.0.1.9", or what of it is known.
std::string hop_text(const json& hop)
{
    std::string text =
        hop["interface"].is_null() ? std::string{} : hop["interface"].get<std::string>();
    if (!hop["address"].is_null())
        text += (text.empty() ? "via " : " via ") + hop["address"].get<std::string>();
    return text;
}

// "b via 10.0.1.9, c via 10.0.2.9 weight 2"
std::string resolved_text(const json& hop)
{
    const auto& all = hop["resolved"];
    const bool equal = std::all_of(all.begin(), all.end(), [&](const json& to) {
        return to["weight"] == all.front()["weight"];
    });
    std::string text;
    for (const auto& to : all)
        text += fmt::format("{}{}{}{}", text.empty() ? "" : ", ", hop_text(to),
                            equal ? "" : fmt::format(" weight {}", to["weight"].get<unsigned>()),
                            to["usable"].get<bool>() ? "" : " (not used)");
    return text;
}

std::string text_of(const json& r)
{
    const auto reason = r["reason"].get<std::string>();
    std::string out = fmt::format("{}\n  {} [{}/{}]{}\n  [load-balance {}, buckets {}]",
                                  r["prefix"].get<std::string>(), r["source"].get<std::string>(),
                                  r["distance"].get<unsigned>(), r["metric"].get<unsigned>(),
                                  reason.empty() ? "" : fmt::format(" (not used: {})", reason),
                                  r["load_balance"].get<unsigned>(), r["buckets"].get<unsigned>());
    for (const auto& p : r["paths"])
        out += fmt::format("\n    [{} of {}] [adjacency {}] {}", p["buckets"].get<unsigned>(),
                           r["buckets"].get<unsigned>(), p["adjacency"].get<unsigned>(),
                           p["description"].get<std::string>());
    for (const auto& hop : r["next_hops"])
        if (!hop["recursive_via"].is_null())
            out += fmt::format("\n    {} recursive via {}: {}", hop_text(hop),
                               hop["recursive_via"].get<std::string>(), resolved_text(hop));
    for (const auto& hop : r["next_hops"])
        if (!hop["usable"].get<bool>())
            out += fmt::format("\n    not used: {}: {}", hop_text(hop),
                               hop["reason"].get<std::string>());
    return out;
}

json answer(engine& engine, vrf_index vrf, json routes, size_t total,
            const std::optional<net::ip4_prefix>& next)
{
    auto& ip4 = engine.module<tables>();
    return {{"vrf", engine.module<vrf_table>().name_of(vrf)},
            {"vrf_index", vrf},
            {"prefixes", ip4.table(vrf).size()},
            {"memory_bytes", ip4.routes(vrf).memory_bytes()},
            {"total", total},
            {"shown", routes.size()},
            {"next", next ? json(net::to_string(*next)) : json(nullptr)},
            {"routes", std::move(routes)}};
}

std::string fib_text(const json& data)
{
    std::string out =
        fmt::format("ipv4-VRF:{}, fib_index:{}, prefixes:{}, memory:{} kB",
                    data["vrf"].get<std::string>(), data["vrf_index"].get<unsigned>(),
                    data["prefixes"].get<size_t>(), data["memory_bytes"].get<size_t>() / 1024);
    for (const auto& r : data["routes"])
        out += "\n" + text_of(r);
    if (const auto& next = data["next"]; !next.is_null())
        out += fmt::format(
            "\nthere are more ({} in total): show ip fib {}from {}", data["total"].get<size_t>(),
            data["vrf_index"] == default_vrf ? "" : "vrf " + data["vrf"].get<std::string>() + " ",
            next.get<std::string>());
    return out;
}

result<net::ip4_prefix> prefix_of(const lookup_table& table, std::string_view text)
{
    if (text.find('/') != std::string_view::npos)
        return net::parse<net::ip4_prefix>(text);
    auto address = net::parse<net::ip4_address>(text);
    if (!address)
        return pass(address);
    const auto match = table.match(*address);
    if (!match)
        return fail(errc::not_found, "no route to {}", text);
    return match->first;
}

result<json> show_one(command_context& context)
{
    auto& ip4 = context.engine.module<tables>();
    const auto vrf = vrf_of(context);
    if (!vrf)
        return pass(vrf);
    const auto prefix = prefix_of(ip4.table(*vrf), context.arguments.text("prefix"));
    if (!prefix)
        return pass(prefix);
    const auto routes = ip4.routes(*vrf).of(*prefix);
    if (routes.empty())
        return fail(errc::not_found, "no route to {}", net::to_string(*prefix));
    json list = json::array();
    for (const auto& r : routes)
        list.push_back(route_json(context.engine, ip4, r));
    return answer(context.engine, *vrf, std::move(list), routes.size(), {});
}

// All prefixes that something is said of, active or not.
struct found_prefixes {
    size_t total = 0;
    std::vector<net::ip4_prefix> from; // those from the wanted one on: a heap, the first on top

    static constexpr std::greater<> order{};
    [[nodiscard]] net::ip4_prefix take()
    {
        std::pop_heap(from.begin(), from.end(), order);
        const auto first = from.back();
        from.pop_back();
        return first;
    }
};

// Routes that come and go meanwhile may be among them or not.
found_prefixes collect(tables& ip4, vrf_index vrf, const net::ip4_prefix& from, turns& give_way)
{
    found_prefixes found;
    const size_t ranks = ip4.routes(vrf).ranks().size();
    for (size_t n = 0; n < ranks; ++n) {
        const size_t capacity = ip4.routes(vrf).ranks()[n].said.capacity();
        for (size_t at = 0; at < capacity; give_way()) {
            if (!ip4.has(vrf))
                return found;
            const route_table& routes = ip4.routes(vrf);
            if (routes.ranks().size() != ranks)
                return collect(ip4, vrf, from, give_way); // there is a new one
            const prefix_set& said = routes.ranks()[n].said;
            if (said.capacity() != capacity)
                return collect(ip4, vrf, from, give_way); // it was laid out anew
            at = said.walk(at, 256, [&](const net::ip4_prefix& prefix, auto) {
                if (routes.is_said_before(prefix, n))
                    return;
                ++found.total;
                if (prefix < from)
                    return;
                found.from.push_back(prefix);
                std::push_heap(found.from.begin(), found.from.end(), found_prefixes::order);
            });
        }
        if (!ip4.has(vrf))
            return found;
    }
    return found;
}

result<json> show_fib(command_context& context)
{
    const size_t most = context.arguments.has("max") ? context.arguments.number("max") : usual_page;
    if (most < 1 || most > max_page)
        return fail(errc::invalid_argument,
                    "max: {} is not between 1 and {}; use `from' to page through the table", most,
                    max_page);
    const auto from = context.arguments.has("from")
                          ? net::parse<net::ip4_prefix>(context.arguments.text("from"))
                          : result<net::ip4_prefix>{};
    if (!from)
        return pass(from);
    auto& ip4 = context.engine.module<tables>();
    const auto vrf = vrf_of(context);
    if (!vrf)
        return pass(vrf);
    turns give_way{context.self};
    auto found = collect(ip4, *vrf, *from, give_way);
    json list = json::array();
    for (; !found.from.empty() && list.size() < most; give_way()) {
        if (!ip4.has(*vrf))
            return fail(errc::not_found, "the VRF was removed in the meantime");
        const auto routes = ip4.routes(*vrf).of(found.take());
        if (routes.empty())
            continue; // gone meanwhile
        const auto active =
            std::find_if(routes.begin(), routes.end(), [](const route& r) { return r.active; });
        list.push_back(
            route_json(context.engine, ip4, active == routes.end() ? routes.front() : *active));
    }
    if (!ip4.has(*vrf))
        return fail(errc::not_found, "the VRF was removed in the meantime");
    return answer(context.engine, *vrf, std::move(list), found.total,
                  found.from.empty() ? std::nullopt : std::optional{found.from.front()});
}

const command_registration page{
    "show ip fib [vrf <vrf:vrf>] [from <from:prefix>] [max <max:number>]",
    "Routes and their next hops, in order, from a prefix on (default max: 1000)", show_fib,
    fib_text};
const command_registration one{"show ip fib <prefix:word> [vrf <vrf:vrf>]",
                               "The routes of one prefix, or of the longest match for an address",
                               show_one, fib_text};

result<json> show_summary(command_context& context)
{
    json lengths = json::array();
    const auto vrf = vrf_of(context);
    if (!vrf)
        return pass(vrf);
    const auto counts = context.engine.module<tables>().routes(*vrf).count_by_length();
    for (size_t length = 0; length < counts.size(); ++length)
        if (counts[length] > 0)
            lengths.push_back({{"length", length}, {"count", counts[length]}});
    return json{{"lengths", lengths}};
}

std::string summary_text(const json& data)
{
    text_table table{
        {{"Prefix length", 20, text_table::align::right}, {"Count", 16, text_table::align::right}}};
    for (const auto& row : data["lengths"])
        table.row({to_string(row["length"]), to_string(row["count"])});
    return table.str();
}

const command_registration fib_summary{"show ip fib summary [vrf <vrf:vrf>]",
                                       "The number of prefixes by length", show_summary,
                                       summary_text};

} // namespace

} // namespace weft::ip4
