// SPDX-License-Identifier: Apache-2.0
// dscp-marker: gives packets another DSCP (RFC 2474), as a feature on the arc ip4-unicast in front
// of dscp-counter, which counts what was written.
#include "base/net/checksum.hh"
#include "base/net/headers.hh"
#include "control/config/config.hh"
#include "graph/engine.hh"
#include "graph/feature_arc.hh"
#include "graph/node_run.hh"
#include "graph/plugin.hh"

#include <atomic>

WEFT_PLUGIN("dscp-marker", "1.0.0", "Writes a DSCP into IPv4 packets");

namespace dscp_marker {

namespace {

using namespace weft;

enum next : next_index { to_lookup };

// The plugin's module: what is written. The main thread sets it, any thread reads it.
struct settings {
    explicit settings(engine&) {}
    std::atomic<uint8_t> dscp{46}; // EF (RFC 3246)
};

struct context {
    explicit context(const node_setup& setup)
        : how{setup.engine.module<settings>()},
          onward{setup.engine.module<feature_arcs>().next_of(setup.id)}
    {}
    const settings& how;
    feature_next onward;
};

void dscp_marker(node_run& run, frame& in) noexcept
{
    const auto& mine = run.context<context>();
    const auto dscp = static_cast<uint8_t>(mine.how.dscp.load(std::memory_order_relaxed) << 2);
    run.each(in, [&](packet& p) noexcept -> verdict {
        auto& header = p.network<net::ip4_header>();
        const auto tos = static_cast<uint8_t>(dscp | (header.tos & 3)); // ECN stays (RFC 3168)
        // RFC 1624, equation 3: the word is version, header length and TOS.
        const uint32_t sum =
            (~header.checksum.host() & 0xffffu) + (~uint32_t{header.tos} & 0xffffu) + tos;
        const uint32_t once = (sum & 0xffff) + (sum >> 16);
        header.checksum = net::be16{static_cast<uint16_t>(~(once + (once >> 16)))};
        header.tos = tos;
        return mine.onward.of(p);
    });
}

const node_registration registration{{
    .name = "dscp-marker",
    .function = dscp_marker,
    .nexts = {{to_lookup, "ip4-lookup"}},
    .context = context_of<context>(),
    .joined_later = true,
}};

const feature_registration feature{"dscp-marker", "ip4-unicast", {}, {"dscp-counter"}};

result<void> apply(const config::value& root, engine& engine)
{
    if (const auto* own = root.find("dscp-marker"))
        engine.module<settings>().dscp.store(static_cast<uint8_t>(own->get("dscp", uint64_t{46})));
    return {};
}

const config::registration section{{
    .name = "dscp-marker",
    .keys = {{"dscp-marker", config::mapping(), "Writes a DSCP into IPv4 packets."},
             {"dscp-marker.dscp", config::number(0, 63), "The DSCP to write (default 46, EF)."}},
    .apply = apply,
    .after = {"interfaces"},
}};

} // namespace

} // namespace dscp_marker
