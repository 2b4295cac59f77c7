// SPDX-License-Identifier: Apache-2.0
// ip4-options: acts on the options of IPv4 headers (RFC 1812 sections 4.2.2.6, 5.2.4.1 and 5.3.13).
// Packets without, which are nearly all, pass it by.
#include "nodes/ip4/ip4_options.hh"

#include "base/net/checksum.hh"
#include "graph/node_run.hh"
#include "nodes/ip4/ip4_input.hh"
#include "nodes/ip4/ip4_lookup.hh"
#include "nodes/ip4/trace.hh"

#include <ctime>
#include <utility>

namespace weft::ip4 {

namespace {

using input::to_icmp_error;
using input::to_lookup;
enum reasons : uint16_t { bad_option, source_route_refused, source_route_failed, ttl_expired };

// The least length of an option, and of its pointer, both with all that stands before the first
// entry.
constexpr uint8_t route_bytes = 3, timestamp_bytes = 4, address_bytes = sizeof(net::be32);

// Which byte of an option that holds entries is wrong, as its place in the option; 0 if none is.
uint8_t fault_in(const option& o, uint8_t least, uint8_t entry) noexcept
{
    if (o.length() < least)
        return 1;
    const bool room_for_none = !o.is_full() && !o.has(entry);
    return o.pointer() <= least || room_for_none ? 2 : 0;
}

uint8_t fault_in_timestamp(const option& o) noexcept
{
    if (o.length() < timestamp_bytes)
        return 1;
    const uint8_t flag = o.overflow_flag() & 0xf;
    if (flag != 0 && flag != 1 && flag != 3)
        return 3;
    return fault_in(o, timestamp_bytes, flag == 0 ? address_bytes : 2 * address_bytes);
}

// Takes one option up; returns the byte of the header that is wrong, 0 if none is.
uint8_t note(options& found, const option& o) noexcept
{
    option* place = nullptr;
    uint8_t fault = 0;
    switch (o.type()) {
    case option_type::record_route:
        place = &found.record_route;
        break;
    case option_type::loose_source_route:
    case option_type::strict_source_route:
        place = &found.source_route;
        break;
    case option_type::timestamp:
        place = &found.timestamp;
        break;
    default:
        return 0; // RFC 1812 section 4.2.2.6: options that a router does not know it leaves alone
    }
    if (*place)
        return o.offset();
    fault = o.type() == option_type::timestamp ? fault_in_timestamp(o)
                                               : fault_in(o, route_bytes, address_bytes);
    *place = o;
    return fault == 0 ? 0 : static_cast<uint8_t>(o.offset() + fault);
}

} // namespace

options find_options(net::ip4_header& header) noexcept
{
    options found;
    const uint8_t end = header.header_bytes();
    const auto* bytes = reinterpret_cast<const uint8_t*>(&header);
    for (uint8_t at = sizeof header; at < end && bytes[at] != option_type::end;) {
        if (bytes[at] == option_type::no_operation) {
            ++at;
            continue;
        }
        if (at + 1 == end) {
            found.fault = at; // no room for its length
            return found;
        }
        const option o{header, at};
        if (o.length() < 2 || at + o.length() > end)
            found.fault = static_cast<uint8_t>(at + 1);
        else
            found.fault = note(found, o);
        if (found.fault != 0)
            return found;
        at = static_cast<uint8_t>(at + o.length());
    }
    return found;
}

void record_route(const option& record, net::ip4_address address) noexcept
{
    if (record.is_full())
        return;
    record.word(record.pointer()) = address.wire();
    record.pointer() = static_cast<uint8_t>(record.pointer() + address_bytes);
}

void reverse_source_route(net::ip4_header& answer) noexcept
{
    const option route = find_options(answer).source_route;
    constexpr uint8_t first = route_bytes + 1;
    const auto entries = route ? (route.length() - route_bytes) / address_bytes : 0;
    if (entries == 0)
        return;
    // from r1 ... rn and the sender: first to rn, then to the others down to r1, and to the sender
    const auto entry = [&](int i) noexcept -> net::be32& {
        return route.word(static_cast<uint8_t>(first + i * address_bytes));
    };
    const net::be32 sender = answer.destination;
    answer.destination = entry(entries - 1);
    for (int low = 0, high = entries - 2; low < high; ++low, --high)
        std::swap(entry(low), entry(high));
    entry(entries - 1) = sender;
    route.pointer() = first;
}

namespace {

using lookup::context; // what it needs to know where ip4-lookup will send the packet

struct work {
    node_run& run;
    const context& ctx;
    packet& p;
    net::ip4_header& header;
    options found;
    [[nodiscard]] const own_addresses& own() const noexcept
    {
        return ctx.ip4.view_of(p.metadata().interface).own;
    }
    [[nodiscard]] bool is_ours(net::ip4_address a) const noexcept { return own().contains(a); }
};

verdict tell(work& w, reasons why, uint8_t type, uint8_t code, uint16_t pointer = 0) noexcept
{
    w.run.count(why);
    w.p.note().error_type = type;
    w.p.note().error_code = code;
    w.p.note().error_value = pointer;
    return to_icmp_error;
}

verdict tell_fault(work& w, uint8_t pointer) noexcept
{
    return tell(w, bad_option, net::icmp4::parameter_problem, 0, pointer);
}

// Goes on in the source route of a packet that was sent here: returns the last entry that this used
// up, as a pointer, and 0 if there was none left. The header's destination is the next router then.
uint8_t follow(work& w) noexcept
{
    const option& route = w.found.source_route;
    uint8_t used = 0;
    while (w.is_ours(net::from_wire(w.header.destination)) && !route.is_full()) {
        used = route.pointer();
        w.header.destination = route.word(used);
        route.pointer() = static_cast<uint8_t>(used + address_bytes);
    }
    return used;
}

const adjacency& way_of(const work& w) noexcept
{
    const auto to = net::from_wire(w.header.destination);
    const path way =
        lookup::pick(w.ctx.ip4, w.p.metadata().interface, to, w.ctx.seed(), flow_of(w.p));
    return w.ctx.ip4.hops().adjacency_at(way.adjacency());
}

bool is_next_hop(const adjacency& to, net::ip4_address a) noexcept
{
    return to.interface != no_interface && (to.next_hop == a || to.next_hop.is_none());
}

// The address by which the network that the packet goes to knows this router; of a packet for the
// router that it was sent to.
net::ip4_address recorded(const work& w, const adjacency& to) noexcept
{
    const auto destination = net::from_wire(w.header.destination);
    if (to.interface == no_interface)
        return destination;
    const auto& own = w.own();
    const auto source = own.source_for(next_hop_of(to, destination), to.interface);
    return source.value != 0 ? source : own.any_source();
}

uint32_t milliseconds_since_midnight() noexcept
{
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now); // read from a page that the kernel shares
    return static_cast<uint32_t>(now.tv_sec % 86'400 * 1000 + now.tv_nsec / 1'000'000);
}

// Writes down the way that the packet takes, and its header's checksum.
verdict record(work& w, const adjacency& to) noexcept
{
    const auto address = recorded(w, to);
    if (w.found.record_route)
        record_route(w.found.record_route, address);
    if (w.found.timestamp) {
        const uint8_t fault =
            record_time(w.found.timestamp, address, milliseconds_since_midnight(),
                        [&](net::ip4_address a) noexcept { return w.is_ours(a); });
        if (fault != 0)
            return tell_fault(w, fault);
    }
    w.header.checksum = net::be16{0};
    w.header.checksum = net::checksum_of(&w.header, w.header.header_bytes());
    return to_lookup;
}

// A packet with a source route where these are obeyed (RFC 1812 section 5.2.4.1).
verdict route_by_source(work& w) noexcept
{
    const option& route = w.found.source_route;
    const auto original = w.header.destination;
    const uint8_t pointer = route.pointer();
    const uint8_t used = follow(w);
    const adjacency& to = way_of(w);
    const auto destination = net::from_wire(w.header.destination);
    const bool local = to.kind == adjacency_kind::local;
    const bool strict = route.type() == option_type::strict_source_route;
    const bool failed = used == 0 ? strict && !local : strict && !is_next_hop(to, destination);
    const bool nowhere = used != 0 && w.ctx.kinds.of(to.kind).refuses;
    const bool expired = !local && w.header.ttl <= 1; // sent here, so ip4-input did not ask
    if ((failed && !local) || nowhere || expired) {
        w.header.destination = original; // the sender is told of the packet as it came
        route.pointer() = pointer;
        return expired ? tell(w, ttl_expired, net::icmp4::time_exceeded, 0)
                       : tell(w, source_route_failed, net::icmp4::unreachable,
                              net::icmp4::source_route_failed);
    }
    if (used != 0 && !local)
        route.word(used) = recorded(w, to).wire();
    return record(w, to);
}

verdict decide_options(node_run& run, const context& ctx, packet& p) noexcept
{
    auto& header = p.network<net::ip4_header>();
    work w{run, ctx, p, header, find_options(header)};
    if (w.found.fault != 0)
        return tell_fault(w, w.found.fault);
    if (w.found.source_route) {
        if (!ctx.how.source_routes.load(std::memory_order_relaxed))
            return tell(w, source_route_refused, net::icmp4::unreachable,
                        net::icmp4::source_route_failed);
        return route_by_source(w);
    }
    if (!w.found.record_route && !w.found.timestamp)
        return to_lookup;
    const adjacency& to = way_of(w);
    if (to.interface == no_interface && to.kind != adjacency_kind::local)
        return to_lookup; // which drops it
    return record(w, to);
}

void ip4_options(node_run& run, frame& in) noexcept
{
    const auto& ctx = run.context<context>();
    run.each(in, [&](packet& p) noexcept { return decide_options(run, ctx, p); });
}

const node_registration registration{{
    .name = "ip4-options",
    .function = ip4_options,
    .sibling_of =
        "ip4-input", // what is put between that and ip4-lookup sees packets with options too
    .reasons = {{bad_option, "bad_option",
                 "an option is malformed, or is full when that is an error"},
                {source_route_refused, "source_route_refused",
                 "the packet has a source route, and `ip.source-routes' is off"},
                {source_route_failed, "source_route_failed",
                 "the next router of the source route cannot be reached as required"},
                {ttl_expired, "ttl_expired",
                 "the time to live expired before the packet could follow its source route"}},
    .context = context_of<context>(),
    .self_edge = true, // the slot by which ip4-input sends here
    .format_trace = trace_header,
}};

} // namespace

} // namespace weft::ip4
