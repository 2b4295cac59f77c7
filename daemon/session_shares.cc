// SPDX-License-Identifier: Apache-2.0
// Shares out the places of sessions.
#include "daemon/session_shares.hh"

#include <algorithm>
#include <map>
#include <tuple>

namespace weft {

session_shares::admission session_shares::admit(std::span<const session_place> taken, uid_t user,
                                                bool trusted) const
{
    std::map<uid_t, size_t> count; // by user
    size_t untrusted = 0;
    for (const auto& place : taken) {
        ++count[place.user];
        untrusted += place.trusted ? 0 : 1;
    }
    const bool own_share_is_full = !trusted && count[user] >= share;
    const bool others_are_full = !trusted && untrusted + reserve >= places;
    if (!own_share_is_full && !others_are_full && taken.size() < places)
        return {true, {}};
    // the greediest user's before others', idle ones before busy ones, then the one that has been
    // so for longest
    const auto rank = [&](const session_place& place) {
        return std::tuple{!place.idle_since.has_value(), places - count[place.user],
                          place.idle_since.value_or(place.begun)};
    };
    std::optional<size_t> worst;
    for (size_t i = 0; i < taken.size(); ++i) {
        const auto& place = taken[i];
        if (own_share_is_full ? place.user != user : !trusted && place.trusted)
            continue;
        if (!trusted && !place.idle_since)
            continue;
        if (!worst || rank(place) < rank(taken[*worst]))
            worst = i;
    }
    return {worst.has_value(), worst};
}

} // namespace weft
