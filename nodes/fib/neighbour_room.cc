// SPDX-License-Identifier: Apache-2.0
// Who gives way where the neighbour table or its waiting packets have reached a bound.
#include "nodes/fib/neighbours.hh"
#include "nodes/interface/interface.hh"

namespace weft::fib {

namespace {

constexpr size_t looks =
    16; // at a list's oldest, for each that is to come: what a flood costs stays bounded

} // namespace

size_t neighbour_table::segment::unanswered() const noexcept
{
    size_t sum = 0;
    for (auto s : {standing::failed, standing::asked, standing::unasked})
        sum += by_standing[static_cast<size_t>(s)].size();
    return sum;
}

neighbour_table::usage neighbour_table::used_by(interface_index i) const
{
    const auto& s = segments_[i];
    return {room_.used(i), s ? s->unanswered() : 0, waiting_.used(i)};
}

// A next hop of a route, or one to which packets were forwarded lately.
bool neighbour_table::in_use(const neighbour& n) const
{
    if (routes_of(n).is_next_hop(n.interface, n.address))
        return true;
    return n.place >= standing::heard &&
           (!n.watched || routes_of(n).neighbour_used(n.interface, n.address));
}

// Packets cost a little more while it is noticed whether there are any: until the first, and in a
// crowd again after a while.
void neighbour_table::watch(neighbour& n, bool on)
{
    n.watched = on;
    routes_of(n).watch_neighbour(n.interface, n.address, on);
}

void neighbour_table::follow_use(neighbour& n, duration now)
{
    if (n.watched && routes_of(n).neighbour_used(n.interface, n.address)) {
        n.used_until = now + use_time;
        watch(n, false);
    } else if (!n.watched && now >= n.used_until && room_.total() >= crowded && watches_left_ > 0) {
        --watches_left_;
        watch(n, true);
    }
}

// The one that gives way first, of those that stand no better than `last`; null if all are needed.
neighbour* neighbour_table::min_needed(segment& s, standing last)
{
    const duration now = engine_.loop().now();
    for (auto where = standing::failed; where <= last;
         where = static_cast<standing>(static_cast<int>(where) + 1)) {
        auto& list = s.in(where);
        for (size_t look = std::min(looks, list.size()); look > 0; --look) {
            neighbour& n = *list.front();
            const bool young = last == standing::known && n.state == neighbour_state::incomplete &&
                               now - n.since < of(n).timers.request_interval; // it may still answer
            if (young)
                break;
            if (!in_use(n))
                return &n;
            list.splice(list.end(), list, list.begin()); // the next look is at another one
        }
    }
    return nullptr;
}

// Room for one more of an interface: the unanswered make it among themselves, others where most
// are.
bool neighbour_table::make_room(interface_index i, bool unanswered)
{
    segment& own = segment_of(i);
    if (unanswered && own.unanswered() >= max_unanswered) {
        neighbour* oldest = min_needed(own, standing::unasked);
        if (oldest == nullptr)
            return false;
        erase(*oldest);
    }
    if (room_.room_for(i, interfaces_of(engine_).all()))
        return true;
    const interface_index most = room_.largest(i);
    neighbour* n = min_needed(segment_of(most), standing::known);
    if (n == nullptr && most != i)
        n = min_needed(own, standing::known);
    if (n == nullptr)
        return false;
    erase(*n);
    return true;
}

// Room for one more waiting packet: that one goes which has waited longest where most wait.
bool neighbour_table::make_waiting_room(interface_index i)
{
    const auto& interfaces = interfaces_of(engine_).all();
    if (waiting_.room_for(i, interfaces))
        return true;
    size_t left = looks;
    for (neighbour* n : segment_of(waiting_.largest(i)).in(standing::asked)) {
        if (!n->waiting.empty()) {
            drop_waiting(*n, &neighbour_nodes::queue_full, n->waiting.front());
            n->waiting.erase(n->waiting.begin());
            waiting_.give_back(n->interface);
            return waiting_.room_for(i, interfaces);
        }
        if (--left == 0)
            break;
    }
    return false;
}

} // namespace weft::fib
