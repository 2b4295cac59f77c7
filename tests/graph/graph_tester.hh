// SPDX-License-Identifier: Apache-2.0
// An engine over nodes that the test gives, a pool of real packets, and sources, relays and sinks.
#pragma once

#include "control/command/command.hh"
#include "control/show/statistics.hh"
#include "graph/engine.hh"
#include "tests/base/fake_clock.hh"
#include "tests/base/lines.hh"

#include <algorithm>
#include <catch2/catch.hpp>
#include <deque>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

namespace weft {

// One pool for all tests. It gives each buffer back last of all, so that a test with fewer packets
// never sees one twice: ThreadSanitizer does not see how DPDK's pool hands buffers between threads.
constexpr uint32_t pool_size = 16383;
inline rte_mempool* packet_pool()
{
    static rte_mempool* const pool = [] {
        REQUIRE(claim_packet_note());
        auto* made = rte_pktmbuf_pool_create("graph-tests", pool_size, 0, 0,
                                             RTE_PKTMBUF_HEADROOM + 128, SOCKET_ID_ANY);
        REQUIRE(made != nullptr);
        return made;
    }();
    return pool;
}

// What a test packet holds.
struct payload {
    uint32_t number = 0; // from 0, by source
    uint32_t laps = 0;   // for nodes that send packets round
    uint32_t source = 0; // the thread that made it
};
inline payload payload_of(const packet& p)
{
    payload found;
    std::memcpy(&found, p.data(), sizeof found);
    return found;
}
inline void set_payload(packet& p, const payload& what)
{
    std::memcpy(p.data(), &what, sizeof what);
}
inline packet* numbered_packet(engine& engine, uint32_t number, uint32_t source = 0)
{
    packet* p = engine.make_packet();
    if (p == nullptr)
        return nullptr;
    rte_pktmbuf_append(p->mbuf(), sizeof(payload));
    set_payload(*p, {.number = number, .laps = 0, .source = source});
    return p;
}
inline std::vector<uint32_t> numbers_to(uint32_t end)
{
    std::vector<uint32_t> all(end);
    std::iota(all.begin(), all.end(), 0);
    return all;
}

// The calls of the main thread's nodes, in order.
struct graph_log {
    explicit graph_log(engine&) {}

    struct call {
        std::string node;
        uint32_t count;
        const frame* where;
    };
    std::vector<call> calls;

    [[nodiscard]] std::vector<std::string> names() const
    {
        std::vector<std::string> found;
        for (const auto& each : calls)
            found.push_back(each.node);
        return found;
    }
    // The sizes of the frames that a node was given.
    [[nodiscard]] std::vector<uint32_t> counts(std::string_view node) const
    {
        std::vector<uint32_t> found;
        for (const auto& each : calls)
            if (each.node == node)
                found.push_back(each.count);
        return found;
    }
};

// The context of every test node on each thread.
struct probe {
    explicit probe(const node_setup& setup)
        : engine{setup.engine},
          log{setup.engine.module<graph_log>()},
          name{setup.name},
          thread{setup.thread}
    {}
    void note(const frame& in)
    {
        frame& seen = const_cast<frame&>(in);
        for (const packet* p : seen.all()) {
            numbers.push_back(payload_of(*p).number);
            packets.add(1);
        }
        note_call(in.count, &in);
    }
    void note_call(uint32_t count, const frame* where = nullptr)
    {
        if (thread == 0)
            log.calls.push_back({name, count, where});
    }

