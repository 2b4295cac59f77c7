// SPDX-License-Identifier: Apache-2.0
// arp-input: checks ARP packets (RFC 826), answers requests for the router's addresses, teaches the
// neighbour table.
#include "base/net/headers.hh"
#include "graph/dispatch_table.hh"
#include "graph/packet_cut.hh"
#include "graph/thread/hand_over.hh"
#include "nodes/fib/neighbours.hh"
#include "nodes/interface/interface.hh"
#include "nodes/interface/interface_buckets.hh"
#include "nodes/ip4/ip4.hh"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <rte_cycles.h>
#include <vector>

namespace weft::arp {

namespace {

enum next : next_index { to_output };
enum reasons : uint16_t {
    too_short,
    bad_format,
    bad_sender,
    own_mac,
    foreign_sender,
    duplicate_address,
    table_full,
    rate_limited,
    handoff_full,
};

constexpr uint32_t news_per_second =
    500; // of an interface, that nobody asked for, from all threads together
constexpr uint32_t news_burst = 100;

struct context {
    explicit context(const node_setup& setup)
        : engine{setup.engine},
          ip4{setup.engine.module<ip4::tables>()},
          interfaces{interfaces_of(setup.engine)},
          asked{setup.engine.module<fib::neighbour_table>().asked()},
          limits{setup.thread != 0 || setup.engine.thread_count() == 1},
          for_us{budget(setup.engine)},
          for_others{budget(setup.engine)}
    {}
    static token_bucket budget(const engine& engine)
    {
        return {std::max<uint64_t>(news_per_second / engine.polling_threads().size(), 1),
                rte_get_tsc_hz(), news_burst};
    }
    weft::engine& engine;
    const ip4::tables& ip4;
    const interface_table& interfaces;
    const fib::asked_lately& asked;
    const bool limits; // not on the main thread, if workers have done so
    interface_buckets for_us, for_others;
};

verdict check_format(const packet& p) noexcept
{
    const size_t at = p.metadata().l3_offset;
    if (p.contiguous() < at + sizeof(net::arp_header))
        return drop(too_short);
    const auto& arp = p.network<net::arp_header>();
    if (arp.hardware_type != net::arp_hardware_ethernet ||
        arp.protocol_type != net::ether_type::ip4 ||
        arp.hardware_length != sizeof(net::mac_address) ||
        arp.protocol_length != sizeof(net::be32) ||
        (arp.operation != net::arp_operation::request &&
         arp.operation != net::arp_operation::reply))
        return drop(bad_format);
    if (arp.sender_mac.is_group() || arp.sender_mac.is_zero())
        return drop(bad_sender);
    return to_output;
}

// What a packet in good form says.
struct message {
    message(const ip4::own_addresses& own, interface_index from,
            const net::arp_header& arp) noexcept
        : interface {
        from
    }, sender{net::from_wire(arp.sender_ip)}, mac{arp.sender_mac},
        for_us{own.on_interface(net::from_wire(arp.target_ip), from)},
        reply{arp.operation == net::arp_operation::reply}
    {}
    [[nodiscard]] bool confirms() const noexcept { return for_us && reply; }
    [[nodiscard]] bool asks() const noexcept { return for_us && !reply; }

