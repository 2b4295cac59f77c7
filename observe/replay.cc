// SPDX-License-Identifier: Apache-2.0
// The replay of recorded vectors.
#include "observe/replay.hh"

#include "base/text_table.hh"
#include "control/command/command.hh"
#include "control/show/statistics.hh"
#include "graph/adjacency_names.hh"
#include "graph/packet_append.hh"
#include "graph/thread/capture_buffer.hh"
#include "nodes/interface/interface.hh"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <rte_cycles.h>

namespace weft {

namespace {

using json = nlohmann::ordered_json;

// FNV-1a: quick to write down and the same everywhere.
class hash {
public:
    void add(std::span<const std::byte> bytes) noexcept
    {
        for (const std::byte b : bytes)
            value_ = (value_ ^ static_cast<uint64_t>(b)) * 0x100000001b3;
    }
    [[nodiscard]] uint64_t value() const noexcept { return value_; }

private:
    uint64_t value_ = 0xcbf29ce484222325;
};

// What was sent out at a node.
struct sent_out {
    uint64_t packets = 0;
    uint64_t bytes = 0;
    hash data; // of each packet's length and bytes, in order
};

class player {
public:
    player(engine& engine, const recording& what, replay_clock& clock)
        : engine_{engine},
          what_{what},
          clock_{clock},
          output_{std::make_unique<capture_buffer>(0u, output_nodes(engine), whole_packets)}
    {}

    result<json> run()
    {
        engine_.main().run_given(); // what bringing up the interfaces has sent
        engine_.module<statistics>().clear_runtime();
        engine_.module<statistics>().clear_reasons();
        engine_.set_captures({output_.get()});
        auto done = run_vectors();
        engine_.set_captures({});
        while (engine_.rcu().pending() > 0)
            engine_.rcu().reclaim();
        if (!done)
            return pass(done);
        return report();
    }

private:
    static std::vector<node_id> output_nodes(const engine& engine)
    {
        std::vector<node_id> found;
        for (const auto& entry : engine.registry().all())
            if (entry.descriptor->role == node_role::output)
                found.push_back(entry.id);
        return found;
    }

    template <class... Args>
    static tl::unexpected<error> fault(const recorded_packet& p, errc code,
                                       fmt::format_string<Args...> format, Args&&... args)
    {
        return fail(code, "the packet at byte {}: {}", p.at,
                    fmt::format(format, std::forward<Args>(args)...));
    }

    // Packets of one vector stand side by side; what was filtered out is missing.
    static bool same_vector(const recorded_packet& a, const recorded_packet& b)
    {
        return a.node == b.node && a.thread == b.thread && a.vector == b.vector;
    }

    result<void> run_vectors()
    {
        const auto& packets = what_.packets;
        for (size_t begin = 0, end = 0; begin < packets.size(); begin = end) {
            while (end < packets.size() && same_vector(packets[end], packets[begin]))
                ++end;
            if (end - begin > vector_size)
                return fault(packets[begin], errc::invalid_argument,
                             "its vector has {} packets, more than {}", end - begin, vector_size);
            if (auto done = run_vector(std::span{packets}.subspan(begin, end - begin)); !done)
                return done;
        }
        return {};
    }

    result<void> run_vector(std::span<const recorded_packet> vector)
    {
        const auto node = node_of(vector.front());
        if (!node)
            return pass(node);
        set_time(vector.front().nanoseconds);
        std::vector<packet*> made;
        for (const auto& p : vector) {
            auto one = make(p);
            if (!one) {
                for (packet* each : made)
                    rte_pktmbuf_free(each->mbuf());
                return pass(one);
            }
            made.push_back(*one);
        }
        for (packet* p : made)
            engine_.main().inject_new(*node, p);
        engine_.main().run_given();
        engine_.rcu().reclaim();
        engine_.main().reclaim_plans();
        ++vectors_;
        packets_ += made.size();
        return collect();
    }

