// SPDX-License-Identifier: Apache-2.0
// IPv4 in packet traces: one formatter for each thing that a node decides.
#pragma once

#include "graph/trace.hh"

#include <string>

namespace weft {
class engine;
}

namespace weft::ip4 {

// Addresses, protocol, ports, TTL, length, checksum.
[[nodiscard]] std::string trace_header(const trace_record& record);
// Of a packet at ip4-lookup: which route of which VRF and source it has, as the tables are now, and
// what its path was. Main thread.
[[nodiscard]] std::string trace_route(engine& engine, const trace_record& record);
// The header, and the adjacency that was chosen.
[[nodiscard]] std::string trace_lookup(const trace_record& record);
// The Ethernet header that was written, and the IPv4 header.
[[nodiscard]] std::string trace_rewrite(const trace_record& record);
// The ICMP message, and the IPv4 header.
[[nodiscard]] std::string trace_icmp(const trace_record& record);

} // namespace weft::ip4
