// SPDX-License-Identifier: Apache-2.0
// Who gets a place among the sessions of the control socket where there are not enough for all.
#pragma once

#include "base/clock.hh"

#include <cstddef>
#include <optional>
#include <span>
#include <sys/types.h>

namespace weft {

// A place that is taken.
struct session_place {
    uid_t user = 0;
    bool trusted = false;               // root, or the daemon's own user
    std::optional<duration> idle_since; // none while a command runs or its answer is written
    duration begun{};
};

// How the places are shared out. Pure, so that the rules can be tested by themselves.
struct session_shares {
    size_t places = 128;
    size_t reserve = 16; // only for the trusted
    size_t share = 64;   // of one user who is not

    struct admission {
        bool admitted = false;
        std::optional<size_t> ends; // the place that is emptied for it
    };

    // Whether one more session of `user` gets a place. Where none is free, it takes that of the
    // longest idle session of the user who has the most; somebody beyond the own share takes it
    // from the own ones. A trusted user always gets one, from a busy session if none is idle;
    // others get none then.
    [[nodiscard]] admission admit(std::span<const session_place> taken, uid_t user,
                                  bool trusted) const;
};

} // namespace weft
