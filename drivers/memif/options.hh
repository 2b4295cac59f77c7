// SPDX-License-Identifier: Apache-2.0
// What a memif is asked for by its device arguments, which have the names of DPDK's, and some more.
#pragma once

#include "base/net/address.hh"
#include "base/result.hh"
#include "drivers/memif/link.hh"

#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <unistd.h>

namespace weft::drivers::memif {

// Who may connect to a server's socket, and be the server of a client's: as a file's owner, group
// and mode say who writes to it.
struct socket_access {
    uid_t owner = geteuid();
    gid_t group = getegid();
    mode_t mode = 0660;
};

struct memif_options {
    role end = role::client;
    uint32_t id = 0;
    std::string socket = "/run/memif.sock";
    bool abstract =
        false; // the socket's name stands in the kernel's own name space, not in the file system
    socket_access access;
    uint8_t log2 = 10;                         // of a client's rings
    uint32_t buffer_bytes = 2048;              // of a client's buffers
    uint64_t max_region = uint64_t{256} << 20; // bytes of a client's memory that a server maps
    std::string secret;
    std::optional<net::mac_address> mac;
};

// net_memif, net_memif0, ...
[[nodiscard]] bool is_memif(std::string_view device) noexcept;
// The same text with its secret left out, to be shown.
[[nodiscard]] std::string without_secret(std::string_view device);
// `net_memif0,role=server,socket=/run/a.sock,socket-abstract=no,...'. Errors name the argument and
// what is expected.
[[nodiscard]] result<memif_options> parse_options(std::string_view device);

} // namespace weft::drivers::memif
