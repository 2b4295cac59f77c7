// SPDX-License-Identifier: Apache-2.0
// Which packets to unknown neighbours go to the main thread.
#include "nodes/ip4/glean_admission.hh"

#include "base/net/headers.hh"
#include "nodes/interface/flow_hash.hh"

#include <algorithm>
#include <new>
#include <rte_cycles.h>

namespace weft::ip4 {

namespace {

// What tells a sender's flows apart without giving a sweep many of them: not the destination
// address or the source port.
uint64_t service_of(const packet& p, const net::ip4_header& header) noexcept
{
    const uint64_t protocol = uint64_t{header.protocol} << 16;
    const size_t at = p.metadata().l3_offset + header.header_bytes();
    const bool has_ports =
        header.protocol == net::ip_protocol::tcp || header.protocol == net::ip_protocol::udp;
    if (header.is_fragment() || p.contiguous() < at + sizeof(net::icmp4_header))
        return protocol;
    if (has_ports)
        return protocol | p.header<net::port_pair>(at).destination.wire();
    return protocol |
           (header.protocol == net::ip_protocol::icmp ? p.header<net::icmp4_header>(at).id.wire()
                                                      : 0);
}

interface_buckets shared_budgets(const engine& engine, uint32_t per_second)
{
    const uint64_t own = std::max<uint64_t>(per_second / engine.polling_threads().size(), 1);
    return interface_buckets{token_bucket{own, rte_get_tsc_hz(), glean_admission::burst}};
}

} // namespace

bool glean_admission::reserve::take(uint64_t now, uint64_t interval) noexcept
{
    const uint64_t kept = reserved_burst * interval;
    if (now > kept)
        spent_until = std::max(spent_until, now - kept);
    if (now < spent_until + interval)
        return false;
    spent_until += interval;
    return true;
}

glean_admission::glean_admission(engine& engine)
    : budgets_{shared_budgets(engine, per_second)},
      repeated_{shared_budgets(engine, repeated_per_second)},
      interval_{rte_get_tsc_hz() / reserved_per_second}
{
    if (!reserves_.map(max_interfaces) || !refused_.map(refusal_places))
        throw std::bad_alloc{};
}

// Whether a packet for the same neighbour was refused a while ago, which is noted for the next one.
bool glean_admission::is_repeated(net::ip4_address neighbour, interface_index out,
                                  uint64_t now) noexcept
{
    const auto ms = static_cast<uint32_t>(now / (rte_get_tsc_hz() / 1000));
    refusal* room = nullptr;
    for (auto& r : refused_[fold_hash(uint64_t{out} << 32 | neighbour.value) % refusal_places]) {
        const uint32_t age = ms - r.when;
        if (r.neighbour == neighbour) {
            if (age < soonest_ms)
                return false;
            r.when = ms;
            return age <= latest_ms;
        }
        if (age > latest_ms)
            room = &r;
    }
    if (room != nullptr)
        *room = {neighbour, ms};
    return false;
}

bool glean_admission::admit(const packet& p, net::ip4_address neighbour, interface_index out,
                            uint64_t now) noexcept
{
    if (out >= max_interfaces || budgets_[out].take(now, 1) > 0)
        return true;
    const auto& header = p.network<net::ip4_header>();
    const interface_index in = p.metadata().interface;
    const uint64_t sender = uint64_t{header.source.wire()} << 32 | in;
    const uint32_t flow = fold_hash(sender ^ service_of(p, header) << 8);
    reserves& r = reserves_[out];
    return r.senders[fold_hash(sender) % r.senders.size()].take(now, interval_) ||
           r.flows[flow % r.flows.size()].take(now, interval_) ||
           r.inputs[in % r.inputs.size()].take(now, interval_) ||
           (is_repeated(neighbour, out, now) && repeated_[out].take(now, 1) > 0);
}

} // namespace weft::ip4
