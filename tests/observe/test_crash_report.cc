// SPDX-License-Identifier: Apache-2.0
// The crash report, of processes that the tests make crash.
#include "observe/crash_report.hh"
#include "tests/graph/graph_tester.hh"

#include <catch2/catch.hpp>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace weft;
using Catch::Contains;

namespace {

struct crash {
    int status = 0;
    std::string text; // what the process wrote to standard error

    [[nodiscard]] bool by(int number) const
    {
        return WIFSIGNALED(status) && WTERMSIG(status) == number;
    }
};

// Runs `doomed` in a process of its own, with a crash report.
template <class Doomed>
crash crash_of(Doomed&& doomed)
{
    std::array<int, 2> ends{};
    REQUIRE(pipe(ends.data()) == 0);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const rlimit none{0, 0};
        setrlimit(RLIMIT_CORE, &none);
        dup2(ends[1], STDERR_FILENO);
        install_crash_report();
        doomed();
        _exit(0);
    }
    close(ends[1]);
    crash seen;
    std::array<char, 4096> part;
    for (ssize_t got = 0; (got = read(ends[0], part.data(), part.size())) > 0;)
        seen.text.append(part.data(), static_cast<size_t>(got));
    close(ends[0]);
    REQUIRE(waitpid(child, &seen.status, 0) == child);
    return seen;
}

// A real fault, not the sanitizer's report of it.
[[gnu::noinline, gnu::no_sanitize("undefined")]] void write_to_nothing() noexcept
{
    static volatile int* volatile nothing = nullptr;
    *nothing = 1;
}

void crash_in_node(node_run&, frame&) noexcept
{
    write_to_nothing();
}

void crash_with_bad_packet(node_run&, frame& in) noexcept
{
    in.packets[0] = reinterpret_cast<packet*>(uintptr_t{0x1000});
    write_to_nothing();
}

uint32_t crash_in_poll(node_run&) noexcept
{
    write_to_nothing();
    return 0;
}

// An engine whose node `bad` crashes with a vector of five packets.
void run_graph_with(node_function function)
{
    graph_tester t{{source("in", {"bad"}), relay("bad", {"end"}, function), sink("end")}};
    const crash_scope scope{t.engine.main()};
    t.publish_and_adopt();
    t.send("in", 5);
}

// An IPv4 packet in place of the numbered one.
void crash_with_headers(node_run& run, frame& in) noexcept
{
    constexpr std::array<uint8_t, 34> bytes{2,    0,    0,    0, 1, 1,  2,  0, 0, 0, 0xa, 2,
                                            8,    0,    0x45, 0, 0, 20, 0,  0, 0, 0, 64,  17,
                                            0xab, 0xcd, 10,   0, 0, 2,  10, 0, 1, 2};
    rte_pktmbuf_append(in.packets[0]->mbuf(), bytes.size() - sizeof(payload));
    std::memcpy(in.packets[0]->data(), bytes.data(), bytes.size());
    in.packets[0]->metadata().l3_offset = 14;
    crash_in_node(run, in);
}

[[gnu::noinline]] int dig(int depth) // NOLINT: endless on purpose
{
    volatile char room[512];
    room[depth % 512] = 1;
    room[0] = 1;
    return depth < 0 ? 0 : dig(depth + 1) + room[0];
}

} // namespace

TEST_CASE("a crash in a node says which, with how many packets, and where", "[crash]")
{
    const auto seen = crash_of([] { run_graph_with(crash_in_node); });
    INFO(seen.text);
    CHECK(seen.by(SIGSEGV));
    CHECK_THAT(seen.text, Contains(": SIGSEGV at address 0x0, instruction at 0x"));
    CHECK_THAT(seen.text, Contains("\nthread 0 main, tid "));
    CHECK_THAT(seen.text,
               Contains("\nnode bad, vector of 5 packets\nfirst packet: 12 bytes, interface 0"));
    CHECK_THAT(seen.text, Contains("  0000: 00 00 00 00 00 00 00 00 00 00 00 00\n"));
    // both functions are known to this file alone
    const auto top = seen.text.find("  #0 ");
    CHECK_THAT(seen.text.substr(top), Contains("write_to_nothing") && Contains("crash_in_node") &&
                                          Contains("graph_thread8run_node") &&
                                          Contains("\nend of the report\n"));
    CHECK(seen.text.find("write_to_nothing") < seen.text.find("crash_in_node"));
}

