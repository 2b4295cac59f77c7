// SPDX-License-Identifier: Apache-2.0
// Input nodes on real workers: polling, interrupts, sleeps; moves under traffic without loss or
// disorder.
#include "graph/thread/input_control.hh"
#include "tests/graph/graph_tester.hh"

#include <catch2/catch.hpp>
#include <sys/eventfd.h>
#include <unistd.h>

using namespace weft;
using Catch::Contains;

namespace {

node_descriptor input(node_state state, input_wait_function wait = nullptr)
{
    auto made = source("in", {"end"});
    made.state = state;
    made.wait = wait;
    return made;
}

// The file that stands for a device's interrupt: level-triggered, and nobody reads it.
struct interrupt_file {
    interrupt_file() { opened = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }
    ~interrupt_file()
    {
        close(opened);
        opened = -1;
    }
    static void raise()
    {
        const uint64_t one = 1;
        CHECK(write(opened, &one, sizeof one) == sizeof one);
    }
    static void clear()
    {
        uint64_t value = 0;
        CHECK(read(opened, &value, sizeof value) == sizeof value);
    }
    static int wait(node_run&, bool) noexcept { return opened; }
    // As a driver does whose interrupt is to be acknowledged.
    static int wait_and_clear(node_run&, bool arm) noexcept
    {
        uint64_t value = 0;
        if (!arm) [[maybe_unused]]
            const auto drained = read(opened, &value, sizeof value);
        return opened;
    }

    static inline std::atomic<int> opened{-1};
};

uint64_t calls(graph_tester& t, std::string_view node, unsigned thread)
{
    return t.store(node, thread).counters.calls.get();
}

} // namespace