    result<node_id> node_of(const recorded_packet& p)
    {
        const auto* entry = engine_.registry().find(p.node);
        if (entry == nullptr)
            return fault(p, errc::not_found, "this configuration has no node `{}'{}", p.node,
                         p.node.starts_with("dpdk-tx-") ? " (devices are null interfaces here)"
                                                        : "");
        plan* const running = engine_.main().current_plan();
        if (entry->descriptor->type != node_type::internal || running == nullptr ||
            running->run_of(entry->id) == nullptr)
            return fault(p, errc::invalid_argument, "node `{}' receives no vectors here", p.node);
        return entry->id;
    }

    // Counted from a while before the first packet, so that what is limited by time has rested;
    // bounded, since files may say anything.
    void set_time(uint64_t nanoseconds)
    {
        constexpr duration before = 1000s;
        constexpr uint64_t longest = uint64_t{1'000'000'000} * 1'000'000'000; // thirty years
        const uint64_t first = what_.packets.front().nanoseconds;
        const uint64_t since = nanoseconds > first ? std::min(nanoseconds - first, longest) : 0;
        clock_.set(before + std::chrono::nanoseconds{static_cast<int64_t>(since)});
        const std::chrono::duration<double> seconds = clock_.now();
        engine_.main().set_replayed_time(
            static_cast<uint64_t>(seconds.count() * static_cast<double>(rte_get_tsc_hz())));
    }

    result<uint16_t> interface_named(const recorded_packet& p, const std::string& name)
    {
        const auto* found = interfaces_of(engine_).find(name);
        if (found == nullptr)
            return fault(p, errc::not_found, "this configuration has no interface `{}'", name);
        return found->index;
    }

    // The adjacency that does here what the recorded one did: numbers depend on what came and went
    // before.
    result<uint32_t> adjacency_like(const recorded_packet& p)
    {
        const auto& names = engine_.module<adjacency_names>();
        if (p.adjacency == 0)
            return 0u;
        if (adjacencies_.empty() && names.count)
            for (uint32_t i = names.count(); i-- > 0;)
                adjacencies_[names.describe(i)] = i;
        if (const auto found = adjacencies_.find(p.adjacency_text); found != adjacencies_.end())
            return found->second;
        return fault(p, errc::not_found,
                     "its adjacency does not exist here: `{}'; record at a node before the lookup",
                     p.adjacency_text);
    }

    result<uint32_t> reason_named(const recorded_packet& p)
    {
        const size_t colon = p.reason.find(':');
        const auto* entry = engine_.registry().find(p.reason.substr(0, colon));
        if (entry != nullptr && colon != std::string::npos)
            for (uint16_t r = 0; r < entry->descriptor->reasons.size(); ++r)
                if (entry->descriptor->reasons[r].name ==
                    std::string_view{p.reason}.substr(colon + 1))
                    return make_reason_id(entry->id, r);
        return fault(p, errc::not_found, "no reason `{}' here", p.reason);
    }

    result<void> restore(const recorded_packet& p, packet& into)
    {
        const auto& from = what_.interfaces[p.interface].name;
        const auto adjacency = adjacency_like(p);
        if (!adjacency)
            return pass(adjacency);
        into.metadata() = {
            .adjacency = *adjacency, .interface = 0, .l3_offset = p.l3_offset, .flags = p.flags};
        if (from != "(none)") {
            const auto index = interface_named(p, from);
            if (!index)
                return pass(index);
            into.metadata().interface = *index;
        }
        if ((p.flags & packet_metadata::aimed) != 0) {
            const auto index = interface_named(p, p.out_interface);
            if (!index)
                return pass(index);
            into.note().next_hop = p.next_hop;
            into.note().out_interface = *index;
        }
        if (!p.reason.empty()) {
            const auto reason = reason_named(p);
            if (!reason)
                return pass(reason);
            into.note().drop_reason = *reason;
        }
        into.note().error_type = p.icmp_type;
        into.note().error_code = p.icmp_code;
        into.note().error_value = p.icmp_mtu;
        return {};
    }

    result<packet*> make(const recorded_packet& p)
    {
        if (p.bytes.size() != p.length)
            return fault(p, errc::invalid_argument,
                         "{} of its {} bytes were recorded, expected all", p.bytes.size(),
                         p.length);
        packet* made = engine_.make_packet();
        if (made == nullptr)
            return fault(p, errc::exhausted, "no packet buffer is free (buffers.count)");
        result<void> done;
        if (!append(*made, p.bytes.data(), p.length))
            done = fault(p, errc::exhausted, "no packet buffer is free (buffers.count)");
        else
            done = restore(p, *made);
        if (!done) {
            rte_pktmbuf_free(made->mbuf());
            return pass(done);
        }
        return made;
    }

    // What the vector has sent out.
    result<void> collect()
    {
        captured_packet what;
        std::vector<std::byte> bytes;
        while (output_->take(what, bytes)) {
            const auto& interfaces = interfaces_of(engine_);
            const interface_index by = what.metadata.interface;
            auto& to = sent_[interfaces.knows(by) ? interfaces.at(by).name : "(none)"];
            ++to.packets;
            to.bytes += bytes.size();
            to.data.add(std::as_bytes(std::span{&what.length, 1}));
            to.data.add(bytes);
        }
        if (output_->missed() > 0)
            return fail(errc::exhausted, "one vector sent more than {} MB",
                        capture_buffer::ring_bytes >> 20);
        return {};
    }

    json report()
    {
        json nodes = json::array();
        for (const auto& n : engine_.module<statistics>().of_thread(0).nodes)
            if (n.vectors > 0)
                nodes.push_back({{"name", engine_.registry().at(n.id).name},
                                 {"calls", n.calls},
                                 {"packets", n.vectors}});
        json reasons = json::array();
        for (const auto& r : engine_.module<statistics>().reasons()) {
            const auto& entry = engine_.registry().at(r.node);
            reasons.push_back({{"count", r.count},
                               {"node", entry.name},
                               {"reason", entry.descriptor->reasons[r.reason].name}});
        }
        json sent = json::array();
        for (const auto& [name, s] : sent_)
            sent.push_back({{"interface", name},
                            {"packets", s.packets},
                            {"bytes", s.bytes},
                            {"hash", fmt::format("{:016x}", s.data.value())}});
        return {{"vectors", vectors_}, {"packets", packets_},
                {"nodes", nodes},      {"reasons", reasons},
                {"sent", sent},        {"waiting", engine_.packets_in_flight()}};
    }

    engine& engine_;
    const recording& what_;
    replay_clock& clock_;
    std::unique_ptr<capture_buffer> output_;
    std::map<std::string, sent_out> sent_;        // by node
    std::map<std::string, uint32_t> adjacencies_; // by what they do
    uint64_t vectors_ = 0;
    uint64_t packets_ = 0;
};

} // namespace

result<json> replay(engine& engine, const recording& what, replay_clock& clock)
{
    return player{engine, what, clock}.run();
}

std::string replay_text(const json& data)
{
    using enum text_table::align;
    text_table nodes{{{"Node", 30, left}, {"Calls", 12, right}, {"Packets", 12, right}}};
    for (const auto& n : data["nodes"])
        nodes.row({n["name"], to_string(n["calls"]), to_string(n["packets"])});
    text_table reasons{{{"Count", 10, right}, {"Node", 30, left}, {"Reason", 30, left}}};
    for (const auto& r : data["reasons"])
        reasons.row({to_string(r["count"]), r["node"], r["reason"]});
    text_table sent{
        {{"Sent by", 30, left}, {"Packets", 12, right}, {"Bytes", 14, right}, {"Hash", 16, left}}};
    for (const auto& s : data["sent"])
        sent.row({s["interface"], to_string(s["packets"]), to_string(s["bytes"]), s["hash"]});
    return fmt::format(
        "{} packets in {} vectors replayed\n\n{}\n\n{}\n\n{}\n\n{} packets waiting\n",
        data["packets"].get<uint64_t>(), data["vectors"].get<uint64_t>(), nodes.str(),
        reasons.str(), sent.str(), data["waiting"].get<int64_t>());
}

} // namespace weft
