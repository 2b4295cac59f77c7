// SPDX-License-Identifier: Apache-2.0
// Exactly one verdict for each packet: a debug build names the node that loses or doubles one and
// ends; in any build the count of packets in flight tells.
#include "tests/graph/graph_tester.hh"

#include <catch2/catch.hpp>
#include <csignal>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace weft;

namespace {

const std::vector<reason> unwanted{{0, "unwanted", "nobody wants it"}};

// A sink `end` behind the node under test, into which five packets are sent.
std::vector<node_descriptor> graph_of(node_function judge)
{
    return {source("in", {"judge"}), relay("judge", {"end", "other"}, judge, unwanted), sink("end"),
            sink("other")};
}

void lose_one(node_run& run, frame& in) noexcept
{
    uint32_t number = 0;
    run.each(in, [&](packet&) { return ++number == 3 ? consumed : verdict{0}; });
}

[[maybe_unused]] void send_twice(node_run& run, frame& in) noexcept
{
    run.enqueue_all(in, 0);
    run.enqueue_all(in, 1);
}

[[maybe_unused]] void send_and_drop(node_run& run, frame& in) noexcept
{
    run.send(in.packets[0], drop(0));
    run.enqueue_all(in, 0);
}

[[maybe_unused]] void free_and_send(node_run& run, frame& in) noexcept
{
    run.free(in.packets.data(), 1);
    run.enqueue_all(in, 0);
}

[[maybe_unused]] void keep_and_send(node_run& run, frame& in) noexcept
{
    run.kept(*in.packets[1]);
    run.enqueue_all(in, 0);
}

[[maybe_unused]] void send_in_part(node_run& run, frame& in) noexcept
{
    const std::array<verdict, vector_size> verdicts{};
    --in.count;
    run.enqueue(in, verdicts.data());
}

// Every way to settle a packet.
void do_all_well(node_run& run, frame& in) noexcept
{
    auto& self = run.context<probe>();
    for (packet* p : self.held)
        run.send(p, 1);
    self.held.clear();
    run.each(in, [&](packet& p) -> verdict {
        packet* one = &p;
        switch (payload_of(p).number % 5) {
        case 0:
            run.free(&one, 1);
            return consumed;
        case 1:
            return drop(0);
        case 2:
            if (auto what = payload_of(p); what.laps++ == 0) { // it comes here again
                set_payload(p, what);
                return run.hand_over(p, self.engine.main()) ? consumed : drop(0);
            }
            return 1;
        case 3:
            run.kept(p);
            self.held.push_back(one);
            return consumed;
        default:
            return 0;
        }
    });
}

#if WEFT_CHECK_VERDICTS

struct ending {
    int status;
    std::string text;
};

// Runs the graph in a process of its own, since it may end that.
ending run_apart(const std::vector<node_descriptor>& nodes)
{
    std::array<int, 2> ends{};
    REQUIRE(pipe(ends.data()) == 0);
    const pid_t child = fork();
    if (child == 0) {
        const rlimit no_core{0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        std::signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        graph_tester t{nodes};
        t.send("in", 5);
        _exit(0);
    }
    close(ends[1]);
    ending found{};
    std::array<char, 512> part{};
    for (ssize_t got = 0; (got = read(ends[0], part.data(), part.size())) > 0;)
        found.text.append(part.data(), static_cast<size_t>(got));
    close(ends[0]);
    REQUIRE(waitpid(child, &found.status, 0) == child);
    return found;
}

// What is said when the node aborts, empty if it does not.
std::string abort_text(const std::vector<node_descriptor>& nodes)
{
    const auto [status, text] = run_apart(nodes);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT ? text : "";
}

#endif

} // namespace

#if WEFT_CHECK_VERDICTS

using Catch::Contains;

TEST_CASE("a node that loses a packet is named", "[graph][fates]")
{
    CHECK_THAT(abort_text(graph_of(lose_one)),
               Contains("node judge: packets got no verdict") && Contains("(1 packets)"));
    CHECK_THAT(abort_text(graph_of(send_in_part)), Contains("node judge: packets got no verdict"));
}

TEST_CASE("a node that sends its packets twice is named", "[graph][fates]")
{
    CHECK_THAT(abort_text(graph_of(send_twice)),
               Contains("node judge: a packet got a second verdict"));
}

TEST_CASE("a node that drops a packet and sends it too is named", "[graph][fates]")
{
    CHECK_THAT(abort_text(graph_of(send_and_drop)),
               Contains("node judge: a packet got a second verdict"));
}

TEST_CASE("a node that frees or keeps a packet and sends it too is named", "[graph][fates]")
{
    for (const auto judge : {free_and_send, keep_and_send})
        CHECK_THAT(abort_text(graph_of(judge)),
                   Contains("node judge: packets got no verdict, or more than one (-1 packets)"));
}

TEST_CASE("a packet that stands twice in a frame is found at the node that gets it",
          "[graph][fates]")
{
    const auto twice = [](node_run& run) noexcept -> uint32_t {
        packet* p = numbered_packet(run.context<probe>().engine, 0);
        std::array<packet*, 2> both{p, p};
        run.admit(both.data(), 2, 0, 0);
        run.context<probe>().wanted = 0;
        return 2;
    };
    CHECK_THAT(abort_text({source("in", {"end"}, twice), sink("end")}),
               Contains("node end: a packet is in one frame twice"));
}

TEST_CASE("a node that settles each packet once is left alone", "[graph][fates]")
{
    const auto [status, text] = run_apart(graph_of(do_all_well));
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    CHECK(text == "");
}

#else

TEST_CASE("a lost packet stays in the count of packets in flight", "[graph][fates]")
{
    static packet* lost = nullptr;
    graph_tester t{graph_of([](node_run& run, frame& in) noexcept {
        lost = in.packets[2];
        lose_one(run, in);
    })};
    t.send("in", 5);
    CHECK(t.engine.packets_in_flight() == 1);
    CHECK(t.at("end").numbers == std::vector<uint32_t>{0, 1, 3, 4});
    t.engine.main().free_kept(lost); // found again, so that the pool is whole
}

#endif

TEST_CASE("every way to settle a packet leaves none in flight", "[graph][fates]")
{
    graph_tester t{graph_of(do_all_well)};
    t.send("in", 500);
    for (int n = 0; n < 3; ++n)
        t.engine.run_main_once(); // what was handed over
    auto& held = t.at("judge").held;
    CHECK(t.engine.packets_in_flight() == static_cast<int64_t>(held.size()));
    for (packet* p : held)
        t.engine.main().free_kept(p);
    CHECK(t.dropped("judge", 0) == 100);
    CHECK(t.at("end").packets.get() == 100);
    CHECK(t.at("other").packets.get() == 200 - held.size());
}