    weft::engine& engine;
    graph_log& log;
    const std::string name;
    const unsigned thread;
    std::vector<uint32_t> numbers; // of the packets that it was given
    counter packets;               // how many, for other threads
    // of a source
    std::atomic<uint32_t> wanted{0}; // packets that it shall still make
    uint32_t made = 0;
    std::atomic<uint32_t> burst{vector_size}; // packets in one poll
    next_index slot = 0;
    // for the test's own nodes
    std::vector<packet*> held;
    void* extra = nullptr;
};

// --- node functions ---

inline uint32_t make_packets(node_run& run) noexcept
{
    auto& self = run.context<probe>();
    std::array<packet*, vector_size> fresh;
    const uint32_t asked = std::min(self.wanted.load(), self.burst.load());
    uint32_t count = 0;
    for (; count < asked; ++count) {
        fresh[count] = numbered_packet(self.engine, self.made, self.thread);
        if (fresh[count] == nullptr)
            break;
        ++self.made;
    }
    self.note_call(count);
    if (count > 0)
        run.admit(fresh.data(), count, 0, self.slot);
    self.wanted.fetch_sub(count);
    return count;
}
inline void pass_on(node_run& run, frame& in) noexcept
{
    run.context<probe>().note(in);
    run.enqueue_all(in, 0);
}
// Each packet to the next that its number chooses.
inline void deal_out(node_run& run, frame& in) noexcept
{
    auto& self = run.context<probe>();
    self.note(in);
    const auto nexts = self.engine.registry().at(run.id()).nexts.size();
    run.each(in, [&](packet& p) { return static_cast<next_index>(payload_of(p).number % nexts); });
}
inline void swallow(node_run& run, frame& in) noexcept
{
    run.context<probe>().note(in);
    run.trace(in, consumed);
    run.free(in.packets.data(), in.count);
}

// --- their descriptors ---

using names = std::vector<std::string_view>;
inline std::vector<next_node> numbered(const names& nexts)
{
    std::vector<next_node> all;
    for (const auto name : nexts)
        all.push_back({static_cast<next_index>(all.size()), name});
    return all;
}

inline node_descriptor source(std::string_view name, const names& nexts,
                              input_function poll = make_packets)
{
    return {.name = name,
            .type = node_type::input,
            .poll = poll,
            .nexts = numbered(nexts),
            .context = context_of<probe>()};
}
inline node_descriptor relay(std::string_view name, const names& nexts,
                             node_function function = pass_on, std::vector<reason> reasons = {})
{
    return {.name = name,
            .function = function,
            .nexts = numbered(nexts),
            .reasons = std::move(reasons),
            .context = context_of<probe>()};
}
inline node_descriptor sink(std::string_view name)
{
    return relay(name, {}, swallow);
}

// A registration that only those registries know which are given it: a copy registers nothing.
inline node_registration
private_registration(node_descriptor what,
                     std::source_location where = std::source_location::current())
{
    node_registration made{*registered_nodes().front()};
    made.what = std::move(what);
    made.where = where;
    return made;
}

// Registrations that stay where they are as long as registries made of them.
class node_set {
public:
    explicit node_set(std::vector<node_descriptor> nodes,
                      const std::vector<std::string_view>& more = {})
    {
        for (auto& each : nodes)
            pointers_.push_back(&own_.emplace_back(private_registration(std::move(each))));
        for (const auto name : more)
            with(name);
    }
    // One of the daemon's own nodes too.
    node_set& with(std::string_view name)
    {
        for (const auto* each : registered_nodes())
            if (each->what.name == name)
                pointers_.push_back(each);
        return *this;
    }
    [[nodiscard]] result<node_registry> registry() const { return node_registry::of(pointers_); }

private:
    std::deque<node_registration> own_;
    std::vector<const node_registration*> pointers_;
};

// A registry of the test's nodes alone, without an engine.
struct registry_tester {
    node_set nodes;
    node_registry registry = *nodes.registry();

    explicit registry_tester(std::vector<node_descriptor> what) : nodes{std::move(what)} {}

