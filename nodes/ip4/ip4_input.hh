// SPDX-License-Identifier: Apache-2.0
// What the variants of ip4-input share.
#pragma once

#include "graph/node_run.hh"
#include "nodes/ip4/ip4.hh"

namespace weft::ip4 {

namespace input {
enum next : next_index { to_lookup, to_icmp_error, to_options };
enum reasons : uint16_t {
    too_short,
    bad_version,
    bad_header_length,
    bad_total_length,
    bad_checksum,
    ttl_expired,
    martian_source,
    own_source,
    link_broadcast,
    tcp_fragment,
};

struct context {
    explicit context(const node_setup& setup) : ip4{setup.engine.module<tables>()} {}
    const tables& ip4;
};

// One packet's verdict.
[[nodiscard]] verdict decide(node_run& run, const tables& ip4, packet& p) noexcept;
} // namespace input

} // namespace weft::ip4
