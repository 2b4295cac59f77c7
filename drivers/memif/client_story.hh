// SPDX-License-Identifier: Apache-2.0
// What a memif server hears of its client, message by message: each is checked, for a client may be
// anybody.
#pragma once

#include "base/foreign_fd.hh"
#include "base/result.hh"
#include "drivers/memif/link.hh"
#include "drivers/memif/options.hh"
#include "drivers/memif/protocol.hh"

#include <string>
#include <vector>

namespace weft::drivers::memif {

// What the own end is like.
struct own_end {
    const memif_options& options;
    const std::string& interface;
    uint16_t max_receive; // rings
    uint16_t max_transmit;
};

// Needs neither a socket nor a process. Main thread.
class client_story {
public:
    explicit client_story(const own_end& own) : own_{own}, link_{new link} {}

    // Takes a message that wants an ack, with its file. Errors say what is wrong with it.
    result<void> hear(const message& m, foreign_fd file);
    // All is there: both ends begin at the start of each ring. Once.
    [[nodiscard]] result<link_ptr> finish();

private:
    struct told {
        ring_header* header;
        uint8_t log2;
        unique_fd bell;
    };

    result<void> begin(const init_message& m);
    result<void> add_region(const region_message& m, const foreign_fd& file);
    result<void> add_ring(const ring_message& m, foreign_fd bell);

    const own_end& own_;
    bool begun_ = false;
    uint64_t bytes_ = 0; // of all regions
    link_ptr link_;
    std::vector<told> to_server_, to_client_;
};

} // namespace weft::drivers::memif
