// SPDX-License-Identifier: Apache-2.0
// Processes that wait for files.
#include "tests/graph/process/process_tester.hh"

#include <sys/mman.h>

using namespace weft;

TEST_CASE("a process waits until a file is readable", "[graph][process]")
{
    process_tester t;
    const pipe_ends pipe;
    const auto id = t.start([&](process& self) {
        t.note(self.wait_readable(pipe.out(), 10s) ? "ready" : "clock");
        t.note(self.wait_writable(pipe.in(), 10s) ? "ready" : "clock");
    });
    CHECK(t.status(id).state == process_state::waiting_file);
    t.loop.wait(0s);
    CHECK(t.loop.run_ready() == 0);
    pipe.put();
    t.loop.wait(5s);
    t.loop.run_ready();
    CHECK(t.log == lines{"ready"});
    t.loop.wait(5s);
    t.loop.run_ready();
    CHECK(t.log == lines{"ready", "ready"});
}

TEST_CASE("a wait for a file ends with its clock", "[graph][process]")
{
    process_tester t;
    const pipe_ends pipe;
    t.start([&](process& self) {
        t.note(self.wait_readable(pipe.out(), 10s) ? "ready" : "clock");
        self.sleep_for(1h);
    });
    t.advance(10s);
    CHECK(t.log == lines{"clock"});
    pipe.put(); // must not wake the sleep
    t.loop.wait(0s);
    CHECK(t.loop.run_ready() == 0);
}

TEST_CASE("a file that hung up is ready", "[graph][process]")
{
    process_tester t;
    std::array<int, 2> fds{};
    REQUIRE(pipe2(fds.data(), O_CLOEXEC) == 0);
    t.start([&](process& self) { t.note(self.wait_readable(fds[0], 10s) ? "ready" : "clock"); });
    close(fds[1]);
    t.loop.wait(5s);
    t.loop.run_ready();
    CHECK(t.log == lines{"ready"});
    close(fds[0]);
}

TEST_CASE("a file in an error state ends one wait, and then lets the main thread sleep",
          "[graph][process]")
{
    process_tester t;
    std::array<int, 2> fds{};
    REQUIRE(pipe2(fds.data(), O_CLOEXEC) == 0);
    close(fds[0]);
    t.start([&](process& self) {
        t.note(self.wait_readable(fds[1], 10s) ? "ready" : "clock");
        self.sleep_for(1h);
    });
    t.loop.wait(5s);
    t.loop.run_ready();
    CHECK(t.log == lines{"ready"});
    const auto before = std::chrono::steady_clock::now();
    t.loop.wait(50ms);
    CHECK(std::chrono::steady_clock::now() - before >= 50ms);
    close(fds[1]);
}

TEST_CASE("two processes wait for different files, not for the same", "[graph][process]")
{
    const captured_log log;
    process_tester t;
    const pipe_ends one;
    const pipe_ends two;
    const auto wait_for = [&](const std::string& name, int fd) {
        t.start(name, [&t, name, fd](process& self) {
            (void)self.wait_readable(fd, 10s);
            t.note(name);
        });
    };
    wait_for("one", one.out());
    wait_for("two", two.out());
    wait_for("three", two.out());
    CHECK_THAT(log.text(),
               Catch::Contains("three") && Catch::Contains("is already waiting for file"));
    two.put();
    t.loop.wait(5s);
    t.loop.run_ready();
    CHECK(t.log == lines{"two"});
    CHECK(t.loop.find("one") != 0);
}

TEST_CASE("a file closed under its waiter leaves the number free", "[graph][process]")
{
    process_tester t;
    std::array<int, 2> fds{};
    REQUIRE(pipe2(fds.data(), O_CLOEXEC) == 0);
    t.start([&](process& self) { t.note(self.wait_readable(fds[0], 10s) ? "old" : "clock"); });
    close(fds[0]);
    const pipe_ends pipe;
    REQUIRE(pipe.out() == fds[0]);
    t.start([&](process& self) { t.note(self.wait_readable(pipe.out(), 10s) ? "new" : "clock"); });
    t.loop.run_ready();
    CHECK(t.log == lines{"old"}); // it failed
    pipe.put();
    t.loop.wait(5s);
    t.loop.run_ready();
    CHECK(t.log == lines{"old", "new"});
    close(fds[1]);
}

// epoll goes on watching a closed file of which a duplicate is open, and cannot be told otherwise.
TEST_CASE("a closed file's readiness is not that of its number's next file", "[graph][process]")
{
    process_tester t;
    std::array<int, 2> fds{};
    REQUIRE(pipe2(fds.data(), O_CLOEXEC) == 0);
    const int duplicate = dup(fds[0]);
    t.start([&](process& self) { (void)self.wait_readable(fds[0], 1s); });
    close(fds[0]);
    t.advance(1s);
    const pipe_ends pipe;
    REQUIRE(pipe.out() == fds[0]);
    t.start([&](process& self) { t.note(self.wait_readable(pipe.out(), 10s) ? "new" : "clock"); });
    REQUIRE(write(fds[1], "x", 1) == 1);
    t.loop.wait(0s);
    CHECK(t.loop.run_ready() == 0);
    const steady_clock_source real;
    const auto from = real.now();
    t.loop.wait(10ms);
    CHECK(real.now() - from >= 10ms); // reported once, not for ever
    pipe.put();
    t.loop.wait(5s);
    t.loop.run_ready();
    CHECK(t.log == lines{"new"});
    close(fds[1]);
    close(duplicate);
}

TEST_CASE("a file that cannot be waited for is ready at once", "[graph][process]")
{
    process_tester t;
    const int regular = memfd_create("test", MFD_CLOEXEC);
    t.start([&](process& self) {
        t.note(self.wait_readable(regular, 10s) ? "ready" : "clock");
        t.note(self.wait_readable(-1, 10s) ? "ready" : "clock");
    });
    t.loop.run_ready();
    t.loop.run_ready();
    CHECK(t.log == lines{"ready", "ready"});
    close(regular);
}
