// SPDX-License-Identifier: Apache-2.0
// trace add, show trace, clear trace.
#include "control/command/command_parameters.hh"
#include "graph/adjacency_names.hh"
#include "graph/engine.hh"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <rte_cycles.h>

namespace weft {

namespace {

using json = nlohmann::ordered_json;

constexpr uint64_t max_packets_each = 1000;

// On every thread, as in VPP: each samples its own packets.
result<json> trace_add(command_context& context)
{
    engine& engine = context.engine;
    const auto count = context.arguments.number("count");
    if (count == 0 || count > max_packets_each)
        return fail(errc::invalid_argument, "count: {} is not between 1 and {}", count,
                    max_packets_each);
    const auto entry = node_of(context, "node");
    if (!entry)
        return pass(entry);
    if (!engine.tracing())
        engine.reset_trace(true);
    for (unsigned i = 0; i < engine.thread_count(); ++i)
        engine.thread(i).trace()->arm((*entry)->id, static_cast<uint32_t>(count));
    return json("");
}

std::string verdict_text(const engine& engine, const trace_record& record)
{
    const auto& entry = engine.registry().at(record.node);
    if (record.to == consumed)
        return "";
    if (record.to.is_drop()) {
        const auto* why =
            engine.registry().reason_of(make_reason_id(record.node, record.to.reason()));
        return why == nullptr ? "drop" : fmt::format("drop: {} ({})", why->name, why->description);
    }
    return record.to.next() < entry.nexts.size()
               ? "next " + engine.registry().at(entry.nexts[record.to.next()]).name
               : "";
}

std::string detail_text(engine& engine, const trace_record& record)
{
    const auto& node = engine.registry().at(record.node);
    const auto format = node.descriptor->format_trace;
    std::string detail = format != nullptr ? format(record) : "";
    const auto& routes = engine.module<adjacency_names>().route_of;
    if (const auto route = routes.find(node.name); route != routes.end())
        detail = fmt::format("{}\n{}", route->second(record), detail);
    if (engine.registry().drop_node() == record.node)
        if (const auto* why = engine.registry().reason_of(record.note.drop_reason))
            detail = fmt::format(
                "{}: {} ({})",
                engine.registry().at(static_cast<node_id>(record.note.drop_reason >> 16)).name,
                why->name, why->description);
    const std::string to = verdict_text(engine, record);
    if (!detail.empty() && !to.empty())
        detail += '\n';
    return detail + to;
}

json record_json(engine& engine, const trace_record& record)
{
    return {{"seconds", engine.seconds_of(record.tsc)},
            {"thread", record.thread},
            {"node", engine.registry().at(record.node).name},
            {"interface", record.metadata.interface},
            {"length", record.length},
            {"detail", detail_text(engine, record)}};
}

// A packet's records from all threads that it visited, in order of time; packets by their first.
result<json> show_trace(command_context& context)
{
    engine& engine = context.engine;
    std::map<uint32_t, std::vector<const trace_record*>> packets;
    uint64_t lost = 0;
    for (unsigned i = 0; i < engine.thread_count(); ++i)
        if (const auto* buffer = engine.thread(i).trace()) {
            lost += buffer->lost();
            for (const auto& record : buffer->records())
                packets[record.trace_id].push_back(&record);
        }
    std::vector<std::vector<const trace_record*>> order;
    for (auto& [id, records] : packets) {
        std::stable_sort(records.begin(), records.end(),
                         [](auto* a, auto* b) { return a->tsc < b->tsc; });
        order.push_back(std::move(records));
    }
    std::sort(order.begin(), order.end(),
              [](auto& a, auto& b) { return a.front()->tsc < b.front()->tsc; });
    const uint64_t most = context.arguments.has("count") ? context.arguments.number("count") : 50;
    json list = json::array();
    for (size_t i = 0; i < order.size() && i < most; ++i) {
        json records = json::array();
        for (const auto* record : order[i])
            records.push_back(record_json(engine, *record));
        list.push_back({{"thread", order[i].front()->thread},
                        {"thread_name", engine.thread(order[i].front()->thread).name()},
                        {"records", records}});
    }
    return json{{"packets", list}, {"all", order.size()}, {"records_lost", lost}};
}

std::string clock_text(double seconds)
{
    const auto us = static_cast<uint64_t>(seconds * 1e6);
    return fmt::format("{:02}:{:02}:{:02}:{:06}", us / 3'600'000'000u, us / 60'000'000 % 60,
                       us / 1'000'000 % 60, us % 1'000'000);
}

std::string indented(const std::string& text)
{
    std::string out;
    size_t begin = 0;
    while (begin < text.size()) {
        const size_t end = std::min(text.find('\n', begin), text.size());
        out += "\n  " + text.substr(begin, end - begin);
        begin = end + 1;
    }
    return out;
}

std::string packet_text(const json& packet, size_t number)
{
    std::string out = fmt::format("Packet {}\n", number);
    for (const auto& r : packet["records"]) {
        out += fmt::format("\n{}: {}", clock_text(r["seconds"].get<double>()),
                           r["node"].get<std::string>());
        if (r["thread"] != packet["thread"])
            out += fmt::format(" (thread {})", r["thread"].get<unsigned>());
        out += indented(r["detail"].get<std::string>());
    }
    return out + '\n';
}

std::string trace_text(const json& data)
{
    if (data["packets"].empty())
        return "No packets in trace buffer";
    std::map<unsigned, std::vector<const json*>> threads;
    for (const auto& packet : data["packets"])
        threads[packet["thread"].get<unsigned>()].push_back(&packet);
    std::string out;
    for (const auto& [index, packets] : threads) {
        out += fmt::format("------------------- Start of thread {} {} -------------------\n", index,
                           (*packets.front())["thread_name"].get<std::string>());
        for (size_t i = 0; i < packets.size(); ++i)
            out += packet_text(*packets[i], i + 1) + '\n';
    }
    if (data["packets"].size() < data["all"].get<size_t>())
        out += fmt::format("{} more packets: show trace max N\n",
                           data["all"].get<size_t>() - data["packets"].size());
    if (data["records_lost"].get<uint64_t>() > 0)
        out += fmt::format("{} records lost: the trace buffer is full\n",
                           data["records_lost"].get<uint64_t>());
    while (!out.empty() && out.back() == '\n')
        out.pop_back();
    return out;
}

result<json> clear_trace(command_context& context)
{
    context.engine.reset_trace(false);
    return json("");
}

const command_registration add{"trace add <node:node> <count:number>",
                               "Traces the next packets that reach a node, on each thread",
                               trace_add};
const command_registration show{"show trace [max <count:number>]",
                                "The traced packets, node by node (default: 50)", show_trace,
                                trace_text};
const command_registration clear{"clear trace", "Clears the trace buffer and stops tracing",
                                 clear_trace};

} // namespace

} // namespace weft
