// SPDX-License-Identifier: Apache-2.0
// Loads of routes at a rate, under the test's clock.
#include "control/command/command.hh"
#include "tests/base/temporary_directory.hh"
#include "tests/nodes/node_tester.hh"

#include <fstream>

using namespace weft;
using namespace weft::test;

namespace {

// A session that runs `ip route load` of so many blackholes with what is said behind it.
class slow_load {
public:
    slow_load(node_tester& t, uint32_t routes, std::string_view more) : t_{t}
    {
        const auto path = files_.file("routes");
        std::ofstream file{path};
        for (uint32_t n = 0; n < routes; ++n)
            file << fmt::format("16.{}.{}.0/24 blackhole\n", n >> 8, n & 255);
        file.close();
        before_ = t.ip4().table().size();
        const auto started = t.engine.loop().start(
            "load",
            [this, line = fmt::format("ip route load {} {}", path, more)](process& self) {
                said = commands_->run(self.engine(), line, false, &self).value();
            },
            256ul << 10);
        REQUIRE(started.has_value());
        process_ = *started;
        for (int piece = 0; piece < 10; ++piece)
            t.run(); // reads the file, and waits for the first token
    }
    ~slow_load() { static_cast<void>(t_.engine.loop().stop(process_)); }
    slow_load(const slow_load&) = delete;
    slow_load& operator=(const slow_load&) = delete;
    [[nodiscard]] size_t applied() const { return t_.ip4().table().size() - before_; }

    std::string said;

private:
    node_tester& t_;
    size_t before_ = 0;
    process_id process_ = 0;
    temporary_directory files_;
    result<command_table> commands_ = command_table::registered();
};

} // namespace

TEST_CASE("a load of 2,000 routes at 10 a second takes 200 s", "[nodes]")
{
    node_tester t;
    slow_load slow{t, 2000, "rate 10"};
    for (int i = 0; i < 1000; ++i)
        t.advance(100ms);
    CHECK(slow.applied() >= 999);
    CHECK(slow.applied() <= 1000);
    for (int i = 0; i < 990; ++i)
        t.advance(100ms);
    CHECK(slow.said.empty());
    for (int i = 0; i < 11; ++i)
        t.advance(100ms);
    CHECK(slow.applied() == 2000);
    CHECK(slow.said.starts_with("2000 routes: 2000 added"));
}

TEST_CASE("a load at a high rate keeps it in steps of 10 ms", "[nodes]")
{
    node_tester t;
    slow_load fast{t, 3000, "rate 10000"};
    for (int i = 0; i < 100; ++i)
        t.advance(1ms);
    CHECK(fast.applied() >= 990);
    CHECK(fast.applied() <= 1000);
    t.advance(1s); // asleep for so long, it does not make up for more than 10 ms
    CHECK(fast.applied() <= 1100);
}

TEST_CASE("there is a bound to the loads that run", "[nodes]")
{
    node_tester t;
    {
        slow_load one{t, 100, "rate 1"}, two{t, 100, "rate 1"}, three{t, 100, "rate 1"},
            four{t, 100, "rate 1"};
        CHECK(t.command("ip route load /nonexistent") ==
              "error: 4 loads are already running, which is the maximum");
    }
    CHECK(t.command("ip route load /nonexistent") ==
          "error: /nonexistent: No such file or directory");
}

TEST_CASE("a rate that cannot be kept is refused", "[nodes]")
{
    node_tester t;
    CHECK(t.command("ip route load /nonexistent rate 0") ==
          "error: rate: 0 is not between 1 and 1000000000");
    CHECK(t.command("ip route load /nonexistent rate 10") ==
          "error: rate: only possible in a session, such as weftctl's");
}