    [[nodiscard]] node_id id(std::string_view name) const { return registry.find(name)->id; }
    // The names of its next nodes, slot by slot.
    [[nodiscard]] std::vector<std::string> nexts(std::string_view name) const
    {
        std::vector<std::string> found;
        for (const node_id next : registry.find(name)->nexts)
            found.push_back(registry.at(next).name);
        return found;
    }
};

// Waits for another thread without running the main thread's loop, for ten seconds at most.
template <class Done>
[[nodiscard]] bool wait_for(Done&& done)
{
    const auto end = std::chrono::steady_clock::now() + 10s;
    while (!done() && std::chrono::steady_clock::now() < end)
        std::this_thread::sleep_for(100us);
    return done();
}

// The test's nodes and the real `drop` and `handoff-input`; at its end every packet must be back.
class graph_tester {
public:
    // `more`: the names of other nodes of the daemon's.
    explicit graph_tester(std::vector<node_descriptor> nodes, std::vector<unsigned> workers = {},
                          std::vector<node_patterns> worker_nodes = {},
                          const std::vector<std::string_view>& more = {})
        : nodes_{std::move(nodes), more},
          free_before_{rte_mempool_avail_count(packet_pool())},
          engine{clock, *nodes_.with("drop").with("handoff-input").registry(),
                 engine_options{.main_core = 0,
                                .worker_cores = std::move(workers),
                                .pin = false,
                                .worker_nodes = std::move(worker_nodes)}}
    {
        engine.add_pool(packet_pool());
    }
    ~graph_tester()
    {
        engine.shut_down();
        CHECK(engine.packets_in_flight() == 0);
        CHECK(rte_mempool_avail_count(packet_pool()) == free_before_);
    }

    void publish() { REQUIRE(engine.publish_plans()); }
    void start()
    {
        publish();
        REQUIRE(engine.start());
    }
    // Makes a source bring in so many packets, in as many loops of the main thread as it takes.
    void send(std::string_view source_name, uint32_t count)
    {
        if (engine.main().current_plan() == nullptr)
            publish_and_adopt();
        at(source_name).wanted = count;
        for (int loops = 0; at(source_name).wanted > 0 && loops < 1000; ++loops)
            engine.run_main_once();
        REQUIRE(at(source_name).wanted == 0);
    }
    void publish_and_adopt()
    {
        publish();
        engine.run_main_once();
        log().calls.clear();
    }
    // Runs the main thread's loop until `done`, for ten seconds at most.
    template <class Done>
    [[nodiscard]] bool run_until(Done&& done)
    {
        const auto end = std::chrono::steady_clock::now() + 10s;
        while (!done() && std::chrono::steady_clock::now() < end) {
            engine.run_main_once();
            engine.loop().wait(1ms);
        }
        return done();
    }

    // The same without a limit on its sleep: false if nothing woke it in time.
    template <class Done>
    [[nodiscard]] bool woken_until(Done&& done)
    {
        const auto end = std::chrono::steady_clock::now() + 5s;
        while (!done() && std::chrono::steady_clock::now() < end) {
            engine.loop().wait(10s);
            engine.run_main_once();
        }
        return std::chrono::steady_clock::now() < end;
    }

    [[nodiscard]] node_id id(std::string_view name) const
    {
        return engine.registry().find(name)->id;
    }
    [[nodiscard]] const node_store& store(std::string_view name, unsigned thread = 0)
    {
        return *engine.thread(thread).store_of(id(name));
    }
    [[nodiscard]] probe& at(std::string_view name, unsigned thread = 0)
    {
        return *static_cast<probe*>(store(name, thread).context);
    }
    [[nodiscard]] graph_log& log() { return engine.module<graph_log>(); }
    [[nodiscard]] uint64_t dropped(std::string_view node, uint16_t reason, unsigned thread = 0)
    {
        return store(node, thread).reasons[reason].get();
    }

    // A command line's answer.
    [[nodiscard]] std::string command(std::string_view line)
    {
        const auto answer = command_table::registered()->run(engine, line, false);
        return answer ? *answer : "error: " + answer.error().message;
    }
    [[nodiscard]] nlohmann::ordered_json json(std::string_view line)
    {
        const auto answer = command_table::registered()->run(engine, line, true);
        INFO((answer ? "" : answer.error().message));
        REQUIRE(answer);
        return nlohmann::ordered_json::parse(*answer);
    }

private:
    node_set nodes_;
    const unsigned free_before_;

public:
    fake_clock clock;
    weft::engine engine;
};

} // namespace weft
