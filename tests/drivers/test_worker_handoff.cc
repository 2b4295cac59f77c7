// SPDX-License-Identifier: Apache-2.0
// worker-handoff: each flow on one worker and in order, also while it is changed; congestion is
// counted.
#include "nodes/interface/flow_hash.hh"
#include "nodes/interface/interface.hh"
#include "nodes/interface/worker_handoff.hh"
#include "tests/graph/graph_tester.hh"

#include <catch2/catch.hpp>
#include <set>

using namespace weft;

namespace {

constexpr uint32_t flows = 16;
constexpr uint32_t at_most = 1000; // under way, so that no inbox is ever full

// A queue of numbered packets of some flows, and what arrived of each. Whoever polls it takes the
// next ones.
struct traffic {
    uint32_t next = 0;
    std::atomic<uint32_t> end{0};
    std::atomic<uint32_t> arrived{0};
    std::atomic<uint32_t> disorder{0};
    const std::atomic<next_index>* input_slot = nullptr; // of interface 0
    std::array<std::atomic<uint32_t>, flows> expected{}; // by flow: its next packet
    std::array<std::atomic<uint64_t>, flows> seen_by{};  // by flow: bits of threads
};
traffic* current = nullptr;

packet* flow_packet(engine& engine, uint32_t number)
{
    packet* p = engine.make_packet();
    if (p == nullptr)
        return nullptr;
    rte_pktmbuf_append(p->mbuf(), 50);
    std::memset(p->data(), 0, 50);
    p->header<net::ethernet_header>(0).type = net::ether_type::ip4;
    auto& ip = p->header<net::ip4_header>(14);
    ip.version_ihl = 0x45;
    ip.protocol = net::ip_protocol::udp;
    p->header<net::port_pair>(34).source = net::be16{static_cast<uint16_t>(number % flows)};
    std::memcpy(p->data() + 42, &number, sizeof number);
    return p;
}

uint32_t bring(node_run& run) noexcept
{
    std::array<packet*, 32> fresh;
    uint32_t count = 0;
    while (count < fresh.size() && current->next < current->end.load() &&
           current->next - current->arrived.load() < at_most) {
        fresh[count] = flow_packet(run.context<probe>().engine, current->next);
        if (fresh[count] == nullptr)
            break;
        ++count;
        ++current->next;
    }
    if (count > 0)
        run.admit(fresh.data(), count, 0, current->input_slot->load());
    return count;
}

void arrive(node_run& run, frame& in) noexcept
{
    for (const packet* p : in.all()) {
        uint32_t number = 0;
        std::memcpy(&number, p->data() + 42, sizeof number);
        const uint32_t flow = number % flows;
        if (current->expected[flow].exchange(number + flows) != number)
            current->disorder.fetch_add(1);
        current->seen_by[flow].fetch_or(uint64_t{1} << run.thread_index());
    }
    const uint32_t count = in.count;
    run.free(in.packets.data(), in.count);
    current->arrived.fetch_add(count);
}

class queue_driver final : public interface_driver {
public:
    result<void> set_admin(bool) override { return {}; }
    result<void> set_mtu(uint16_t) override { return {}; }
    [[nodiscard]] link_status link() const override { return {}; }
    [[nodiscard]] hardware_status hardware() const override { return {}; }
    [[nodiscard]] std::vector<rx_queue_input> rx_queues() const override
    {
        return {{0, input, false}};
    }
    node_id input = no_node;
};

struct handing {
    traffic t;
    graph_tester tester;
    interface* port = nullptr;

    explicit handing(std::vector<unsigned> workers, unsigned receiver,
                     std::vector<node_patterns> patterns = {})
        : tester{{queue(), relay("ethernet-input", {}, arrive)},
                 std::move(workers),
                 std::move(patterns),
                 {"worker-handoff"}}
    {
        current = &t;
        for (uint32_t flow = 0; flow < flows; ++flow)
            t.expected[flow] = flow;
        auto& registry =
            tester.engine.registry(); // which knows the faster variants of the daemon's own node
        REQUIRE(registry.set_variant(registry.find("ethernet-input")->id, variant::plain));
        auto driver = std::make_unique<queue_driver>();
        driver->input = *tester.engine.registry().clone("queue", "queue-0", nullptr, receiver);
        port = *interfaces_of(tester.engine).add("a", std::move(driver));
        t.input_slot = &interfaces_of(tester.engine).hot(port->index).input_slot;
    }
    ~handing()
    {
        tester.engine.shut_down();
        current = nullptr;
    }
    static node_descriptor queue()
    {
        auto made = source("queue", {"ethernet-input", "worker-handoff"}, bring);
        made.is_template = true;
        return made;
    }
    drivers::handoff_table& table() { return tester.engine.module<drivers::handoff_table>(); }
    [[nodiscard]] bool all_arrive(uint32_t end)
    {
        t.end = end;
        return tester.run_until([&] { return t.arrived.load() == end; });
    }
    [[nodiscard]] uint64_t threads_seen() const
    {
        uint64_t all = 0;
        for (const auto& flow : t.seen_by)
            all |= flow.load();
        return all;
    }
};

} // namespace

