// SPDX-License-Identifier: Apache-2.0
// The socket between a memif's two ends: its address, and messages with files.
#pragma once

#include "base/foreign_fd.hh"
#include "base/result.hh"
#include "drivers/memif/options.hh"
#include "drivers/memif/protocol.hh"
#include "graph/process/process.hh"

#include <string>
#include <string_view>
#include <sys/un.h>
#include <utility>

namespace weft::drivers::memif {

// With its length, which tells an abstract name's end.
[[nodiscard]] std::pair<sockaddr_un, socklen_t> address_of(const memif_options& options) noexcept;
[[nodiscard]] unique_fd
make_socket() noexcept; // does not block, and takes no files where the kernel can refuse them

// What a peer calls itself, fit to stand in a message.
[[nodiscard]] std::string text_of(const char* characters, size_t most);
// Fills a message's text; the rest of it is zero.
void put_text(char* to, size_t most, std::string_view text) noexcept;

// A connection, in the process that holds it. A peer has two seconds for each message, and ten
// until the link stands.
class channel {
public:
    channel(process& self, foreign_fd socket);

    result<void> send(const message& what, int file = -1);
    // Whether this peer may be at the other end.
    [[nodiscard]] result<void> check(const socket_access& access) const;
    // Files may come with messages from now on, or may not. Where the kernel cannot refuse them
    // they come nevertheless.
    void take_files(bool wanted) noexcept;
    // The next message, of the wanted type; its file, if just one came with it, goes into `file`.
    [[nodiscard]] result<message> receive(foreign_fd* file = nullptr);
    [[nodiscard]] result<message> receive(message_type wanted);
    // Sends, and waits for the answer.
    [[nodiscard]] result<message> ask(const message& what, int file, message_type answer);
    // Tells the peer that this is the end, and why.
    void refuse(const std::string& why) noexcept;
    // Waits for the end of a connection that stands; why it ended, in words.
    [[nodiscard]] std::string wait_for_end();

private:
    [[nodiscard]] duration time_left() const noexcept; // for one message
    [[nodiscard]] result<message> read(foreign_fd* file);

    process& self_;
    const duration deadline_;
    foreign_fd socket_;
};

} // namespace weft::drivers::memif
