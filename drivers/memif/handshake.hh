// SPDX-License-Identifier: Apache-2.0
// How a memif's two ends agree on a link.
#pragma once

#include "drivers/memif/channel.hh"
#include "drivers/memif/client_story.hh"
#include "drivers/memif/link.hh"

namespace weft::drivers::memif {

// A link with a client that has just connected, or an error that says what was wrong with it; it
// was told.
[[nodiscard]] result<link_ptr> greet_client(channel& client, const own_end& own);
// A link with a server that was just connected to. DPDK's says only when it is given a ring that it
// takes no more: then `own` is brought down to as many as it took, for the next attempt.
[[nodiscard]] result<link_ptr> greet_server(channel& server, own_end& own);

} // namespace weft::drivers::memif
