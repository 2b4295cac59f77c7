// SPDX-License-Identifier: Apache-2.0
// What a client of the control socket sends: cut into the same lines whatever the pieces it comes
// in, and answered in whole frames.
//
// Input: one byte, the size of the pieces; what is sent.
#include "daemon/control_session.hh"
#include "fuzz/commands.hh"
#include "fuzz/input.hh"
#include "tests/nodes/node_tester.hh"

#include <charconv>
#include <cstring>
#include <string>
#include <sys/socket.h>
#include <vector>

using namespace weft;
using namespace weft::fuzz;

namespace {

std::vector<std::string> lines_of(std::string_view text, size_t piece)
{
    std::vector<std::string> found;
    request_lines cut;
    while (true) {
        while (const auto line = cut.next())
            found.push_back(line->too_long ? "too long" : line->text);
        if (text.empty())
            return found;
        const auto space = cut.space();
        REQUIRE(!space.empty());
        const size_t taken = std::min({piece, text.size(), space.size()});
        std::memcpy(space.data(), text.data(), taken);
        cut.added(taken);
        text.remove_prefix(taken);
    }
}

// `ok LENGTH` or `error LENGTH`, and so many bytes, over and over.
void check_answers(std::string_view all)
{
    while (!all.empty()) {
        const size_t end = all.find('\n');
        REQUIRE(end != std::string_view::npos);
        auto head = all.substr(0, end);
        REQUIRE((head.starts_with("ok ") || head.starts_with("error ")));
        head.remove_prefix(head.find(' ') + 1);
        size_t length = 0;
        const auto parsed = std::from_chars(head.data(), head.data() + head.size(), length);
        REQUIRE((parsed.ec == std::errc{} && parsed.ptr == head.data() + head.size()));
        all.remove_prefix(end + 1);
        REQUIRE(length <= all.size());
        all.remove_prefix(length);
    }
}

// All that a session answers to it.
void talk(test::node_tester& router, std::string_view text)
{
    int ends[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    const unique_fd mine{ends[0]};
    answer_memory memory{SIZE_MAX};
    control_session session{foreign_fd{ends[1]}, safe_commands(), 10s, memory};
    const auto started = router.engine.loop().start(
        "session", [&](process& self) { session.serve(self, router.engine); }, 256 << 10);
    REQUIRE(started);
    REQUIRE(send(mine.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(text.size()));
    shutdown(mine.get(), SHUT_WR);
    std::string answers;
    for (unsigned quiet = 0; quiet < 20;) {
        router.run();
        router.engine.loop().wait(duration::zero());
        char part[4096];
        const ssize_t got = recv(mine.get(), part, sizeof part, 0);
        if (got > 0)
            answers.append(part, static_cast<size_t>(got));
        if (got == 0)
            break;
        quiet = got > 0 ? 0 : quiet + 1;
    }
    static_cast<void>(router.engine.loop().stop(*started));
    check_answers(answers);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    static auto& router = *new test::node_tester;
    input in{data, size};
    const size_t piece = 1 + in.u8();
    const auto text = text_of(in.rest());
    REQUIRE(lines_of(text, piece) == lines_of(text, text.size() + 1));
    talk(router, text);
    return 0;
}
