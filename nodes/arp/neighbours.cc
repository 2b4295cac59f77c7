// SPDX-License-Identifier: Apache-2.0
// The neighbour table and the process that ages it.
#include "nodes/arp/neighbours.hh"

#include "graph/init.hh"
#include "graph/net/headers.hh"

#include <algorithm>
#include <cstring>
#include <spdlog/spdlog.h>

namespace weft::arp {

std::string_view to_string(neighbour_state state) noexcept
{
    switch (state) {
    case neighbour_state::incomplete: return "incomplete";
    case neighbour_state::reachable: return "reachable";
    case neighbour_state::stale: return "stale";
    case neighbour_state::probe: return "probe";
    case neighbour_state::failed: return "failed";
    case neighbour_state::permanent: return "permanent";
    case neighbour_state::inactive: return "inactive";
    }
    return "?";
}

namespace {

bool is_configured(neighbour_state state) noexcept
{
    return state == neighbour_state::permanent || state == neighbour_state::inactive;
}

} // namespace

neighbour_table::neighbour_table(engine& host) : host_{host}, ip4_{host.room<ip4::tables>()}
{
    ip4_.set_holder(this);
    ip4_.observe_addresses([this](interface_index i, net::ip4_address a, bool added) {
        if (added)
            announce(i, a);
        follow_networks(i);
    });
    host.interfaces().observe([this](const interface& i) {
        if (!host_.interfaces().hot(i.index).admin_up.load()) {
            flush(i.index);
            return;
        }
        for (const auto& a : ip4_.addresses_of(i.index))
            announce(i.index, a.address);
    });
}

neighbour_table::~neighbour_table()
{
    for (auto& [where, n] : table_)
        for (packet* p : n.waiting)
            host_.main().free_kept(p);
}

std::map<neighbour_table::key, neighbour>::iterator
neighbour_table::erase(std::map<key, neighbour>::iterator at)
{
    neighbour& n = at->second;
    ip4_.neighbour_down(n.interface, n.address);
    const auto* glean = host_.registry().find("ip4-glean");
    for (packet* p : n.waiting)
        host_.main().drop_kept(make_reason_id(glean->id, ip4::glean::forgotten), p);
    waiting_ -= n.waiting.size();
    return table_.erase(at);
}

// A full table gives up what has failed or was asked for longest ago without an answer: many at
// once, and seldom in vain, since a scan of a large network comes here with every packet.
bool neighbour_table::make_room()
{
    const duration now = host_.loop().now();
    if (table_.size() < max_neighbours)
        return true;
    if (now < full_until_)
        return false;
    std::vector<std::map<key, neighbour>::iterator> silent;
    for (auto at = table_.begin(); at != table_.end(); ++at) {
        const auto state = at->second.state;
        if ((state == neighbour_state::incomplete || state == neighbour_state::failed) &&
            now - at->second.since >= request_interval)
            silent.push_back(at);
    }
    full_until_ = silent.empty() ? now + 10ms : now;
    const size_t count = std::min<size_t>(silent.size(), max_neighbours / 32);
    std::partial_sort(silent.begin(), silent.begin() + static_cast<ptrdiff_t>(count), silent.end(),
                      [](auto a, auto b) { return a->second.since < b->second.since; });
    for (size_t i = 0; i < count; ++i)
        erase(silent[i]);
    return count > 0;
}

neighbour* neighbour_table::find_or_make(interface_index i, net::ip4_address a)
{
    if (const auto known = table_.find({i, a}); known != table_.end())
        return &known->second;
    if (!make_room())
        return nullptr;
    neighbour& n = table_[{i, a}];
    n.interface = i;
    n.address = a;
    n.since = host_.loop().now();
    return &n;
}

ip4::packet_holder::verdict neighbour_table::hold(packet* p, net::ip4_address next_hop,
                                                  interface_index interface)
{
    neighbour* n = find_or_make(interface, next_hop);
    if (n == nullptr)
        return verdict::table_full;
    if (n->state == neighbour_state::failed || n->state == neighbour_state::inactive)
        return verdict::unreachable;
    // It comes back although its neighbour is known: round and round it would hold up the thread.
    if (n->state != neighbour_state::incomplete && (p->mark().flags & packet_mark::resolved) != 0)
        return verdict::unreachable;
    if (n->waiting.size() >= max_waiting_each || waiting_ >= max_waiting)
        return verdict::queue_full;
    n->waiting.push_back(p);
    ++waiting_;
    if (n->state != neighbour_state::incomplete)
        release_waiting(*n); // it was resolved while the packet was on its way here
    else if (n->requests == 0)
        request(*n, host_.loop().now());
    return verdict::held;
}

// Waiting packets take the way through lookup again, which now finds the neighbour.
void neighbour_table::release_waiting(neighbour& n)
{
    const auto* lookup = host_.registry().find("ip4-lookup");
    for (packet* p : n.waiting) {
        p->mark().flags |= packet_mark::resolved;
        if (lookup == nullptr || !host_.main().inject_kept(lookup->id, p))
            host_.main().free_kept(p);
    }
    waiting_ -= n.waiting.size();
    n.waiting.clear();
}

// Packets that waited in vain go to ip4-glean again, which counts them and tells their senders (RFC 1812 section 5.2.7.1).
void neighbour_table::give_up(neighbour& n)
{
    ip4_.neighbour_down(n.interface, n.address);
    n.state = neighbour_state::failed;
    n.since = host_.loop().now();
    n.requests = 0;
    const auto* glean = host_.registry().find("ip4-glean");
    for (packet* p : n.waiting) {
        p->mark().flags |= packet_mark::aimed; // as it was when it came here
        if (glean == nullptr || !host_.main().inject_kept(glean->id, p))
            host_.main().free_kept(p);
    }
    waiting_ -= n.waiting.size();
    n.waiting.clear();
}

void neighbour_table::confirm(neighbour& n, const net::mac_address& mac, bool answer)
{
    const bool moved = n.mac != mac;
    const bool known = n.state == neighbour_state::reachable ||
                       n.state == neighbour_state::stale || n.state == neighbour_state::probe;
    if (moved || !known) {
        n.mac = mac;
        if (auto done = ip4_.neighbour_up(n.interface, n.address, mac); !done) {
            spdlog::warn("neighbour {}: {}", net::to_string(n.address), done.error().message);
            return;
        }
    }
    if (answer || moved || !known) {
        n.state = answer ? neighbour_state::reachable : neighbour_state::stale;
        n.since = host_.loop().now();
        n.requests = 0;
    }
    release_waiting(n);
}

bool neighbour_table::learn(interface_index i, net::ip4_address a, const net::mac_address& mac,
                            bool answer, bool create)
{
    const auto known = table_.find({i, a});
    if (known == table_.end() && !create)
        return true;
    neighbour* n = find_or_make(i, a);
    if (n == nullptr)
        return false;
    if (!is_configured(n->state))
        confirm(*n, mac, answer);
    return true;
}

void neighbour_table::request(neighbour& n, duration now)
{
    if (requests_left_ == 0)
        return; // the next tick asks
    const auto own = ip4_.own().source_for(n.address, n.interface);
    // A neighbour that is being confirmed is asked directly (RFC 1122 section 2.3.2.1).
    const bool direct = n.state == neighbour_state::probe;
    if (!send(n.interface, 1, direct ? n.mac : net::broadcast_mac, own, n.address))
        return;
    --requests_left_;
    ++n.requests;
    n.asked = now;
}

// What time does to one neighbour; false when it is to be forgotten.
bool neighbour_table::tick_one(neighbour& n, duration now)
{
    const duration age = now - n.since;
    switch (n.state) {
    case neighbour_state::permanent:
    case neighbour_state::inactive: return true;
    case neighbour_state::failed: return age < failed_time;
    case neighbour_state::reachable:
        if (age >= reachable_time) {
            n.state = neighbour_state::stale;
            n.since = now;
        }
        return true;
    case neighbour_state::stale:
        if (age < stale_time)
            return true;
        n.state = neighbour_state::probe;
        n.since = now;
        n.requests = 0;
        request(n, now);
        return true;
    case neighbour_state::incomplete:
    case neighbour_state::probe:
        if (n.requests > 0 && now - n.asked < request_interval)
            return true;
        if (n.requests >= max_requests ||
            (n.state == neighbour_state::incomplete && age >= incomplete_time))
            give_up(n);
        else
            request(n, now);
        return true;
    }
    return true;
}

void neighbour_table::tick()
{
    requests_left_ = requests_per_second;
    const duration now = host_.loop().now();
    for (auto at = table_.begin(); at != table_.end();)
        at = tick_one(at->second, now) ? std::next(at) : erase(at);
}

void neighbour_table::announce(interface_index i, net::ip4_address own)
{
    if (host_.interfaces().hot(i).admin_up.load())
        send(i, 1, net::broadcast_mac, own, own);
}

bool neighbour_table::send(interface_index i, uint16_t operation, const net::mac_address& to,
                           net::ip4_address sender, net::ip4_address target)
{
    const auto* output = host_.registry().find("interface-output");
    packet* p = output == nullptr ? nullptr : host_.make_packet();
    if (p == nullptr)
        return false;
    constexpr uint16_t bytes = sizeof(net::ethernet_header) + sizeof(net::arp_header);
    const net::mac_address mac = host_.interfaces().hot(i).mac;
    rte_pktmbuf_append(p->mbuf(), bytes);
    p->header<net::ethernet_header>(0) = {to, mac, net::ether_type::arp};
    p->header<net::arp_header>(sizeof(net::ethernet_header)) = {
        net::arp_hardware_ethernet, net::ether_type::ip4, sizeof(net::mac_address), sizeof(net::be32),
        net::be16{operation}, mac, sender.wire(),
        to == net::broadcast_mac ? net::mac_address{} : to, target.wire()};
    p->mark().interface = i;
    p->mark().flags = packet_mark::locally_made;
    if (host_.main().inject_new(output->id, p))
        return true;
    rte_pktmbuf_free(p->mbuf());
    return false;
}

result<void> neighbour_table::add_permanent(interface_index i, net::ip4_address a,
                                            const net::mac_address& mac)
{
    neighbour* n = find_or_make(i, a);
    if (n == nullptr)
        return fail(errc::exhausted, "{} neighbours exist, the most there can be", table_.size());
    n->mac = mac;
    return set_permanent(*n);
}

// In force or waiting, as its interface's networks are.
result<void> neighbour_table::set_permanent(neighbour& n)
{
    const bool near = ip4_.interface_towards(n.address) == n.interface;
    n.since = host_.loop().now();
    n.state = neighbour_state::inactive;
    if (!near) {
        ip4_.neighbour_down(n.interface, n.address);
        return {};
    }
    if (auto done = ip4_.neighbour_up(n.interface, n.address, n.mac); !done)
        return done;
    n.state = neighbour_state::permanent;
    release_waiting(n);
    return {};
}

result<void> neighbour_table::remove(interface_index i, net::ip4_address a)
{
    const auto known = table_.find({i, a});
    if (known == table_.end())
        return fail(errc::not_found, "interface {} has no neighbour {}",
                    host_.interfaces().at(i).name, net::to_string(a));
    erase(known);
    return {};
}

void neighbour_table::flush(interface_index i)
{
    for (auto at = table_.begin(); at != table_.end();)
        at = at->second.interface == i && !is_configured(at->second.state)
                 ? erase(at)
                 : std::next(at);
}

void neighbour_table::follow_networks(interface_index i)
{
    for (auto at = table_.begin(); at != table_.end();) {
        neighbour& n = at->second;
        const bool near = ip4_.interface_towards(n.address) == n.interface;
        if (n.interface == i && !near && !is_configured(n.state)) {
            at = erase(at);
            continue;
        }
        if (n.interface == i && is_configured(n.state) && near != (n.state == neighbour_state::permanent))
            if (auto done = set_permanent(n); !done)
                spdlog::warn("neighbour {}: {}", net::to_string(n.address), done.error().message);
        ++at;
    }
}

std::vector<const neighbour*> neighbour_table::all() const
{
    std::vector<const neighbour*> found;
    for (const auto& [where, n] : table_)
        found.push_back(&n);
    return found;
}

namespace {

void age_neighbours(process& self)
{
    auto& table = self.host().room<neighbour_table>();
    while (true) {
        self.sleep_for(1s);
        table.tick();
    }
}

const process_registration ageing{"neighbours", age_neighbours, 64 * 1024,
                                  process_control::restart};

result<void> make_table(engine& host)
{
    [[maybe_unused]] auto& made = host.room<neighbour_table>();
    return {};
}

const init_registration make{"neighbour-table", init_phase::early, make_table};

} // namespace

} // namespace weft::arp
