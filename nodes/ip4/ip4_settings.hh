// SPDX-License-Identifier: Apache-2.0
// What the configuration decides of how IPv4's nodes work.
#pragma once

#include <atomic>
#include <cstdint>

namespace weft {
class engine;
class interface_table;
namespace config {
class value;
}
} // namespace weft

namespace weft::ip4 {

// A module of the engine. The main thread writes before the workers run; any thread reads.
struct settings {
    explicit settings(engine&) {}

    // Whether the next router of a source route that leads by here is obeyed (RFC 791: loose and
    // strict source routing).
    std::atomic<bool> source_routes{false};
    // Whose address an ICMP error has: that of the interface by which the packet in question came,
    // or (RFC 1812 section 4.3.2.4) of the one by which the message leaves.
    std::atomic<bool> icmp_from_rx{false};
    // What makes this router's choice among equal paths its own; all 64 bits matter.
    std::atomic<uint64_t> flow_seed{0x6a09'e667'f3bc'c908};
};

// As a configuration says, which has been checked; the ports are there. Returns the number that the
// seed is of. Main thread.
uint64_t configure(settings& to, const config::value& root, const interface_table& interfaces);

} // namespace weft::ip4
