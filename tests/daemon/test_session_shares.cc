// SPDX-License-Identifier: Apache-2.0
// Who gets a session where there are not enough: the reserve, the share of a user, and who gives
// way.
#include "daemon/session_shares.hh"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace weft;

namespace {

constexpr uid_t root_user = 0;

// Sessions that are taken one after the other, a second between them; `user` below 1000 are
// trusted.
class seats {
public:
    void take(uid_t user, size_t count, bool busy = false)
    {
        for (size_t i = 0; i < count; ++i, now_ += 1s)
            places_.push_back(
                {user, trusted(user), busy ? std::nullopt : std::optional{now_}, now_});
    }
    // "in", "in for user 1000's 3" (its third), or "out".
    [[nodiscard]] std::string ask(uid_t user) const
    {
        const auto verdict = session_shares{}.admit(places_, user, trusted(user));
        if (!verdict.admitted)
            return "out";
        if (!verdict.ends)
            return "in";
        const auto victim = places_[*verdict.ends].user;
        const auto before =
            std::count_if(places_.begin(), places_.begin() + static_cast<long>(*verdict.ends),
                          [&](const auto& place) { return place.user == victim; });
        return "in for user " + std::to_string(victim) + "'s " + std::to_string(before + 1);
    }

private:
    static bool trusted(uid_t user) { return user < 1000; }
    std::vector<session_place> places_;
    duration now_ = 1000s;
};

} // namespace

TEST_CASE("while there is room everybody gets a session", "[daemon]")
{
    seats t;
    t.take(1000, 63);
    t.take(1001, 48);
    CHECK(t.ask(1000) == "in");
    CHECK(t.ask(1001) == "in");
    CHECK(t.ask(root_user) == "in");
}

TEST_CASE("nobody but root has more sessions than a share", "[daemon]")
{
    seats t;
    t.take(1001, 2);
    t.take(1000, 64);
    CHECK(t.ask(1000) == "in for user 1000's 1");
    CHECK(t.ask(1001) == "in");
    seats alone;
    alone.take(root_user, 127);
    CHECK(alone.ask(root_user) == "in");
}

TEST_CASE("a reserve of sessions is root's", "[daemon]")
{
    seats t;
    t.take(1000, 60);
    t.take(1001, 52);
    CHECK(t.ask(1002) == "in for user 1000's 1");
    CHECK(t.ask(root_user) == "in");
    t.take(root_user, 16);
    CHECK(t.ask(root_user) == "in for user 1000's 1");
    CHECK(t.ask(1002) == "in for user 1000's 1"); // never root's
}

TEST_CASE("only idle sessions give way, except to root", "[daemon]")
{
    seats t;
    t.take(1000, 60, true);
    t.take(1001, 51, true);
    t.take(1001, 1);
    CHECK(t.ask(1002) == "in for user 1001's 52");
    t.take(root_user, 16);
    CHECK(t.ask(root_user) == "in for user 1001's 52");
    seats busy;
    busy.take(1000, 60, true);
    busy.take(1001, 52, true);
    CHECK(busy.ask(1002) == "out");
    busy.take(root_user, 16, true);
    CHECK(busy.ask(root_user) == "in for user 1000's 1");
    seats mine;
    mine.take(root_user, 128, true);
    CHECK(mine.ask(root_user) == "in for user 0's 1");
}