TEST_CASE("each flow goes on on one worker, in order", "[drivers][handoff][thread]")
{
    handing h{{0, 1, 0}, 1};
    h.table().begin(*h.port, {1, 2, 3});
    h.tester.start();
    REQUIRE(h.all_arrive(20'000));
    CHECK(h.t.disorder == 0);
    for (const auto& flow : h.t.seen_by)
        CHECK(std::has_single_bit(flow.load()));
    CHECK(h.threads_seen() == 0b1110);
    CHECK(h.tester.engine.packets_in_flight() == 0);
}

TEST_CASE("one worker may take all packets of an interface", "[drivers][handoff][thread]")
{
    handing h{{0, 1}, 1};
    h.table().begin(*h.port, {2});
    h.tester.start();
    REQUIRE(h.all_arrive(5000));
    CHECK(h.threads_seen() == 0b100);
    CHECK(h.t.disorder == 0);
}

TEST_CASE("a hand-off is changed under traffic: none lost, none overtaken",
          "[drivers][handoff][thread]")
{
    handing h{{0, 1, 0}, 1};
    h.tester.start();
    h.t.end = 1'000'000;
    const std::vector<std::vector<unsigned>> turns{{2}, {1, 2, 3}, {3, 2}, {}};
    for (int n = 0; n < 40; ++n)
        REQUIRE(h.table().set(*h.port, turns[static_cast<size_t>(n) % turns.size()], nullptr));
    h.t.end = 0;
    REQUIRE(h.tester.run_until([&] { return h.tester.engine.packets_in_flight() == 0; }));
    CHECK(h.t.arrived.load() > 1000);
    CHECK(h.t.disorder == 0);
    CHECK(h.threads_seen() == 0b1110);
    for (unsigned thread = 1; thread < 4; ++thread)
        CHECK(h.tester.dropped("worker-handoff", 0, thread) == 0);
}

TEST_CASE("what a worker that is behind cannot take is dropped as congestion", "[drivers][handoff]")
{
    handing h{{0}, 0};
    h.table().begin(*h.port, {1}); // which is never started
    h.tester.publish_and_adopt();
    h.t.end = at_most;
    for (int n = 0; n < 1000 && h.t.next < at_most; ++n)
        h.tester.engine.run_main_once();
    h.t.arrived = at_most;
    h.t.end = 2 * at_most;
    for (int n = 0; n < 1000 && h.t.next < 2 * at_most; ++n)
        h.tester.engine.run_main_once();
    h.t.arrived = 2 * at_most;
    h.t.end = 3 * at_most;
    for (int n = 0; n < 1000 && h.t.next < 3 * at_most; ++n)
        h.tester.engine.run_main_once();
    constexpr uint32_t taken = graph_thread::inbox_size - 128; // that is for others
    CHECK(h.tester.dropped("worker-handoff", 0) == 3 * at_most - taken);
    CHECK(h.tester.engine.packets_in_flight() == taken);
    const auto shown = h.tester.json("show interface handoff");
    CHECK(shown["congestion"] == 3 * at_most - taken);
    CHECK(shown["handed_over"] == taken);
    CHECK(shown["interfaces"].dump() == R"([{"name":"a","workers":["worker-1"]}])");
}

TEST_CASE("no worker is handed what its plan has no node for", "[drivers][handoff][commands]")
{
    handing h{{0, 1},
              1,
              {node_patterns{}, node_patterns{{"!ethernet-input", "!worker-handoff", "!queue"}}}};
    h.tester.start();
    CHECK(h.tester.command("set interface handoff a workers 2") ==
          "error: worker-2 cannot be handed packets: its patterns `!ethernet-input', "
          "`!worker-handoff', `!queue' leave "
          "out `ethernet-input'");
    CHECK(h.table().workers(0).empty());
    CHECK(h.tester.command("set interface handoff a workers 1") == "");
}

TEST_CASE("workers of a hand-off are read as a list", "[drivers][handoff][commands]")
{
    handing h{{0, 1}, 1};
    h.tester.start();
    const auto set = [&](const std::string& words) {
        return h.tester.command("set interface handoff a " + words);
    };
    const auto workers = [&] { return h.table().workers(0); };
    CHECK(set("workers 1-2") == "");
    CHECK(workers() == std::vector<unsigned>{1, 2});
    CHECK(set("workers 2,2") == "");
    CHECK(workers() == std::vector<unsigned>{2});
    CHECK(set("workers 3") == "error: workers: no worker 3; workers are 1 to 2");
    CHECK(set("workers 0") == "error: workers: no worker 0; workers are 1 to 2");
    for (const auto* bad : {"1,", "2-1", "x", "1-", "-1", "1,,2", "99999999999"})
        CHECK(set(fmt::format("workers {}", bad)) ==
              fmt::format("error: workers: `{}' is not a list of workers such as 1,2 or 1-3", bad));
    CHECK(workers() == std::vector<unsigned>{2});
    CHECK(set("off") == "");
    CHECK(workers().empty());
}

TEST_CASE("the hash of a frame is its flow's, or its stations'", "[drivers][handoff]")
{
    graph_tester t{{source("in", {"end"}), sink("end")}};
    const auto hash = [&](auto&& change) {
        packet* p = flow_packet(t.engine, 0);
        change(*p);
        const uint32_t found = frame_hash(*p);
        rte_pktmbuf_free(p->mbuf());
        return found;
    };
    const auto as_is = hash([](packet&) {});
    CHECK(hash([](packet& p) { p.header<net::ip4_header>(14).ttl = 9; }) == as_is);
    CHECK(hash([](packet& p) { p.header<net::port_pair>(34).source = net::be16{9}; }) != as_is);
    CHECK(hash([](packet& p) { p.header<net::ethernet_header>(0).source.bytes[5] = 9; }) == as_is);
    const auto arp = [](uint8_t last) {
        return [last](packet& p) {
            p.header<net::ethernet_header>(0).type = net::ether_type::arp;
            p.header<net::ethernet_header>(0).source.bytes[5] = last;
        };
    };
    CHECK(hash(arp(1)) == hash(arp(1)));
    CHECK(hash(arp(1)) != hash(arp(2)));
    CHECK(hash([](packet& p) { rte_pktmbuf_trim(p.mbuf(), 40); }) == 0); // too short for anything
}
