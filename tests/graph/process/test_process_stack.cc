// SPDX-License-Identifier: Apache-2.0
// The stacks of processes: their use, their guards, and a thousand of them.
#include "tests/graph/process/process_tester.hh"

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <sys/wait.h>

using namespace weft;

namespace {

// Writes to `bytes` of stack; not folded into its caller, and not with zeros.
[[gnu::noinline]] void use_stack(size_t bytes)
{
    auto* const block = static_cast<volatile char*>(__builtin_alloca(bytes));
    for (size_t n = 0; n < bytes; ++n)
        block[n] = 'x';
}

// Deeper and deeper, 1 kB at a time, until the guard stops it.
[[gnu::noinline]] size_t overrun_stack(size_t depth)
{
    volatile char block[1024];
    block[depth % sizeof(block)] = 'x';
    return depth == SIZE_MAX ? 0 : overrun_stack(depth + 1) + static_cast<size_t>(block[0]);
}

// Never returns: a process overruns its stack, and the signal handler writes whose it was.
[[noreturn]] void crash_and_tell(int output)
{
    static int handler_output;
    handler_output = output;
    static std::array<char, 64 * 1024> handler_stack;
    const stack_t alternate{
        .ss_sp = handler_stack.data(), .ss_flags = 0, .ss_size = handler_stack.size()};
    struct sigaction action {};
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    action.sa_sigaction = [](int, siginfo_t* fault, void*) {
        const auto owner = owner_of_stack_guard(fault->si_addr);
        const bool told = write(handler_output, owner.process.data(), owner.process.size()) > 0;
        _exit(told && owner.stack_size == 128 * 1024 ? 1 : 2);
    };
    if (sigaltstack(&alternate, nullptr) != 0 || sigaction(SIGSEGV, &action, nullptr) != 0)
        _exit(3);
    process_tester t;
    t.start("careful", [](process& self) { self.sleep_for(1s); });
    t.start(
        "greedy", [](process&) { overrun_stack(0); }, 128 * 1024);
    _exit(0);
}

} // namespace

TEST_CASE("the stack's high-water mark grows with use", "[graph][process]")
{
    process_tester t;
    const auto id = t.start(
        [](process& self) {
            self.yield();
            use_stack(30'000);
            for (;;)
                self.yield();
        },
        100'000);
    const auto before = t.status(id);
    CHECK(before.stack_size == 102'400); // whole pages
    CHECK(before.stack_used > 0);
    CHECK(before.stack_used < 20'000);
    t.loop.run_ready();
    const auto after = t.status(id);
    CHECK(after.stack_used >= before.stack_used + 20'000);
    CHECK(after.stack_used < 60'000);
    t.loop.run_ready();
    CHECK(t.status(id).stack_used == after.stack_used); // stays, though the stack is shallow again
}

TEST_CASE("measuring a stack does not commit its memory", "[graph][process]")
{
    process_tester t;
    const auto id = t.start([](process& self) { self.sleep_for(1s); }, 4 << 20);
    const auto resident = [] {
        size_t total = 0;
        size_t pages = 0;
        FILE* const file = fopen("/proc/self/statm", "r");
        REQUIRE(fscanf(file, "%zu %zu", &total, &pages) == 2);
        fclose(file);
        return pages * 4096;
    };
    const auto before = resident();
    CHECK(t.status(id).stack_used < 64 * 1024);
    CHECK(resident() < before + (1 << 20));
}

TEST_CASE("the guard area names the process whose stack it protects", "[graph][process]")
{
    process_tester t;
    const char* on_stack = nullptr;
    const auto id = t.start("deep", [&](process& self) {
        on_stack = static_cast<const char*>(__builtin_frame_address(0));
        self.sleep_for(1s);
    });
    t.start("shallow", [](process& self) { self.sleep_for(1s); });
    CHECK(owner_of_stack_guard(on_stack).process.empty());
    // Within the last page of the stack lies its top; the guard ends where the stack begins.
    const auto page = reinterpret_cast<uintptr_t>(on_stack) & ~uintptr_t{4095};
    const auto* const below = reinterpret_cast<const char*>(page + 4096 - t.status(id).stack_size);
    CHECK(owner_of_stack_guard(below - 1).process == "deep");
    CHECK(owner_of_stack_guard(below - 4096).process == "deep");
    CHECK(owner_of_stack_guard(below - 1).stack_size == t.status(id).stack_size);
    CHECK(owner_of_stack_guard(below).process.empty());
    // The kernel itself says that the guard cannot be read.
    const pipe_ends pipe;
    CHECK((write(pipe.in(), below - 1, 1) < 0 && errno == EFAULT));
    REQUIRE(t.loop.stop(id));
    CHECK(owner_of_stack_guard(below - 1).process.empty());
    CHECK(owner_of_stack_guard(nullptr).process.empty());
}

TEST_CASE("a crash handler learns which process overran its stack", "[graph][process]")
{
    const pipe_ends pipe;
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0)
        crash_and_tell(pipe.in());
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    std::array<char, 64> name{};
    CHECK(read(pipe.out(), name.data(), name.size() - 1) > 0);
    CHECK(std::string{name.data()} == "greedy");
    CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 1));
}

TEST_CASE("a thousand processes start, run and stop", "[graph][process]")
{
    size_t unwound = 0;
    process_tester t;
    std::vector<process_id> ids;
    for (int n = 0; n < 1000; ++n) {
        const auto id = t.loop.start("one of many", [&](process& self) {
            const std::shared_ptr<void> local{nullptr, [&](void*) { ++unwound; }};
            for (;;)
                self.sleep_for(1s);
        });
        REQUIRE(id.has_value());
        ids.push_back(*id);
    }
    CHECK(t.loop.run_ready() == 1000);
    t.clock.advance(1s);
    CHECK(t.loop.run_ready() == 2000); // as many timers, as many processes
    for (size_t n = 0; n < ids.size(); n += 2)
        REQUIRE(t.loop.stop(ids[n]));
    CHECK(unwound == 500);
    CHECK(t.loop.status().size() == 500);
}

TEST_CASE("a stack that cannot be mapped is refused", "[graph][process]")
{
    process_tester t;
    const auto id = t.loop.start(
        "huge", [](process&) {}, size_t{1} << 60);
    REQUIRE_FALSE(id.has_value());
    CHECK(id.error().code == errc::exhausted);
    CHECK_THAT(id.error().message, Catch::Contains("huge"));
    CHECK_FALSE(t.loop
                    .start(
                        "more", [](process&) {}, SIZE_MAX)
                    .has_value());
}
