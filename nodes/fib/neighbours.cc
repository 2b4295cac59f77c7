// SPDX-License-Identifier: Apache-2.0
// The neighbour table: its states, requests and ageing.
#include "nodes/fib/neighbours.hh"

#include "graph/init.hh"
#include "nodes/interface/interface.hh"
#include "nodes/interface/link.hh"

#include <spdlog/spdlog.h>

namespace weft::fib {

std::string_view to_string(neighbour_state state) noexcept
{
    switch (state) {
    case neighbour_state::incomplete:
        return "incomplete";
    case neighbour_state::reachable:
        return "reachable";
    case neighbour_state::stale:
        return "stale";
    case neighbour_state::probe:
        return "probe";
    case neighbour_state::failed:
        return "failed";
    case neighbour_state::permanent:
        return "permanent";
    case neighbour_state::inactive:
        return "inactive";
    }
    return "?";
}

namespace {

bool is_configured(const neighbour& n) noexcept
{
    return n.place == standing::configured;
}

uint64_t ticks(duration now) noexcept
{
    return static_cast<uint64_t>(now.count());
}

} // namespace

neighbour_table::neighbour_table(engine& engine) : engine_{engine}
{
    interfaces_of(engine).observe([this](const interface& i) {
        if (!is_up(interfaces_of(engine_), i.index))
            flush(i.index);
    });
    interfaces_of(engine).observe_removal(
        [this](const interface& i) { forget_interface(i.index); });
    // and what packets that were under way have brought since
    interfaces_of(engine).observe_release([this](interface_index i) { forget_interface(i); });
}

void neighbour_table::serve(net::family family, neighbour_protocol& protocol,
                            neighbour_routes& routes)
{
    family_[static_cast<size_t>(family)] = {&protocol, &routes, protocol.timers()};
}

// Nothing is kept that has the number of an interface that is being deleted.
void neighbour_table::forget_interface(interface_index i)
{
    for (auto at = table_.lower_bound({i, net::ip_address::lowest()});
         at != table_.end() && at->first.first == i;)
        erase((at++)->second);
    for (auto at = waiting_.total() > 0 ? table_.begin() : table_.end(); at != table_.end(); ++at)
        std::erase_if(at->second.waiting, [&, &its = at->second](packet* p) {
            if (p->metadata().interface != i)
                return false;
            drop_waiting(its, &neighbour_nodes::forgotten, p);
            waiting_.give_back(its.interface);
            return true;
        });
    segments_[i].reset();
}

neighbour_table::~neighbour_table()
{
    for (auto& [where, n] : table_)
        for (packet* p : n.waiting)
            engine_.main().free_kept(p);
}

neighbour_table::segment& neighbour_table::segment_of(interface_index i)
{
    if (!segments_[i])
        segments_[i] = std::make_unique<segment>();
    return *segments_[i];
}

// Puts a neighbour behind all others of a standing.
void neighbour_table::place(neighbour& n, standing where)
{
    segment& s = segment_of(n.interface);
    if (n.place != standing::configured && where != standing::configured)
        s.in(where).splice(s.in(where).end(), s.in(n.place), n.at);
    else if (where != standing::configured)
        n.at = s.in(where).insert(s.in(where).end(), &n);
    else if (n.place != standing::configured)
        s.in(n.place).erase(n.at);
    n.place = where;
}

void neighbour_table::set_state(neighbour& n, neighbour_state to)
{
    n.state = to;
    n.since = engine_.loop().now();
    n.requests = 0;
}

neighbour* neighbour_table::find_or_make(interface_index i, const net::ip_address& a,
                                         standing where)
{
    if (const auto known = table_.find({i, a}); known != table_.end())
        return &known->second;
    if (!make_room(i, where == standing::unasked))
        return nullptr;
    room_.take(i);
    neighbour& n = table_[{i, a}];
    n.interface = i;
    n.address = a;
    n.place = standing::configured; // in no list yet
    set_state(n, neighbour_state::incomplete);
    place(n, where);
    return &n;
}

void neighbour_table::erase(neighbour& n)
{
    routes_of(n).neighbour_down(n.interface, n.address);
    for (packet* p : n.waiting)
        drop_waiting(n, &neighbour_nodes::forgotten, p);
    waiting_.give_back(n.interface, n.waiting.size());
    room_.give_back(n.interface);
    place(n, standing::configured); // in no list any more
    table_.erase({n.interface, net::ip_address{n.address}});
}

neighbour_table::outcome neighbour_table::hold(packet* p, const net::ip_address& next_hop,
                                               interface_index interface)
{
    neighbour* n = find_or_make(interface, next_hop, standing::unasked);
    if (n == nullptr)
        return outcome::table_full;
    if (n->state == neighbour_state::failed || n->state == neighbour_state::inactive)
        return outcome::unreachable;
    // It comes back although its neighbour is known: round and round it would hold up the thread.
    if (n->state != neighbour_state::incomplete &&
        (p->metadata().flags & packet_metadata::resolved) != 0)
        return outcome::unreachable;
    // Who was resolved while the packet was on its way here needs no room.
    const bool known = n->state != neighbour_state::incomplete;
    const bool room =
        known || (n->waiting.size() < max_waiting_each && make_waiting_room(interface));
    if (room) {
        n->waiting.push_back(p);
        waiting_.take(interface);
    }
    if (known)
        release_waiting(*n);
    else if (n->place == standing::unasked)
        while (ask_first(segment_of(interface), engine_.loop().now())) {
        }
    return room ? outcome::held : outcome::queue_full;
}

void neighbour_table::drop_waiting(const neighbour& n, uint16_t neighbour_nodes::*reason, packet* p)
{
    const neighbour_nodes nodes = of(n).protocol->nodes();
    const auto* glean = engine_.registry().find(nodes.glean);
    engine_.main().drop_kept(make_reason_id(glean->id, nodes.*reason), p);
}

void neighbour_table::send_waiting(neighbour& n, std::string_view node, uint8_t flag)
{
    const auto* to = engine_.registry().find(node);
    for (packet* p : n.waiting) {
        p->metadata().flags |= flag;
        if (to == nullptr || !engine_.main().inject_kept(to->id, p))
            engine_.main().free_kept(p);
    }
    waiting_.give_back(n.interface, n.waiting.size());
    n.waiting.clear();
}

// Waiting packets take the way through lookup again, which now finds the neighbour.
void neighbour_table::release_waiting(neighbour& n)
{
    send_waiting(n, of(n).protocol->nodes().lookup, packet_metadata::resolved);
}

// Packets that waited in vain go to the glean node again, which counts them and tells their senders
// (RFC 1812 section 5.2.7.1); aimed, as they were when they came here.
void neighbour_table::give_up(neighbour& n)
{
    routes_of(n).neighbour_down(n.interface, n.address);
    set_state(n, neighbour_state::failed);
    place(n, standing::failed);
    send_waiting(n, of(n).protocol->nodes().glean, packet_metadata::aimed);
}

void neighbour_table::confirm(neighbour& n, const net::mac_address& mac, bool answer)
{
    const bool moved = n.mac != mac;
    const bool known = n.state == neighbour_state::reachable || n.state == neighbour_state::stale ||
                       n.state == neighbour_state::probe;
    if (moved || !known) {
        n.mac = mac;
        if (auto done = routes_of(n).neighbour_up(n.interface, n.address, mac); !done) {
            spdlog::warn("neighbour {}: {}", net::to_string(n.address), done.error().message);
            if (n.place == standing::heard && n.state == neighbour_state::incomplete)
                erase(n); // made for this
            return;
        }
    }
    if (answer || moved || !known) {
        set_state(n, answer ? neighbour_state::reachable : neighbour_state::stale);
        place(n, answer ? standing::known : standing::heard);
    }
    if (!known)
        watch(n, true);
    release_waiting(n);
}

bool neighbour_table::learn(interface_index i, const net::ip_address& a,
                            const net::mac_address& mac, bool answer, bool create)
{
    const auto known = table_.find({i, a});
    if (known == table_.end() && !create)
        return true;
    neighbour* n = find_or_make(i, a, standing::heard);
    if (n == nullptr)
        return false;
    if (!is_configured(*n))
        confirm(*n, mac, answer);
    return true;
}

// Asks for the one that has waited for it longest; false if there is none, or none can be asked
// now.
bool neighbour_table::ask_first(segment& s, duration now)
{
    if (s.in(standing::unasked).empty() || s.first.take(ticks(now), 1) == 0)
        return false;
    neighbour& n = *s.in(standing::unasked).front();
    if (!request(n, now))
        return false;
    place(n, standing::asked);
    return true;
}

void neighbour_table::ask_again(neighbour& n, token_bucket& budget, duration now)
{
    if (budget.take(ticks(now), 1) > 0)
        request(n, now); // else a later tick asks
}

bool neighbour_table::request(neighbour& n, duration now)
{
    // A neighbour that is being confirmed is asked directly.
    const bool direct = n.state == neighbour_state::probe;
    if (!of(n).protocol->solicit(n.interface, n.address, direct ? &n.mac : nullptr))
        return false;
    asked_.note(n.interface, n.address);
    ++n.requests;
    n.asked = now;
    return true;
}

// What time does to one neighbour. Who was never asked has not failed.
void neighbour_table::tick_one(neighbour& n, duration now)
{
    const duration age = now - n.since;
    segment& s = segment_of(n.interface);
    const neighbour_timers& times = of(n).timers;
    if (n.place >= standing::heard)
        follow_use(n, now);
    if (n.state == neighbour_state::reachable && age >= times.reachable)
        set_state(n, neighbour_state::stale);
    else if (n.state == neighbour_state::stale && age >= times.stale)
        set_state(n, neighbour_state::probe);
    if (n.place == standing::failed ? age >= times.failed
                                    : n.place == standing::unasked && age >= times.incomplete) {
        erase(n);
        return;
    }
    const bool probing = n.state == neighbour_state::probe;
    if ((n.place != standing::asked && !probing) ||
        (n.requests > 0 && now - n.asked < times.request_interval))
        return;
    if (n.requests >= times.max_requests || (!probing && age >= times.incomplete))
        give_up(n);
    else
        ask_again(n, probing ? s.probing : s.more, now);
}

void neighbour_table::tick()
{
    const duration now = engine_.loop().now();
    asked_.advance();
    watches_left_ = watches_per_second;
    for (const auto& s : segments_) {
        if (!s)
            continue;
        // the oldest of each standing first; some move behind the last, or to a list that is done
        for (auto where : {standing::failed, standing::unasked, standing::asked, standing::heard,
                           standing::known}) {
            auto at = s->in(where).begin();
            for (size_t left = s->in(where).size(); left > 0; --left)
                tick_one(**at++, now);
        }
        while (ask_first(*s, now)) {
        }
    }
}

result<void> neighbour_table::add_permanent(interface_index i, const net::ip_address& a,
                                            const net::mac_address& mac)
{
    neighbour* n = find_or_make(i, a, standing::configured);
    if (n == nullptr)
        return fail(errc::exhausted, "{} neighbours exist, which is the maximum", table_.size());
    place(*n, standing::configured);
    n->mac = mac;
    return set_permanent(*n);
}

// In force or waiting, as its interface's networks are.
result<void> neighbour_table::set_permanent(neighbour& n)
{
    const bool near = routes_of(n).is_near(n.interface, n.address);
    set_state(n, neighbour_state::inactive);
    if (!near) {
        routes_of(n).neighbour_down(n.interface, n.address);
        return {};
    }
    if (auto done = routes_of(n).neighbour_up(n.interface, n.address, n.mac); !done)
        return done;
    watch(n, false);
    n.state = neighbour_state::permanent;
    release_waiting(n);
    return {};
}

result<void> neighbour_table::remove(interface_index i, const net::ip_address& a)
{
    const auto known = table_.find({i, a});
    if (known == table_.end())
        return fail(errc::not_found, "interface {} has no neighbour {}",
                    interfaces_of(engine_).at(i).name, net::to_string(a));
    erase(known->second);
    return {};
}

void neighbour_table::flush(interface_index i)
{
    for (auto at = table_.lower_bound({i, net::ip_address::lowest()});
         at != table_.end() && at->first.first == i;) {
        neighbour& n = (at++)->second;
        if (!is_configured(n))
            erase(n);
    }
}

void neighbour_table::follow_networks(interface_index i)
{
    for (auto at = table_.lower_bound({i, net::ip_address::lowest()});
         at != table_.end() && at->first.first == i;) {
        neighbour& n = (at++)->second;
        const bool near = routes_of(n).is_near(i, n.address);
        if (!is_configured(n) && !near)
            erase(n);
        else if (is_configured(n) && near != (n.state == neighbour_state::permanent))
            if (auto done = set_permanent(n); !done)
                spdlog::warn("neighbour {}: {}", net::to_string(n.address), done.error().message);
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
    auto& table = self.engine().module<neighbour_table>();
    while (true) {
        self.sleep_for(1s);
        table.tick();
    }
}

const process_registration ageing{"neighbours", age_neighbours, 64 * 1024,
                                  process_control::restart};

result<void> make_table(engine& engine)
{
    [[maybe_unused]] auto& made = engine.module<neighbour_table>();
    return {};
}

const init_registration make{"neighbour-table", init_phase::early, make_table};

} // namespace

} // namespace weft::fib