TEST_CASE("the first packet's headers are told in words", "[crash]")
{
    const auto seen = crash_of([] { run_graph_with(crash_with_headers); });
    INFO(seen.text);
    CHECK_THAT(seen.text, Contains("first packet: 34 bytes, interface 0, network header at 14\n"));
    CHECK_THAT(seen.text,
               Contains("  ethernet 02:00:00:00:0a:02 -> 02:00:00:00:01:01 type 0x0800\n"));
    CHECK_THAT(seen.text, Contains("  ipv4 10.0.0.2 -> 10.0.1.2 protocol 17 ttl 64 length 20\n"));
}

TEST_CASE("a packet that cannot be read does not end the report", "[crash]")
{
    const auto seen = crash_of([] { run_graph_with(crash_with_bad_packet); });
    INFO(seen.text);
    CHECK(seen.by(SIGSEGV));
    CHECK_THAT(seen.text, Contains("first packet: at 0x1000, which is not mapped\n") &&
                              Contains("end of the report"));
}

TEST_CASE("a crash in an input node and one between nodes", "[crash]")
{
    const auto poll = crash_of([] {
        graph_tester t{{source("in", {"end"}, crash_in_poll), sink("end")}};
        const crash_scope scope{t.engine.main()};
        t.publish_and_adopt();
    });
    CHECK_THAT(poll.text, Contains("\nnode in, an input node\n"));
    const auto between = crash_of([] {
        graph_tester t{{source("in", {"end"}), sink("end")}};
        const crash_scope scope{t.engine.main()};
        t.publish_and_adopt();
        write_to_nothing();
    });
    CHECK_THAT(between.text, Contains("\nno node ran\n"));
}

TEST_CASE("a crash on a worker names the worker", "[crash]")
{
    const auto seen = crash_of([] {
        graph_tester t{{source("in", {"bad"}), relay("bad", {"end"}, crash_in_node), sink("end")},
                       {1}};
        t.start();
        t.at("in", 1).wanted = 5;
        t.engine.thread(1).wake();
        sleep(10);
    });
    INFO(seen.text);
    CHECK(seen.by(SIGSEGV));
    CHECK_THAT(seen.text,
               Contains("\nthread 1 worker-1, tid ") && Contains("\nnode bad, vector of "));
}

TEST_CASE("a process that crashes or overruns its stack is named", "[crash]")
{
    const auto run = [](void (*function)(process&)) {
        graph_tester t{{source("in", {"end"}), sink("end")}};
        const crash_scope scope{t.engine.main()};
        t.publish_and_adopt();
        (void)t.engine.loop().start("digger", function, 32 * 1024);
        t.engine.run_main_once();
    };
    const auto crashed = crash_of([&] { run([](process&) { write_to_nothing(); }); });
    INFO(crashed.text);
    CHECK_THAT(crashed.text, Contains("\nprocess digger\n") && !Contains("overran"));
    const auto overrun = crash_of([&] { run([](process&) { (void)dig(0); }); });
    INFO(overrun.text);
    CHECK(overrun.by(SIGSEGV));
    CHECK_THAT(overrun.text, Contains("\nprocess digger overflowed its stack of ") &&
                                 Contains(" bytes\n") && Contains("dig") &&
                                 Contains("end of the report"));
}

TEST_CASE("an abort ends as one, also on a thread that is none of the graph's", "[crash]")
{
    const auto seen = crash_of([] { std::abort(); });
    INFO(seen.text);
    CHECK(seen.by(SIGABRT));
    CHECK_THAT(seen.text, Contains(": SIGABRT sent by process ") &&
                              Contains(", not a thread of the graph, tid ") &&
                              Contains("end of the report"));
}