    interface_index interface;
    net::ip4_address sender;
    net::mac_address mac;
    bool for_us;
    bool reply;
};

bool is_own(const interface_table& interfaces, const net::mac_address& mac) noexcept
{
    const mac_list& own = interfaces.macs();
    return std::binary_search(own.begin(), own.end(), mac);
}

// Whether its sender can be trusted; consumed where that does not matter to the router.
verdict check_sender(const context& ctx, const message& m) noexcept
{
    const auto& own = ctx.ip4.view_of(m.interface).own;
    if (is_own(ctx.interfaces,
               m.mac)) // a loop, or an invented sender: packets for it would come back
        return drop(own_mac);
    if (own.on_interface(m.sender, m.interface))
        return drop(duplicate_address);
    if (own.source_for(m.sender, m.interface).value == 0)
        return consumed; // without an address the interface takes part in no ARP
    // a probe (RFC 5227) asks with no sender; answered, never learned. Whom the router asked may be
    // on no network: a route says that it is there.
    if (m.sender.value != 0 && own.interface_towards(m.sender) != m.interface &&
        !ctx.asked.has(m.interface, m.sender))
        return m.for_us ? drop(foreign_sender) : consumed;
    return to_output;
}

void turn_into_reply(packet& p, const net::mac_address& own_mac) noexcept
{
    auto& arp = p.network<net::arp_header>();
    std::swap(arp.sender_ip, arp.target_ip);
    arp.target_mac = arp.sender_mac;
    arp.sender_mac = own_mac;
    arp.operation = net::arp_operation::reply;
    auto& frame = p.header<net::ethernet_header>(0); // its tags, if any, are the answer's too
    frame.destination = arp.target_mac;
    frame.source = own_mac;
    p.metadata().flags |= packet_metadata::locally_made;
    cut(p, p.metadata().l3_offset +
               uint32_t{sizeof arp}); // what stood behind the request is no part of the answer
}

// A packet that has been heard and asks nothing of the router is at its end, but is no loss.
verdict end(node_run& run, packet& p) noexcept
{
    run.kept(p);
    run.thread().free_kept(&p);
    return consumed;
}

verdict answer(node_run& run, packet& p, const message& m) noexcept
{
    if (!m.asks())
        return end(run, p);
    turn_into_reply(p, run.context<context>().interfaces.hot(m.interface).mac);
    return to_output;
}

// On the main thread, which owns the neighbours.
verdict learn(node_run& run, packet& p, const message& m) noexcept
{
    auto& table = run.context<context>().engine.module<fib::neighbour_table>();
    const bool room = table.learn(m.interface, m.sender, m.mac, m.confirms(), m.for_us);
    return room || m.asks() ? answer(run, p, m) : drop(table_full);
}

// Nobody asked for it, and more of that has come than is learned from. Who asks gets an answer all
// the same.
verdict not_learned(node_run& run, packet& p, const message& m) noexcept
{
    return m.confirms() ? drop(rate_limited) : answer(run, p, m);
}

// `news` is called for what can change the neighbour table, as verdict(packet&, const message&,
// bool asked): what a station says that is not in use, that moved, or that answers. The one in use
// is on this network, or it would not be.
template <class News>
verdict decide(node_run& run, packet& p, News&& news) noexcept
{
    auto& ctx = run.context<context>();
    const verdict form = check_format(p);
    if (form != to_output)
        return form;
    const interface_index rx = p.metadata().interface;
    const message m{ctx.ip4.view_of(rx).own, rx, p.network<net::arp_header>()};
    if (!m.confirms() && ctx.ip4.forwards_to(m.interface, m.sender, m.mac))
        return answer(run, p, m);
    const verdict sender = check_sender(ctx, m);
    if (sender != to_output)
        return sender == consumed ? end(run, p) : sender;
    if (m.sender.value == 0)
        return answer(run, p, m);
    const bool asked = ctx.asked.has(m.interface, m.sender);
    if (ctx.limits && !asked &&
        (m.for_us ? ctx.for_us : ctx.for_others)[m.interface].take(run.thread().time(), 1) == 0)
        return not_learned(run, p, m);
    return news(p, m, asked);
}

// A worker answers those to whom packets go already; what is news goes to the main thread together,
// answers first.
void answer_or_hand_over(node_run& run, frame& in, graph_thread& main) noexcept
{
    constexpr size_t for_answers =
        graph_thread::inbox_size / 4; // what nobody asked for leaves them so much
    enum class news : uint8_t { none, asked, unasked };
    std::array<news, vector_size> is{};
    std::array<verdict, vector_size> verdicts;
    for (uint32_t i = 0; i < in.count; ++i)
        verdicts[i] =
            decide(run, *in.packets[i], [&](packet&, const message&, bool asked) noexcept {
                is[i] = asked ? news::asked : news::unasked;
                return consumed; // unless the main thread is behind
            });
    hand_over_chosen(
        run, in, 0, [&](uint32_t i) noexcept { return is[i] == news::asked; }, {main, run.id()},
        handoff_full, verdicts.data());
    hand_over_chosen(
        run, in, 0, [&](uint32_t i) noexcept { return is[i] == news::unasked; },
        {main, run.id(), for_answers}, handoff_full, verdicts.data());
    run.enqueue(in, verdicts.data());
}

void arp_input(node_run& run, frame& in) noexcept
{
    graph_thread& main = run.context<context>().engine.main();
    if (run.thread_index() != main.index()) {
        answer_or_hand_over(run, in, main);
        return;
    }
    run.each(in, [&](packet& p) noexcept {
        return decide(run, p, [&](packet& heard, const message& m, bool) noexcept {
            return learn(run, heard, m);
        });
    });
}

std::string trace_arp(const trace_record& record)
{
    const auto* arp = record.network<net::arp_header>();
    if (arp == nullptr)
        return fmt::format("{} bytes, no ARP header", record.length);
    const auto operation = arp->operation.host();
    return fmt::format(
        "{}: {} ({}) -> {} ({})",
        operation == 1   ? "request"
        : operation == 2 ? "reply"
                         : fmt::format("operation {}", operation),
        net::to_string(net::from_wire(arp->sender_ip)), net::to_string(arp->sender_mac),
        net::to_string(net::from_wire(arp->target_ip)), net::to_string(arp->target_mac));
}

const node_registration registration{{
    .name = "arp-input",
    .function = arp_input,
    .nexts = {{to_output, "interface-output"}},
    .reasons =
        {{too_short, "too_short", "the packet is shorter than an ARP header"},
         {bad_format, "bad_format",
          "not ARP for Ethernet and IPv4, or neither a request nor a reply"},
         {bad_sender, "bad_sender", "the sender's MAC address is not a unicast address"},
         {own_mac, "own_mac", "the sender's MAC address is one of this router's own",
          severity::warning},
         {foreign_sender, "foreign_sender",
          "the sender's address is not on a network of this interface"},
         {duplicate_address, "duplicate_address", "another station uses an address of this router"},
         {table_full, "table_full", "the neighbour table is full", severity::warning},
         {rate_limited, "rate_limited", "unsolicited ARP above the rate limit", severity::warning},
         {handoff_full, "handoff_full", "the main thread cannot keep up", severity::warning}},
    .context = context_of<context>(),
    .role = node_role::punted,
    .format_trace = trace_arp,
}};

const dispatch_registration ether_type{"ethertype", net::ether_type::arp.host(), "ARP",
                                       "arp-input"};

} // namespace

} // namespace weft::arp
