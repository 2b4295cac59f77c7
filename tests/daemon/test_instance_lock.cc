// SPDX-License-Identifier: Apache-2.0
// One daemon for each control socket, and claims that end with their process.
#include "daemon/instance_lock.hh"
#include "drivers/dpdk/claims.hh"
#include "tests/base/temporary_directory.hh"

#include <catch2/catch.hpp>

#include <csignal>
#include <functional>
#include <sys/wait.h>
#include <unistd.h>

using namespace weft;

namespace {

// A process that does `work` and then holds what it has until it is killed.
class holder {
public:
    explicit holder(const std::function<bool()>& work)
    {
        int ends[2];
        REQUIRE(pipe(ends) == 0);
        child_ = fork();
        if (child_ == 0) {
            const char done = work() ? '+' : '-';
            if (write(ends[1], &done, 1) == 1)
                pause();
            _exit(0);
        }
        close(ends[1]);
        char done = 0;
        REQUIRE(read(ends[0], &done, 1) == 1);
        close(ends[0]);
        CHECK(done == '+');
    }
    ~holder() { end(); }
    void end()
    {
        if (child_ <= 0)
            return;
        kill(child_, SIGKILL);
        waitpid(child_, nullptr, 0);
        child_ = 0;
    }
    [[nodiscard]] pid_t process() const { return child_; }

private:
    pid_t child_ = 0;
};

} // namespace

TEST_CASE("a control socket has one daemon, and one that was killed leaves no lock", "[claims]")
{
    const temporary_directory directory;
    const std::filesystem::path socket = directory.file("made/cli.sock");
    holder other{[&] {
        static auto held = instance_lock::take(socket);
        return held.has_value();
    }};
    const auto refused = instance_lock::take(socket);
    REQUIRE(!refused.has_value());
    CHECK(refused.error().code == errc::exists);
    CHECK(refused.error().message ==
          fmt::format("another daemon (process {}) holds {}", other.process(), socket.native()));
    other.end();
    {
        const auto taken = instance_lock::take(socket);
        CHECK(taken.has_value());
        CHECK(std::filesystem::exists(socket.native() + ".lock"));
    }
    CHECK_FALSE(std::filesystem::exists(socket.native() + ".lock"));
}

TEST_CASE("a device is claimed by one process, and free when that is killed", "[claims]")
{
    const std::string device = fmt::format("net_tap0,iface=claim-{}", getpid());
    drivers::device_claims own;
    holder other{[&] {
        static drivers::device_claims held;
        return held.claim(device).has_value();
    }};
    const auto refused = own.claim(device);
    REQUIRE(!refused.has_value());
    CHECK(refused.error().message ==
          fmt::format("TAP `claim-{}' is in use by another daemon (process {})", getpid(),
                      other.process()));
    CHECK(own.claim(device + "-2").has_value());
    other.end();
    CHECK(own.claim(device).has_value());
    CHECK(own.claim(device).has_value()); // it is its own
}
