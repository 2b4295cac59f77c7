// SPDX-License-Identifier: Apache-2.0
// How a memif's two ends agree on a link.
#pragma once

#include "drivers/memif/channel.hh"
#include "drivers/memif/link.hh"
#include "drivers/memif/options.hh"

#include <memory>
#include <string>

namespace weft::drivers::memif {

// What the own end is like.
struct own_end {
    const memif_options& options;
    const std::string& interface;
    uint16_t most_receive;  // rings
    uint16_t most_transmit;
};

// A link with a client that has just connected, or an error that says what was wrong with it; it was told.
[[nodiscard]] result<std::unique_ptr<link>> greet_client(channel& client, const own_end& own);
// A link with a server that was just connected to. DPDK's says only when it is given a ring that it takes no more: then
// `own` is brought down to as many as it took, for the next attempt.
[[nodiscard]] result<std::unique_ptr<link>> greet_server(channel& server, own_end& own);

} // namespace weft::drivers::memif
