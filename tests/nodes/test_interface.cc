// SPDX-License-Identifier: Apache-2.0
// The interface table: names, states through the driver, observers, counters.
#include "nodes/interface/interface.hh"

#include "graph/nodes/drop.hh"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace weft;

namespace {

// What a driver was asked, and what workers could see of the interface meanwhile.
struct driver_log {
    std::vector<std::string> lines;
    bool refuse = false;
    bool link = true;
};

class fake_driver final : public interface_driver {
public:
    fake_driver(driver_log& log, const interface_hot& hot) : log_{log}, hot_{hot} {}
    ~fake_driver() override { log_.lines.emplace_back("closed"); }

    result<void> set_admin(bool up) override
    {
        return answer(
            fmt::format("admin {} while {}", up ? "up" : "down", hot_.admin_up ? "up" : "down"));
    }
    result<void> set_mtu(uint16_t mtu) override
    {
        return answer(fmt::format("mtu {} while {}", mtu, hot_.mtu.load()));
    }
    [[nodiscard]] link_status link() const override
    {
        return {.up = log_.link, .speed_mbps = 10'000, .full_duplex = true};
    }
    [[nodiscard]] hardware_status hardware() const override { return {}; }

private:
    result<void> answer(std::string line)
    {
        log_.lines.push_back(std::move(line));
        if (log_.refuse)
            return fail(errc::unsupported, "the device cannot");
        return {};
    }
    driver_log& log_;
    const interface_hot& hot_;
};

struct table_tester {
    driver_log log; // outlives the drivers
    drop_counts dropped{3u};
    interface_table table{3, dropped};

