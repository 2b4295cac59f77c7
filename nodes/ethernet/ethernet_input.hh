// SPDX-License-Identifier: Apache-2.0
// What the variants of ethernet-input share.
#pragma once

#include "base/net/headers.hh"
#include "graph/dispatch_table.hh"
#include "graph/engine.hh"
#include "graph/node_run.hh"
#include "nodes/ethernet/vlans.hh"
#include "nodes/interface/interface.hh"

namespace weft::ethernet {

inline constexpr std::string_view ethertype_table = "ethertype";

namespace input {
enum reasons : uint16_t {
    too_short,
    interface_down,
    not_for_us,
    unknown_ethertype,
    unknown_vlan,
    ip4_off,
};

struct context {
    explicit context(const node_setup& setup)
        : interfaces{interfaces_of(setup.engine)},
          tags{setup.engine.module<vlans>()},
          types{setup.engine.module<dispatch_tables>().lookup(ethertype_table)},
          thread{setup.thread}
    {}
    interface_table& interfaces;
    const vlans& tags;
    const dispatch_lookup types; // where frames go by their EtherType
    unsigned thread;
};

// One packet's verdict.
[[nodiscard]] verdict decide(context& ctx, packet& p) noexcept;
} // namespace input

} // namespace weft::ethernet
