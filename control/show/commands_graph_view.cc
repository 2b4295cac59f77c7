// SPDX-License-Identifier: Apache-2.0
// show graph: the nodes and edges that run, as text or for graphviz, with what goes over them just
// now.
#include "control/command/command.hh"
#include "control/show/graph_rates.hh"
#include "graph/engine.hh"
#include "graph/feature_arc.hh"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

namespace weft {

namespace {

using json = nlohmann::ordered_json;

constexpr duration measured = 1s;

std::vector<const node_entry*> running_nodes(engine& engine)
{
    std::vector<const node_entry*> found;
    const auto& arcs = engine.module<feature_arcs>();
    for (const auto& entry : engine.registry().all())
        if ((!entry.descriptor->is_template || entry.clone_of != no_node) &&
            !arcs.is_idle(entry.id))
            found.push_back(&entry);
    std::sort(found.begin(), found.end(), [](auto* a, auto* b) { return a->name < b->name; });
    return found;
}

// Over the next second: only the session that asks waits for it.
std::optional<graph_rates> measure(command_context& context)
{
    if (!context.arguments.has("live"))
        return {};
    const graph_look from{context.engine};
    if (context.self != nullptr)
        context.self->sleep_for(measured);
    return graph_rates{from, graph_look{context.engine}};
}

json node_json(const node_entry& entry, const std::optional<graph_rates>& rates)
{
    json n{{"name", entry.name}, {"type", to_string(entry.descriptor->type)}};
    if (rates) {
        const auto rate = rates->of(entry.id);
        n["packets_per_second"] = rate.packets_per_second;
        n["clocks_per_packet"] = rate.clocks_per_packet;
        n["share_of_clocks"] = rate.share;
    }
    return n;
}

json edge_json(std::string_view from, std::string_view to, bool drop, std::optional<double> rate)
{
    json e{{"from", from}, {"to", to}, {"drop", drop}};
    if (rate)
        e["packets_per_second"] = *rate;
    return e;
}

// Nodes of one main thread or worker plan alike: the graph as it is joined, templates left out.
result<json> show_graph(command_context& context)
{
    const auto rates = measure(context);
    const auto rate = [&](double value) { return rates ? std::optional{value} : std::nullopt; };
    json nodes = json::array();
    json edges = json::array();
    for (const auto* entry : running_nodes(context.engine)) {
        nodes.push_back(node_json(*entry, rates));
        for (size_t slot = 0; slot < entry->nexts.size(); ++slot)
            edges.push_back(edge_json(entry->name,
                                      context.engine.registry().at(entry->nexts[slot]).name, false,
                                      rate(rates ? rates->sent(entry->id, slot) : 0)));
        if (!entry->descriptor->reasons.empty())
            edges.push_back(
                edge_json(entry->name, "drop", true, rate(rates ? rates->dropped(entry->id) : 0)));
    }
    json data{{"dot", context.arguments.has("dot")}, {"live", rates.has_value()}};
    if (rates)
        data["seconds"] = rates->seconds();
    data["nodes"] = std::move(nodes);
    data["edges"] = std::move(edges);
    return data;
}

// 1234567 packets per second are "1.23 Mpps".
std::string rate_text(double rate)
{
    constexpr std::array<const char*, 4> units{"pps", "kpps", "Mpps", "Gpps"};
    size_t unit = 0;
    for (; rate >= 1000 && unit + 1 < units.size(); ++unit)
        rate /= 1000;
    return fmt::format("{:.3g} {}", rate, units[unit]);
}

double rate_of(const json& of)
{
    return of["packets_per_second"].get<double>();
}

std::string figures(const json& n)
{
    if (rate_of(n) == 0)
        return fmt::format("{:.1f} % of clocks", 100 * n["share_of_clocks"].get<double>());
    return fmt::format("{}, {:.0f} clocks each, {:.1f} % of clocks", rate_text(rate_of(n)),
                       n["clocks_per_packet"].get<double>(),
                       100 * n["share_of_clocks"].get<double>());
}

// From white, a node that takes no time, to red, the one that takes it all. Graphviz reads hue,
// saturation, value.
std::string node_attributes(const json& n, bool live)
{
    const bool internal = n["type"] == "internal";
    if (!live)
        return internal ? "" : " [style=rounded]";
    return fmt::format(" [style=\"{}\", fillcolor=\"0.000 {:.3f} 1.000\", label=\"{}\\n{}\"]",
                       internal ? "filled" : "filled,rounded", n["share_of_clocks"].get<double>(),
                       n["name"].get<std::string>(), figures(n));
}

// Grey and thin where nothing goes; from blue to red, a line wider for each power of ten.
std::string edge_attributes(const json& e, bool live, double busiest)
{
    std::string style = e["drop"].get<bool>() ? "style=dotted" : "";
    if (!live)
        return style.empty() ? "" : " [" + style + "]";
    if (!style.empty())
        style += ", ";
    const double rate = rate_of(e);
    if (rate == 0)
        return " [" + style + "color=\"0.000 0.000 0.700\"]";
    return fmt::format(" [{}color=\"{:.3f} 1.000 0.800\", penwidth={:.1f}, label=\"{}\"]", style,
                       0.667 * (1 - rate / busiest), 1 + 0.6 * std::log10(1 + rate),
                       rate_text(rate));
}

std::string graph_dot(const json& data)
{
    const bool live = data["live"].get<bool>();
    double busiest = 0;
    for (const auto& e : data["edges"])
        busiest = live ? std::max(busiest, rate_of(e)) : 0;
    std::string out =
        "digraph weft {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\"];\n";
    for (const auto& n : data["nodes"])
        out += fmt::format("  \"{}\"{};\n", n["name"].get<std::string>(), node_attributes(n, live));
    for (const auto& e : data["edges"])
        out += fmt::format("  \"{}\" -> \"{}\"{};\n", e["from"].get<std::string>(),
                           e["to"].get<std::string>(), edge_attributes(e, live, busiest));
    return out + "}";
}

std::string graph_text(const json& data)
{
    if (data["dot"].get<bool>())
        return graph_dot(data);
    const bool live = data["live"].get<bool>();
    std::string out;
    for (const auto& n : data["nodes"]) {
        const auto name = n["name"].get<std::string>();
        out +=
            fmt::format("{}{} ({})", out.empty() ? "" : "\n", name, n["type"].get<std::string>());
        if (live)
            out += "  " + figures(n);
        for (const auto& e : data["edges"])
            if (e["from"] == name)
                out += fmt::format("\n  {} {}{}", e["drop"].get<bool>() ? "..>" : "-->",
                                   e["to"].get<std::string>(),
                                   live && rate_of(e) > 0 ? "  " + rate_text(rate_of(e)) : "");
    }
    return out;
}

const command_registration graph{
    "show graph [dot] [live]",
    "Active nodes and edges, as text or for graphviz; live: with rates and clocks", show_graph,
    graph_text};

} // namespace

} // namespace weft