    interface& add(std::string name)
    {
        const auto& hot = table.hot(static_cast<interface_index>(table.all().size()));
        auto made = table.add(std::move(name), std::make_unique<fake_driver>(log, hot));
        REQUIRE(made);
        return **made;
    }
};

} // namespace

TEST_CASE("interfaces are numbered from zero and found by name", "[graph][interface]")
{
    table_tester t;
    interface& a = t.add("a");
    const interface& b = t.add("b");
    CHECK(a.index == 0);
    CHECK(b.index == 1);
    CHECK(t.table.find("b") == &b);
    CHECK(&t.table.at(0) == &a);
    CHECK(t.table.find("c") == nullptr);
    CHECK_FALSE(t.table.hot(0).admin_up);
    CHECK(t.table.hot(0).mtu == 1500);
}

TEST_CASE("two interfaces cannot have one name", "[graph][interface]")
{
    table_tester t;
    t.add("a");
    const auto second = t.table.add("a", nullptr);
    REQUIRE_FALSE(second);
    CHECK(second.error().code == errc::exists);
    CHECK(second.error().message.find("`a'") != std::string::npos);
    CHECK(t.table.all().size() == 1);
}

TEST_CASE("the table of interfaces is bounded", "[graph][interface]")
{
    table_tester t;
    for (size_t n = 0; n < max_interfaces; ++n)
        t.add(fmt::format("i{}", n));
    const auto more = t.table.add("more", nullptr);
    REQUIRE_FALSE(more);
    CHECK(more.error().code == errc::exhausted);
    CHECK(t.table.find("i16383")->index == 16383);
    CHECK(t.table.all().size() == 16384);
}

// Workers must not send to a device that is not started.
TEST_CASE("workers see an interface up only after its device is", "[graph][interface]")
{
    table_tester t;
    interface& a = t.add("a");
    REQUIRE(t.table.set_admin(a, true));
    CHECK(t.table.hot(0).admin_up);
    CHECK(a.link.up);
    CHECK(a.link.speed_mbps == 10'000);
    t.log.link = false;
    REQUIRE(t.table.set_admin(a, false));
    CHECK_FALSE(t.table.hot(0).admin_up);
    CHECK_FALSE(a.link.up);
    CHECK(t.log.lines == std::vector<std::string>{"admin up while down", "admin down while up"});
}

TEST_CASE("what the device refuses changes nothing and is told", "[graph][interface]")
{
    table_tester t;
    interface& a = t.add("a");
    int told = 0;
    t.table.observe([&](const interface&) { ++told; });
    t.log.refuse = true;
    CHECK(t.table.set_admin(a, true).error().message == "the device cannot");
    CHECK(t.table.set_mtu(a, 9000).error().code == errc::unsupported);
    CHECK_FALSE(t.table.hot(0).admin_up);
    CHECK(t.table.hot(0).mtu == 1500);
    CHECK(told == 0);
}

TEST_CASE("an MTU reaches the device before the workers", "[graph][interface]")
{
    table_tester t;
    interface& a = t.add("a");
    REQUIRE(t.table.set_mtu(a, 9000));
    CHECK(t.log.lines == std::vector<std::string>{"mtu 9000 while 1500"});
    CHECK(t.table.hot(0).mtu == 9000);
}

TEST_CASE("all observers are told of each change, with the new state", "[graph][interface]")
{
    table_tester t;
    interface& a = t.add("a");
    std::vector<std::string> told;
    for (const char who : {'1', '2'})
        t.table.observe([&, who](const interface& i) {
            const auto& hot = t.table.hot(i.index);
            told.push_back(fmt::format("{} {} {} {}", who, i.name, hot.admin_up ? "up" : "down",
                                       hot.mtu.load()));
        });
    REQUIRE(t.table.set_admin(a, true));
    REQUIRE(t.table.set_mtu(a, 1400));
    t.table.notify(a);
    CHECK(told == std::vector<std::string>{"1 a up 1500", "2 a up 1500", "1 a up 1400",
                                           "2 a up 1400", "1 a up 1400", "2 a up 1400"});
}

TEST_CASE("interface counters are summed over threads", "[graph][interface]")
{
    table_tester t;
    t.add("a");
    t.add("b");
    for (unsigned thread = 0; thread < 3; ++thread) {
        auto& c = t.table.counters(thread, 1);
        c.rx_packets.add(1);
        c.rx_bytes.add(60);
        c.tx_packets.add(10);
        c.tx_bytes.add(600);
        t.dropped.at(thread, 1).add(100);
        c.tx_full.add(1000);
    }
    const auto sum = t.table.count(1);
    CHECK(sum.rx_packets == 3);
    CHECK(sum.rx_bytes == 180);
    CHECK(sum.tx_packets == 30);
    CHECK(sum.tx_bytes == 1800);
    CHECK(sum.drops == 300);
    CHECK(sum.tx_full == 3000);
    CHECK(t.table.count(0).rx_packets == 0);
}

TEST_CASE("cleared interface counters begin anew", "[graph][interface]")
{
    table_tester t;
    t.add("a");
    t.table.counters(1, 0).rx_packets.add(5);
    t.dropped.at(2, 0).add(5);
    t.table.clear_counters();
    CHECK(t.table.count(0).rx_packets == 0);
    CHECK(t.table.count(0).drops == 0);
    t.table.counters(1, 0).rx_packets.add(2);
    CHECK(t.table.count(0).rx_packets == 2);
    CHECK(t.table.counters(1, 0).rx_packets.get() == 7); // the thread's own goes on
}

TEST_CASE("closing the table closes the devices and tells nobody more", "[graph][interface]")
{
    table_tester t;
    interface& a = t.add("a");
    int told = 0;
    t.table.observe([&](const interface&) { ++told; });
    t.table.close();
    CHECK(t.log.lines == std::vector<std::string>{"closed"});
    t.table.notify(a);
    CHECK(told == 0);
    CHECK(t.table.find("a") == &a); // its name stays
}

TEST_CASE("a deleted interface's number is used again when it is given back, not before",
          "[graph][interface]")
{
    table_tester t;
    t.add("a");
    interface& b = t.add("b");
    REQUIRE(t.table.set_admin(b, true));
    t.table.counters(2, 1).rx_packets.add(7);
    const auto driver = t.table.remove(b);
    CHECK(driver != nullptr);
    CHECK(t.table.find("b") == nullptr);
    CHECK(t.table.at(1).name == "b"); // for who tells of what was
    CHECK_FALSE(t.table.hot(1).admin_up);
    CHECK(t.table.all().size() == 1);
    CHECK(t.table.add("b", nullptr).value()->index == 2);
    std::vector<interface_index> told;
    t.table.observe_release([&](interface_index i) { told.push_back(i); });
    t.table.give_back(1);
    CHECK(told == std::vector<interface_index>{1});
    CHECK(t.table.add("c", nullptr).value()->index == 1);
    CHECK(t.table.find("c")->index == 1);
    CHECK(t.table.count(1).rx_packets == 0); // the one before had them
    CHECK(t.table.hot(1).mtu == 1500);
}

TEST_CASE("the table knows the MAC addresses by which it can be reached, each once",
          "[graph][interface]")
{
    table_tester t;
    interface& a = t.add("a");
    interface& b = t.add("b");
    t.table.set_mac(a, {{2, 0, 0, 0, 0, 9}});
    t.table.set_mac(b, {{2, 0, 0, 0, 0, 1}});
    CHECK(t.table.macs() == mac_list{{{2, 0, 0, 0, 0, 1}}, {{2, 0, 0, 0, 0, 9}}});
    t.table.set_mac(b, {{2, 0, 0, 0, 0, 9}});
    CHECK(t.table.macs() == mac_list{{{2, 0, 0, 0, 0, 9}}});
    t.table.remove(a);
    t.table.remove(b);
    CHECK(t.table.macs().empty());
}