TEST_CASE("a thread with a polling input never sleeps", "[graph][input][thread]")
{
    graph_tester t{{input(node_state::polling), sink("end")}, {0}};
    t.start();
    REQUIRE(wait_for([&] { return t.engine.thread(1).loops() > 20'000; }));
    CHECK(t.engine.thread(1).sleeps() == 0);
    CHECK(calls(t, "in", 1) > 15'000);
}

TEST_CASE("an adaptive input without a file is looked at between short sleeps",
          "[graph][input][thread]")
{
    graph_tester t{{input(node_state::adaptive), sink("end")}, {0}};
    t.start();
    REQUIRE(wait_for([&] { return t.engine.thread(1).sleeps() > 20; }));
    CHECK(t.store("in", 1).activity.quiet.load());
    std::vector<duration> waited;
    for (uint32_t n = 1; n <= 15; ++n) {
        std::this_thread::sleep_for(2ms);
        const auto from = std::chrono::steady_clock::now();
        t.at("in", 1).wanted = 1;
        REQUIRE(wait_for([&] { return t.at("end", 1).packets.get() == n; }));
        waited.push_back(std::chrono::steady_clock::now() - from);
    }
    // An unasked sleep would last 100 ms each time; one undisturbed turn, of 1 ms, suffices to show
    // that it does not.
    CHECK(*std::min_element(waited.begin(), waited.end()) < 50ms);
}

TEST_CASE("many packets make an adaptive input polled, a pause makes it wait again",
          "[graph][input][thread]")
{
    graph_tester t{{input(node_state::adaptive), sink("end")}, {0}};
    t.start();
    const auto& activity = t.store("in", 1).activity;
    REQUIRE(wait_for([&] { return activity.quiet.load(); }));
    const auto before = activity.switches.get();
    t.at("in", 1).wanted = 20'000;
    REQUIRE(wait_for([&] { return t.at("end", 1).packets.get() == 20'000; }));
    REQUIRE(wait_for([&] { return activity.quiet.load() && activity.switches.get() > before; }));
    CHECK((activity.switches.get() - before) % 2 == 0);
}

TEST_CASE("an interrupt input is polled after its interrupt only", "[graph][input][thread]")
{
    interrupt_file file;
    graph_tester t{{input(node_state::interrupt, interrupt_file::wait), sink("end")}, {0}};
    t.start();
    REQUIRE(wait_for([&] { return t.engine.thread(1).sleeps() > 0; }));
    const auto before = calls(t, "in", 1);
    t.at("in", 1).wanted = 3; // nobody tells the thread
    std::this_thread::sleep_for(20ms);
    CHECK(calls(t, "in", 1) - before < 8); // an unasked sleep ends after 100 ms
    interrupt_file::raise();
    CHECK(wait_for([&] { return t.at("end", 1).packets.get() == 3; }));
    interrupt_file::clear();
}

TEST_CASE("an input's state is changed under traffic", "[graph][input][thread]")
{
    graph_tester t{{input(node_state::polling), sink("end")}, {0}};
    t.start();
    auto& control = t.engine.module<input_control>();
    const auto set = [&](node_state s) { return control.set_state({t.id("in")}, s, nullptr); };
    t.at("in", 1).burst = 3;
    t.at("in", 1).wanted = 9000;
    for (int n = 0; n < 20; ++n)
        for (auto s : {node_state::disabled, node_state::adaptive, node_state::polling})
            REQUIRE(set(s));
    REQUIRE(wait_for([&] { return t.at("end", 1).packets.get() == 9000; }));
    REQUIRE(set(node_state::disabled));
    REQUIRE(t.run_until(
        [&] { return t.engine.thread(1).has_adopted(t.engine.thread(1).published_version()); }));
    t.at("in", 1).wanted = 5;
    std::this_thread::sleep_for(5ms);
    CHECK(t.at("end", 1).packets.get() == 9000);
    t.engine.thread(1).post_interrupt(t.id("in")); // not even then
    std::this_thread::sleep_for(5ms);
    CHECK(t.at("end", 1).packets.get() == 9000);
    CHECK_THAT(control.set_state({t.id("end")}, node_state::polling, nullptr).error().message,
               Contains("node `end' is not an input node"));
    CHECK_THAT(
        control.set_state({t.id("handoff-input")}, node_state::disabled, nullptr).error().message,
        Contains("node `handoff-input' runs when another thread posts it"));
    t.engine.shut_down();
    CHECK(t.at("end", 1).numbers == numbers_to(9000));
}

// --- moves ---

namespace {

// A device's queue: whoever polls it takes the next packets. Plain numbers: only one thread may, at
// a time.
struct shared_queue {
    uint32_t next = 0;
    std::atomic<uint32_t> end{0};
};

uint32_t poll_queue(node_run& run) noexcept
{
    auto& self = run.context<probe>();
    auto& queue = *static_cast<shared_queue*>(self.extra);
    std::array<packet*, 16> fresh;
    uint32_t count = 0;
    while (count < fresh.size() && queue.next < queue.end.load())
        if ((fresh[count] = numbered_packet(self.engine, queue.next)) != nullptr) {
            ++queue.next;
            ++count;
        } else
            break;
    if (count > 0)
        run.admit(fresh.data(), count, 0, 0);
    return count;
}

// Goes on by thread 2, as what is sent by a transmit queue of thread 2.
void to_owner(node_run& run, frame& in) noexcept
{
    auto& self = run.context<probe>();
    graph_thread& owner = self.engine.thread(2);
    if (run.thread_index() == 2) {
        run.enqueue_all(in, 0);
        return;
    }
    run.each(in, [&](packet& p) {
        while (!run.hand_over(p, owner))
            std::this_thread::yield();
        return consumed;
    });
}

struct moving_queue {
    shared_queue queue;
    graph_tester t;
    node_id input = no_node;

    explicit moving_queue(input_wait_function wait = nullptr,
                          node_state state = node_state::adaptive)
        : t{{clones_of(wait, state), owner(), sink("end")}, {0, 1}}
    {
        input = *t.engine.registry().clone("queue", "queue-0", nullptr, 1);
        t.publish();
        for (unsigned thread = 0; thread < 3; ++thread) {
            t.engine.thread(thread).store_of(t.engine.registry().at(input));
            t.at("queue-0", thread).extra = &queue;
        }
        REQUIRE(t.engine.start());
    }
    static node_descriptor owner()
    {
        auto made = relay("owner", {"end"}, to_owner);
        made.joined_later = true; // the queue is on one thread only
        return made;
    }
    static node_descriptor clones_of(input_wait_function wait, node_state state)
    {
        auto made = source("queue", {"owner"}, poll_queue);
        made.is_template = true;
        made.wait = wait;
        made.state = state;
        return made;
    }
    result<void> move(unsigned thread)
    {
        return t.engine.module<input_control>().move({input}, thread, nullptr);
    }
};

} // namespace

TEST_CASE("a queue moves between threads under traffic: none lost, none overtaken",
          "[graph][input][thread]")
{
    moving_queue m;
    constexpr uint32_t total = 60'000;
    m.queue.end = total;
    for (unsigned n = 0; n < 60; ++n)
        REQUIRE(m.move(n % 3 == 0 ? 2 : n % 3 == 1 ? 1 : 0));
    REQUIRE(m.t.run_until([&] { return m.t.at("end", 2).packets.get() == total; }));
    m.t.engine.shut_down();
    CHECK(m.t.at("end", 2).numbers == numbers_to(total));
    CHECK(calls(m.t, "queue-0", 1) > 0);
    CHECK(calls(m.t, "queue-0", 2) > 0);
}

TEST_CASE("the interrupt of a queue that moved away wakes its old thread no more",
          "[graph][input][thread]")
{
    interrupt_file file;
    moving_queue m{interrupt_file::wait, node_state::interrupt};
    REQUIRE(wait_for([&] { return m.t.engine.thread(1).sleeps() > 0; }));
    REQUIRE(m.move(2));
    REQUIRE(wait_for([&] {
        return m.t.engine.thread(2).has_adopted(m.t.engine.thread(2).published_version());
    }));
    const auto before = m.t.engine.thread(1).loops();
    interrupt_file::raise();
    REQUIRE(wait_for([&] { return calls(m.t, "queue-0", 2) > 100; }));
    CHECK(m.t.engine.thread(1).loops() - before < 50);
    interrupt_file::clear();
}

TEST_CASE("a change waits for a thread, but not for ever", "[graph][input]")
{
    graph_tester t{{source("in", {"end"}), sink("end")}, {0}};
    t.publish_and_adopt(); // the worker is never started
    bool made = false;
    const auto done =
        t.engine.module<input_control>().change({t.id("in")}, nullptr, [&] { made = true; });
    REQUIRE_FALSE(done);
    CHECK(done.error().code == errc::timeout);
    CHECK_FALSE(made);
    CHECK(t.engine.registry().find("in")->state == node_state::adaptive);
}

namespace {

// A file that is ready for ever, and in an error state if it is a pipe's end that nobody reads.
struct ready_file {
    explicit ready_file(bool failed)
    {
        if (failed) {
            int ends[2];
            REQUIRE(pipe(ends) == 0);
            close(ends[0]);
            opened = ends[1];
        } else {
            opened = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
        }
    }
    ~ready_file() { close(opened.exchange(-1)); }
    static int wait(node_run&, bool) noexcept { return opened; }
    static int none(node_run&, bool) noexcept { return nothing_comes; }

    static inline std::atomic<int> opened{-1};
};

} // namespace

TEST_CASE("a file that is ready for nothing does not keep a worker awake", "[graph][input][thread]")
{
    const bool failed = GENERATE(true, false);
    const ready_file file{failed};
    graph_tester t{{input(node_state::adaptive, ready_file::wait), sink("end")}, {0}};
    t.start();
    REQUIRE(wait_for([&] {
        return t.store("in", 1).activity.quiet.load() && t.engine.thread(1).sleeps() > 20;
    }));
    const auto loops = t.engine.thread(1).loops();
    std::this_thread::sleep_for(300ms);
    CHECK(t.engine.thread(1).loops() - loops <
          3000); // 1000 looks, two loops for each; tens of thousands if it spins
    t.at("in", 1).wanted = 1;
    CHECK(wait_for([&] { return t.at("end", 1).packets.get() == 1; }));
}

TEST_CASE("a file that is ready for nothing does not keep the main thread awake", "[graph][input]")
{
    const bool failed = GENERATE(true, false);
    const ready_file file{failed};
    graph_tester t{{input(node_state::adaptive, ready_file::wait), sink("end")}, {}};
    t.publish_and_adopt();
    uint64_t loops = 0;
    std::thread watch{[&] {
        std::this_thread::sleep_for(100ms);
        const auto before = t.engine.main().loops();
        std::this_thread::sleep_for(300ms);
        loops = t.engine.main().loops() - before;
        t.engine.request_stop();
    }};
    t.engine.run();
    watch.join();
    CHECK(loops > 0);
    CHECK(loops < 3000);
}

namespace {

// Brings packets one after the other, each once its thread is asleep, and says so to the file or
// not.
void wake_by(graph_tester& t, bool raise)
{
    for (unsigned n = 1; n <= 6; ++n) {
        const auto sleeps = t.engine.thread(1).sleeps();
        REQUIRE(wait_for([&] { return t.engine.thread(1).sleeps() > sleeps; }));
        t.at("in", 1).wanted = 1;
        if (raise)
            interrupt_file::raise();
        REQUIRE(wait_for([&] { return t.at("end", 1).packets.get() == n; }));
    }
}

} // namespace

TEST_CASE("a file whose interrupts never come is waited for no more", "[graph][input][thread]")
{
    const bool heard = GENERATE(false, true);
    const interrupt_file file;
    graph_tester t{{input(node_state::adaptive, interrupt_file::wait_and_clear), sink("end")}, {0}};
    t.start();
    REQUIRE(wait_for(
        [&] { return t.store("in", 1).activity.quiet.load() && t.engine.thread(1).sleeps() > 2; }));
    wake_by(t, heard);
    const auto before = t.engine.thread(1).loops();
    if (heard) {
        std::this_thread::sleep_for(500ms);
        CHECK(t.engine.thread(1).loops() - before < 50); // two in each 100 ms
    } else {
        CHECK(
            wait_for([&] { return t.engine.thread(1).loops() - before > 1000; })); // two in each ms
    }
}

TEST_CASE("an input to which nothing can come is not looked at", "[graph][input][thread]")
{
    graph_tester t{{input(node_state::adaptive, ready_file::none), sink("end")}, {0}};
    t.start();
    REQUIRE(wait_for([&] { return t.store("in", 1).activity.quiet.load(); }));
    std::this_thread::sleep_for(20ms);
    const auto before = calls(t, "in", 1);
    std::this_thread::sleep_for(300ms);
    CHECK(calls(t, "in", 1) - before < 30); // in each 100 ms; 330 times if it backed off only
    t.at("in", 1).wanted = 1;
    t.engine.thread(1).post_interrupt(t.id("in"));
    CHECK(wait_for([&] { return t.at("end", 1).packets.get() == 1; }));
}
