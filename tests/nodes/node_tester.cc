// SPDX-License-Identifier: Apache-2.0
// A router without ports for tests of nodes.
#include "tests/nodes/node_tester.hh"

#include "control/command/command.hh"
#include "control/show/statistics.hh"
#include "graph/node_run.hh"
#include "graph/packet_append.hh"
#include "nodes/interface/interface.hh"
#include "nodes/interface/link.hh"
#include "nodes/ip4/ip4_interfaces.hh"

#include <algorithm>
#include <rte_lcore.h>
#include <rte_mbuf.h>

namespace weft::test {

namespace {

constexpr unsigned pool_size = 4096;

// One for all tests of the program, which run one after the other.
rte_mempool* pool()
{
    static rte_mempool* const made = [] {
        REQUIRE(claim_packet_note());
        return rte_pktmbuf_pool_create("node_tester", pool_size, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
                                       static_cast<int>(rte_socket_id()));
    }();
    REQUIRE(made != nullptr);
    return made;
}

struct context {
    explicit context(const node_setup& setup)
        : seen{*static_cast<std::vector<sent_packet>*>(setup.argument)}
    {}
    std::vector<sent_packet>& seen;
};

void test_sink(node_run& run, frame& in) noexcept
{
    auto& seen = run.context<context>().seen;
    for (packet* p : in.all()) {
        byte_string bytes(p->length());
        const void* data = rte_pktmbuf_read(p->mbuf(), 0, p->length(), bytes.data());
        if (data != bytes.data())
            std::memcpy(bytes.data(), data, bytes.size());
        seen.push_back({p->metadata().interface, std::move(bytes)});
    }
    run.free(in.packets.data(), in.count);
}

const node_registration sink{{
    .name = "test-sink",
    .function = test_sink,
    .context = context_of<context>(),
    .role = node_role::output,
    .is_template = true,
}};

// Nodes that tests of other modules registered for themselves stay out of the graph. Told by their
// place below the root of the sources, whose own path may be anything.
bool belongs(const node_registration& node)
{
    constexpr std::string_view here = "tests/nodes/node_tester.cc";
    const std::string_view self = sink.where.file_name();
    const std::string_view root = self.substr(0, self.size() - here.size());
    const std::string_view file = node.where.file_name();
    return !file.starts_with(fmt::format("{}tests/", root)) ||
           file.starts_with(fmt::format("{}tests/nodes/", root));
}

node_registry registry_for_tests()
{
    std::vector<const node_registration*> chosen;
    for (const auto* node : registered_nodes())
        if (belongs(*node))
            chosen.push_back(node);
    auto made = node_registry::of(chosen);
    if (!made)
        FAIL(made.error().message);
    return std::move(*made);
}

std::string name_of(unsigned interface)
{
    return std::string(1, static_cast<char>('a' + interface));
}

} // namespace

result<void> test_driver::set_admin(bool to)
{
    if (refuses)
        return fail(errc::io, "the device says no");
    up = to;
    return {};
}

result<void> test_driver::set_mtu(uint16_t to)
{
    if (refuses)
        return fail(errc::unsupported, "the device says no");
    mtu = to;
    return {};
}

hardware_status test_driver::hardware() const
{
    hardware_status status;
    status.device = "nowhere";
    status.driver = "test";
    status.link = link();
    return status;
}

node_tester::node_tester(tester_options options)
    : engine{clock_, registry_for_tests(),
             engine_options{.worker_cores = options.workers,
                            .max_packets = pool_size,
                            .pin = false,
                            .vector_size = options.vector_size}}
{
    engine.add_pool(pool());
    free_at_start_ = rte_mempool_avail_count(pool());
    if (options.arp) [[maybe_unused]]
        auto& arp_on = engine.module<arp::arp_protocol>();
    [[maybe_unused]] auto& ip4_on = engine.module<ip4::ip4_interfaces>();
    for (unsigned i = 0; i < options.interfaces; ++i)
        add_interface(i);
    const auto published = engine.publish_plans();
    if (!published)
        FAIL(published.error().message);
    for (const auto* process : registered_processes())
        if (process->name == "neighbours")
            REQUIRE(engine.loop().start("neighbours", process->function, process->stack_size));
    run();
    configure(options);
    run();
    sink_.clear();
}

node_tester::~node_tester()
{
    run();
    engine.shut_down();
    CHECK(engine.packets_in_flight() == 0);
    CHECK(rte_mempool_avail_count(pool()) == free_at_start_);
}

void node_tester::add_interface(unsigned index)
{
    const std::string name = name_of(index);
    const auto added = interfaces_of(engine).add(name, std::make_unique<test_driver>());
    REQUIRE(added.has_value());
    const auto tx = engine.registry().clone("test-sink", "test-sink-" + name, &sink_);
    REQUIRE(tx.has_value());
    const auto slot =
        engine.registry().add_next(engine.registry().find("interface-output")->id, *tx);
    REQUIRE(slot.has_value());
    auto& hot = interfaces_of(engine).hot((*added)->index);
    hot.output_slot.store(*slot);
    interfaces_of(engine).set_mac(**added, mac_of(index, 1));
}

void node_tester::configure(const tester_options& options)
{
    for (unsigned i = 0; i < options.interfaces; ++i) {
        if (options.up)
            set_up(name_of(i), true);
        if (!options.addresses)
            continue;
        const auto n = static_cast<interface_index>(i);
        REQUIRE(ip4().add_address(n, own_address(fmt::format("10.0.{}.1/24", i))));
        if (options.neighbours)
            REQUIRE(neighbours().add_permanent(n, ip(fmt::format("10.0.{}.2", i)), mac_of(i, 2)));
    }
}

test_driver& node_tester::driver(std::string_view name)
{
    return static_cast<test_driver&>(*port(name).driver);
}

packet* node_tester::make(const byte_string& bytes, interface_index from)
{
    packet* p = engine.make_packet();
    REQUIRE(p != nullptr);
    REQUIRE(append(*p, reinterpret_cast<const std::byte*>(bytes.data()),
                   static_cast<uint32_t>(bytes.size())));
    p->metadata().interface = from;
    return p;
}

packet* node_tester::make_in_parts(const byte_string& bytes, const std::vector<size_t>& parts,
                                   interface_index from)
{
    packet* whole = nullptr;
    size_t at = 0;
    for (size_t n = 0; whole == nullptr || at < bytes.size(); ++n) {
        const size_t left = bytes.size() - at;
        const size_t here = n < parts.size() ? std::min(parts[n], left) : left;
        const auto begin = bytes.begin() + static_cast<ptrdiff_t>(at);
        packet* part = make({begin, begin + static_cast<ptrdiff_t>(here)}, from);
        at += here;
        if (whole == nullptr)
            whole = part;
        else
            REQUIRE(rte_pktmbuf_chain(whole->mbuf(), part->mbuf()) == 0);
    }
    return whole;
}

void node_tester::inject(std::string_view node, packet* p)
{
    if (node != "ethernet-input")
        p->metadata().l3_offset = packet_builder::ethernet_bytes;
    const auto* entry = engine.registry().find(node);
    const bool taken = entry != nullptr && engine.main().inject_new(entry->id, p);
    if (!taken)
        rte_pktmbuf_free(p->mbuf());
    INFO("node " << node);
    REQUIRE(taken);
}

void node_tester::glean(const packet_builder& p, net::ip4_address next_hop, interface_index out)
{
    packet* made = make(p.bytes());
    made->metadata().flags |= packet_metadata::aimed;
    made->note().next_hop = next_hop.value;
    made->note().out_interface = out;
    inject("ip4-glean", made);
}

void node_tester::advance(duration d)
{
    while (d > duration::zero()) {
        const duration step = std::min<duration>(d, 1s);
        clock_.advance(step);
        run();
        d -= step;
    }
}

std::vector<sent_packet> node_tester::take()
{
    return std::exchange(sink_, {});
}

sent_packet node_tester::take_one()
{
    const auto all = take();
    REQUIRE(all.size() == 1);
    return all.front();
}

counts node_tester::counted()
{
    counts found;
    auto& all = engine.module<statistics>();
    for (const auto& r : all.reasons())
        found[fmt::format("{}: {}", engine.registry().at(r.node).name,
                          engine.registry().reason_of(make_reason_id(r.node, r.reason))->name)] =
            r.count;
    all.clear_reasons();
    return found;
}

std::string node_tester::verdict_of(const packet_builder& p, interface_index from,
                                    std::string_view node)
{
    sink_.clear();
    [[maybe_unused]] const auto before = counted();
    inject(node, p, from);
    run();
    std::string words;
    for (const auto& [what, count] : counted())
        words += fmt::format("{}{}", words.empty() ? "" : ", ", what);
    for (const auto& out : sink_)
        words += fmt::format("{}-> {}{}", words.empty() ? "" : " ", name_of(out.interface),
                             out.is_arp() ? " (ARP)" : "");
    return words;
}

uint64_t node_tester::went(std::string_view from, std::string_view to)
{
    const auto& source = *engine.registry().find(from);
    const node_id target = engine.registry().find(to)->id;
    uint64_t sum = 0;
    for (size_t slot = 0; slot < source.nexts.size(); ++slot)
        if (source.nexts[slot] == target)
            sum += engine.module<statistics>().sent(source.id, slot);
    return sum;
}

void node_tester::hear_from(std::string_view address, const net::mac_address& mac,
                            interface_index on)
{
    const std::string router = fmt::format("10.0.{}.1", on);
    inject(
        "ethernet-input",
        packet_builder{}.ethernet(mac_of(on, 1), mac).arp(2, mac, address, mac_of(on, 1), router),
        on);
    run();
}

std::optional<fib::neighbour_state> node_tester::state_of(std::string_view address)
{
    for (const auto* n : neighbours().all())
        if (n->address == ip(address))
            return n->state;
    return {};
}

void node_tester::add_route(std::string_view to, const std::vector<std::string>& via)
{
    std::vector<net::ip4_address> hops;
    for (const auto& text : via)
        hops.push_back(ip(text));
    REQUIRE(ip4().add_route(prefix(to), {hops.begin(), hops.end()}));
}

void node_tester::set_up(std::string_view name, bool up)
{
    REQUIRE(interfaces_of(engine).set_admin(port(name), up));
    run();
    sink_.clear();
}

void node_tester::set_carrier(std::string_view name, bool carrier)
{
    driver(name).carrier = carrier;
    look_at_link(interfaces_of(engine), port(name));
    run();
    sink_.clear();
}

void node_tester::use_variant(variant which)
{
    for (const auto& entry : engine.registry().all())
        if (entry.variants.size() > 1)
            REQUIRE(engine.registry().set_variant(entry.id, which));
    REQUIRE(engine.publish_plans());
    run();
}

void node_tester::set_mtu(std::string_view name, uint16_t mtu)
{
    REQUIRE(interfaces_of(engine).set_mtu(port(name), mtu));
    run();
    sink_.clear();
}

std::string node_tester::command(std::string_view line)
{
    const auto answer = command_table::registered().value().run(engine, line, false);
    return answer ? *answer : "error: " + answer.error().message;
}

nlohmann::ordered_json node_tester::command_json(std::string_view line)
{
    const auto answer = command_table::registered().value().run(engine, line, true);
    if (!answer)
        FAIL(answer.error().message);
    return nlohmann::ordered_json::parse(*answer);
}

} // namespace weft::test
